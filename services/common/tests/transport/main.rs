//! Listeners, dialling, and what streams survive: real sockets, one file per behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod dialling;
mod echo;
mod listeners;
mod many_small_messages;
mod round_trip;
mod tls;
