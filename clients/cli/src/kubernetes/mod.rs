//! Paraply on Kubernetes: the controller keeps the Secrets whole that pods wait for and scales the engines, and people
//! outside read what they need.

mod connection;
mod engines;
mod forward;
mod keeper;
mod manifests;
mod namespace;
mod secrets;

pub(crate) use connection::Place;
pub(crate) use engines::Flags as EngineFlags;
pub(crate) use keeper::Wanted;
pub(crate) use namespace::{Namespace, StartFlags};

/// Who changed an object, as the API server notes it.
const MANAGER: &str = "paraply-controller";
