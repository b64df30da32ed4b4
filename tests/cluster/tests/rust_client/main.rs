//! The Rust client on real services and engines, whose runtime is a small one.

#![allow(clippy::unwrap_used, reason = "a step of a test that fails is a failed test")]

mod blocking;
mod calls;
mod cancelling;
mod connecting;
mod encrypted;
mod home;
mod labels;
mod large;
mod maps;
mod native;
mod restarts;
mod toy;
