//! Layers around every service's gRPC methods, one a file.

pub mod auth;
pub mod count;
pub mod pass_through;
pub mod trace;
