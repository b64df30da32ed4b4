//! The engine: a [`Runtime`] that runs tasks, and the session that keeps it in a cluster.
//!
//! [`run`] registers with the controller and keeps the lease, attaches to the scheduler, and drives the engine-session
//! machine: streams become stimuli, instructions become writes and batches for the runtime. Everything but the runtime
//! lives on the current-thread tokio runtime that `run` is called on.
//!
//! [`native`] is for programs that are engines: Rust functions, called from Python and from Rust. The other runtime, which
//! has Python in it, is a crate of its own.

mod blobs;
mod config;
mod error;
mod health;
mod labels;
mod link;
mod member;
pub mod native;
pub mod output;
mod roads;
mod runtime;
mod session;
mod shorten;
mod stream;
mod terminated;
mod traces;

pub use config::{Config, Identity};
pub use error::Error;
pub use labels::{RESERVED_LABELS, labelled};
pub use paraply_core::engine_session::{ExitReason, RunTask};
pub use runtime::{Finished, Lent, LentBuffer, Report, Reporter, Reports, Runtime, reports};
pub use session::run;
pub use terminated::{Terminate, Terminated};
