//! A cluster for tests: the real controller and scheduler on threads of their own and real sockets, and clients and
//! engines that speak the schema by hand, so that a test says exactly what goes over the wire.
//!
//! Everything here panics where a test cannot go on.

#![allow(clippy::unwrap_used, reason = "a step of a test that fails is a failed test")]

pub mod cluster;
pub mod dial;
pub mod engine;
pub mod service;
pub mod session;
pub mod words;

use std::time::Duration;

/// How long anything in a test may take before it counts as not happening.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The result of `future`, which must come within [`PATIENCE`].
///
/// # Panics
/// If it does not.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
