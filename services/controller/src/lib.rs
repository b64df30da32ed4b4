//! The control plane: membership, identity and the operator's API.
//!
//! [`run`] serves it: an actor over `paraply_core::membership`, and gRPC methods that decode, ask the actor, and encode.
//! Calls of the scheduler's packages are passed on to the scheduler. The controller may restart at any time: its members
//! register again with the ids they have.

mod actor;
mod cluster_service;
mod config;
mod figures;
mod handle;
mod membership_service;
mod run;
mod scaler;
mod state;

pub use config::Config;
pub use run::{Error, Launch, run};
pub use state::note_new_cluster;
