//! What the controller does about the Kubernetes that it runs on: it keeps the Secrets whole that pods wait for.

mod keeper;
mod secrets;

pub(crate) use keeper::Wanted;
