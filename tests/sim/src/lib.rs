//! Simulated clusters: the real state machines in one struct, virtual time, streams that break, processes that die.
//!
//! A run is drawn from its seed: sizes and limits, what clients submit, what fails and when. After every event the
//! machines and an oracle that watches from outside are asked whether all is well. A run that fails is run again from
//! its seed, to tell the story of the task that it failed with.

// Within this crate `pub` says what a module offers the others, `to_x` sends a stimulus to x, and a failure is met once.
#![allow(unreachable_pub, clippy::result_large_err, clippy::wrong_self_convention)]

pub mod agenda;
mod client;
mod controller;
mod driver;
mod engine;
mod labels;
mod member;
mod network;
mod oracle;
mod program;
mod random;
pub mod record;
pub mod run;
mod scheduler;
pub mod setting;
mod story;
mod tally;
mod transfers;
mod workload;
pub mod world;

pub use random::Random;
pub use run::{Failure, record, run, run_with};
pub use tally::Tally;
