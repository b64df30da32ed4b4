//! Fills the three Secrets of a cluster, and keeps what is in them current.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use paraply_common::clock;
use serde_json::json;

use super::{
    MANAGER, in_cluster,
    secrets::{Contents, Credentials, Holder, Incomplete, missing},
};
use crate::{command::credentials::Reached, error::Error};

/// Between two looks at what is whole: certificates run out in months.
const LOOK: Duration = Duration::from_secs(6 * 3600);
/// And at what could not be filled.
const AGAIN: Duration = Duration::from_secs(5);

/// Which Secrets to keep, and for whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "On Kubernetes")]
pub(crate) struct Wanted {
    /// Fill what is missing in the Secrets <PREFIX>-ca, <PREFIX>-engine and <PREFIX>-client of this pod's namespace, and keep
    /// their certificates current
    #[arg(long, value_name = "PREFIX")]
    kubernetes_secrets: Option<String>,

    #[command(flatten)]
    reached: Reached,
}

/// See the module's documentation.
pub(crate) struct Keeper {
    secrets: Api<Secret>,
    prefix: String,
    credentials: Credentials,
}

/// Why Secrets are not whole.
#[derive(Debug, thiserror::Error)]
enum NotKept {
    #[error("{secret}: {source}")]
    Api { secret: String, source: kube::Error },
    #[error("{0}")]
    Incomplete(#[from] Incomplete),
}

impl Wanted {
    /// None where nothing of the kind was asked for.
    ///
    /// # Errors
    /// If an address is none, or this is no pod.
    pub(crate) fn keeper(self, cluster_id: &str) -> Result<Option<Keeper>, Error> {
        let Some(prefix) = self.kubernetes_secrets else { return Ok(None) };
        let (wish, endpoints, client_endpoints) = self.reached.wish(cluster_id)?;
        let (client, namespace) = in_cluster()?;
        let credentials = Credentials { wish, endpoints, client_endpoints };
        Ok(Some(Keeper { secrets: Api::namespaced(client, &namespace), prefix, credentials }))
    }
}

impl Keeper {
    /// Keeps them whole for as long as it is polled.
    pub(crate) async fn keep(self) -> std::convert::Infallible {
        let mut told = None;
        loop {
            let pause = match self.fill().await {
                Ok(written) if written.is_empty() => LOOK,
                Ok(written) => {
                    tracing::info!(?written, "filled what was missing in Secrets");
                    LOOK
                }
                // Somebody else has changed it meanwhile: what is missing is looked for anew.
                Err(NotKept::Api { source: kube::Error::Api(status), .. }) if status.code == 409 => Duration::ZERO,
                Err(error) => {
                    let text = error.to_string();
                    if told.as_ref() != Some(&text) {
                        tracing::error!(error = text, "Secrets are not filled; trying again");
                        told = Some(text);
                    }
                    AGAIN
                }
            };
            clock::sleep_until(clock::now() + pause.max(Duration::from_millis(50))).await;
        }
    }

    /// Fills them once; the names of what was written.
    async fn fill(&self) -> Result<Vec<String>, NotKept> {
        let (mut there, mut versions) = (Contents::new(), BTreeMap::new());
        for holder in Holder::ALL {
            let secret = self.secrets.get(&self.name(holder)).await.map_err(|source| self.failed(holder, source))?;
            versions.insert(holder, secret.metadata.resource_version);
            there.insert(holder, secret.data.into_iter().flatten().map(text).collect());
        }
        let mut written = Vec::new();
        for (holder, contents) in missing(&there, &self.credentials)? {
            written.extend(contents.keys().map(|key| format!("{}/{key}", self.name(holder))));
            let data: BTreeMap<String, ByteString> =
                contents.into_iter().map(|(key, text)| (key, ByteString(text.into_bytes()))).collect();
            // Refused if it is another by now.
            let metadata = json!({ "resourceVersion": versions.get(&holder) });
            let patch = Patch::Merge(json!({ "metadata": metadata, "data": data }));
            let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
            let patched = self.secrets.patch(&self.name(holder), &parameters, &patch).await;
            patched.map_err(|source| self.failed(holder, source))?;
        }
        Ok(written)
    }

    fn name(&self, holder: Holder) -> String {
        format!("{}-{}", self.prefix, holder.suffix())
    }

    fn failed(&self, holder: Holder, source: kube::Error) -> NotKept {
        NotKept::Api { secret: format!("the Secret {}", self.name(holder)), source }
    }
}

/// What is no text is there all the same.
fn text((key, value): (String, ByteString)) -> (String, String) {
    (key, String::from_utf8_lossy(&value.0).into_owned())
}
