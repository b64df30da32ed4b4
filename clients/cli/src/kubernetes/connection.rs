//! The connection file of a person outside, out of the Secrets, with what the user's kubeconfig lets them read.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use paraply_common::{connection::ConnectionFile, secret::Secret as Token};

use super::PREFIX;
use crate::error::Error;

/// Where a cluster's Secrets are.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    /// Of the kubeconfig; the current one if there is none here.
    pub(crate) context: Option<String>,
}

impl Place {
    /// The client's connection file; with the admin's token, where the user may read that.
    ///
    /// # Errors
    /// If there is no kubeconfig, the API server refuses, or the controller has not filled the Secret yet.
    pub(crate) async fn connection(&self) -> Result<ConnectionFile, Error> {
        let secrets = self.secrets().await?;
        let name = format!("{PREFIX}-client");
        let secret = secrets.get(&name).await.map_err(|error| self.refused(&name, &error))?;
        let Some(file) = value(&secret, "connection.json") else {
            let message = format!(
                "the Secret {name} in the namespace {} has no connection.json yet; is the controller running? \
                 (`kubectl -n {} get pods`)",
                self.namespace, self.namespace
            );
            return Err(Error::Kubernetes(message));
        };
        let mut connection: ConnectionFile = serde_json::from_str(&file).map_err(Error::service)?;
        let services = secrets.get(&format!("{PREFIX}-ca")).await.ok();
        let admin = services.and_then(|services| value(&services, "admin-token"));
        connection.admin_token = admin.and_then(|token| Token::try_from(token).ok());
        Ok(connection)
    }

    async fn secrets(&self) -> Result<Api<Secret>, Error> {
        Ok(Api::namespaced(self.client().await?, &self.namespace))
    }

    /// With the user's rights.
    pub(super) async fn client(&self) -> Result<Client, Error> {
        let unusable = |error: &dyn std::fmt::Display| Error::Kubernetes(format!("the kubeconfig: {error}"));
        let kubeconfig = Kubeconfig::read().map_err(|error| unusable(&error))?;
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unusable(&error))?;
        Client::try_from(config).map_err(|error| unusable(&error))
    }

    fn refused(&self, name: &str, error: &kube::Error) -> Error {
        Error::Kubernetes(format!("the Secret {name} in the namespace {}: {error}", self.namespace))
    }
}

fn value(secret: &Secret, key: &str) -> Option<String> {
    let value = secret.data.as_ref()?.get(key).filter(|value| !value.0.is_empty())?;
    String::from_utf8(value.0.clone()).ok()
}
