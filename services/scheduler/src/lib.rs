//! The data plane: accepts tasks, places them, keeps results until they are acknowledged.
//!
//! [`run`] serves until it is told to stop. What is decided is decided by the machine in `paraply_core::scheduler`,
//! which runs on one task; the gRPC methods decode, ask and encode; large bytes have a thread of their own.

mod blob;
mod config;
mod connections;
mod controller;
mod described;
mod engine_link_service;
mod figures;
pub mod in_process;
mod listing;
pub mod observe;
mod parts;
mod recent;
mod run;
mod run_task;
mod shell;
pub mod store;
mod stream;
mod tally;
mod task_service;
mod traces;

pub use config::Config;
pub use run::{Error, run, run_with_store};
