//! Scheduling, membership, engine-session and client-session logic as state machines without I/O.
//!
//! A stimulus and the time go in, instructions come out. There is no runtime, no socket, no clock and no randomness in
//! this crate: its manifest says so. The services around it turn streams into stimuli and instructions into writes; the
//! simulation in `tests/sim` drives the same machines with virtual time and breaking connections.

mod backoff;
pub mod call;
pub mod client_session;
pub mod engine_link;
pub mod engine_session;
pub mod hash;
pub mod id;
pub mod membership;
pub mod mutant;
pub mod outcome;
pub mod payload;
pub mod scheduler;
pub mod session_link;
pub mod time;
pub mod transitions;
