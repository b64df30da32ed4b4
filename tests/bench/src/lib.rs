//! What a task costs the scheduler.
//!
//! [`Peers`] are a client and an engine who submit tasks and run them. They talk to a [`Stack`]: the bare machine, or the
//! machine with what is between it and the bytes on a stream. [`callgrind`] counts the instructions that the stack
//! takes, and nothing of what the peers do.

pub mod callgrind;
pub mod messages;
mod peers;
mod stack;

pub use messages::Kind;
pub use peers::Peers;
pub use stack::{Machine, Said, Stack, Streams, Word};
