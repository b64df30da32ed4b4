//! A cluster of `deploy/k8s` in a namespace of its own, for as long as whoever started it wants it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::Args;
use k8s_openapi::api::core::v1::Namespace as Object;
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
};
use paraply_common::{clock, connection::ConnectionFile, spawn::Task};
use paraply_core::time::Time;

use super::{PREFIX, connection::Place, forward, manifests};
use crate::error::Error;

/// Who applies, as the API server notes it.
const MANAGER: &str = "paraply";
/// How long pods may take until the controller has filled the Secrets: images may have to be fetched.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(500);

/// See the module's documentation. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    name: String,
    /// Of the kubeconfig; the current one if there is none here.
    context: Option<String>,
    /// What stands before the names of the images, such as "registry.example/".
    image_prefix: String,
    /// Whether it was there for nobody before: what others have made is not deleted.
    made: Arc<AtomicBool>,
}

/// Where `paraply start` starts one.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "On Kubernetes")]
pub(crate) struct StartFlags {
    /// Context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    /// Namespace to make for the cluster, and to delete when it is stopped [default: paraply- and the cluster id]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,

    /// What stands before the names of the images, such as registry.example/
    #[arg(long, value_name = "PREFIX", default_value = "")]
    image_prefix: String,
}

impl StartFlags {
    /// The namespace of a cluster of this name.
    pub(crate) fn namespace(self, cluster: &str) -> Namespace {
        let name =
            self.namespace.unwrap_or_else(|| format!("{PREFIX}-{cluster}").to_lowercase().replace(['_', '.'], "-"));
        Namespace { name, context: self.context, image_prefix: self.image_prefix, made: Arc::default() }
    }

    /// The same again, for another process.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let flag = |name: &str, value: &String| [format!("--{name}"), value.clone()];
        let given = [("context", self.context.as_ref()), ("namespace", self.namespace.as_ref())];
        let given = given.into_iter().filter_map(|(name, value)| value.map(|value| flag(name, value)));
        given.chain([flag("image-prefix", &self.image_prefix)]).flatten().collect()
    }
}

impl Namespace {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Applies the manifests, waits for what clients show, and forwards a port of this machine to the controller for as
    /// long as the task lives.
    ///
    /// # Errors
    /// If there is no kubeconfig, the API server refuses, the namespace is there already, or the controller does not come.
    pub(crate) async fn up(&self, engines: u32) -> Result<(ConnectionFile, Task<()>), Error> {
        let place = self.place();
        let client = place.client().await?;
        self.check_that_it_is_new(&client).await?;
        self.made.store(true, Ordering::Relaxed);
        for manifest in manifests::of(&self.name, &self.image_prefix, engines)? {
            self.apply(&client, manifest).await?;
        }
        let mut connection = self.wait_for_connection(&place).await?;
        let (endpoint, forwarding) = forward::to_controller(client, &self.name).await?;
        connection.endpoints = vec![endpoint];
        Ok((connection, forwarding))
    }

    /// Has the namespace deleted, if this has made it, with everything in it. Returns when that has begun: engines have their
    /// grace.
    ///
    /// # Errors
    /// If the API server refuses.
    pub(crate) async fn down(&self) -> Result<(), Error> {
        if !self.made.load(Ordering::Relaxed) {
            return Ok(());
        }
        let namespaces: Api<Object> = Api::all(self.place().client().await?);
        match namespaces.delete(&self.name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(self.refused("it cannot be deleted", &error)),
        }
    }

    fn place(&self) -> Place {
        Place { namespace: self.name.clone(), context: self.context.clone() }
    }

    /// What others have made is not taken over, and not deleted in the end.
    async fn check_that_it_is_new(&self, client: &Client) -> Result<(), Error> {
        match Api::<Object>::all(client.clone()).get(&self.name).await {
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(self.refused("it cannot be looked at", &error)),
            Ok(_) => Err(Error::Kubernetes(format!(
                "the namespace {0} is there already: start the cluster in another (--namespace NAME), delete that one \
                 (kubectl delete namespace {0}), or use the cluster in it (paraply connect --kubernetes --namespace {0})",
                self.name
            ))),
        }
    }

    async fn apply(&self, client: &Client, manifest: DynamicObject) -> Result<(), Error> {
        let (resource, name) = (manifests::resource(&manifest)?, manifest.metadata.name.clone().unwrap_or_default());
        let api: Api<DynamicObject> = match &manifest.metadata.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let applied = api.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&manifest)).await;
        applied.map(drop).map_err(|error| self.refused(&format!("{} {name}", resource.kind), &error))
    }

    async fn wait_for_connection(&self, place: &Place) -> Result<ConnectionFile, Error> {
        let end: Time = clock::now() + PATIENCE;
        loop {
            match place.connection().await {
                Err(_) if clock::now() < end => clock::sleep_until(clock::now() + LOOK).await,
                found => return found,
            }
        }
    }

    fn refused(&self, what: &str, error: &kube::Error) -> Error {
        Error::Kubernetes(format!("the namespace {}: {what}: {error}", self.name))
    }
}

fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
