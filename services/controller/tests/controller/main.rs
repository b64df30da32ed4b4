//! The controller as its callers see it: real sockets, one file per behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod auth;
mod cluster_info;
mod configuration;
mod engines;
mod fake_scheduler;
mod keep_alive;
mod malformed;
mod pass_through;
mod registration;
mod restart;
mod scaler;
mod shutdown;
mod support;
mod watch;
