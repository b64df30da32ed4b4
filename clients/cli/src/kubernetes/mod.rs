//! Paraply on Kubernetes: the controller keeps the Secrets whole that pods wait for, and people outside read them.

mod connection;
mod keeper;
mod secrets;

pub(crate) use connection::Place;
pub(crate) use keeper::Wanted;
