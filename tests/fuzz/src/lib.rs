//! Hostile peers against the real machines: messages made after the schema, in any order, some with their bytes changed,
//! decoded as the services decode them.
//!
//! Each [`Entry`] is a way in. After every input the machine's invariants hold and what it holds stays within its limits;
//! at the end of each world honest peers are still served. Everything depends on a seed alone.

mod blob;
mod client;
mod engine;
mod entry;
mod generate;
mod membership;
mod mutate;
mod names;
mod peers;
mod scheduler;
mod tally;
mod wakes;

pub use entry::{Entry, INPUTS, run};
pub use tally::{Failure, Tally};
