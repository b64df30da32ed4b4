//! Paraply on Kubernetes: the controller keeps the Secrets whole that pods wait for and scales the engines, and people
//! outside read what they need.

mod connection;
mod engines;
mod forward;
mod keeper;
mod manifests;
mod namespace;
mod secrets;

use kube::{Client, Config};

use crate::error::Error;

pub(crate) use connection::Place;
pub(crate) use engines::Flags as EngineFlags;
pub(crate) use keeper::Wanted;
pub(crate) use namespace::{Namespace, StartFlags};

/// Who changed an object, as the API server notes it.
const MANAGER: &str = "paraply-controller";

/// What names begin with in deploy/k8s.
pub(crate) const PREFIX: &str = "paraply";

/// Speaks to the API server of the cluster that this pod is in; the pod's namespace as well.
fn in_cluster() -> Result<(Client, String), Error> {
    let config = Config::incluster().map_err(Error::service)?;
    let namespace = config.default_namespace.clone();
    Ok((Client::try_from(config).map_err(Error::service)?, namespace))
}
