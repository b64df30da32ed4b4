//! Hostile peers against the real scheduler machine: messages made after the schema, in any order, some with their bytes
//! changed, decoded as the service decodes them.
//!
//! After every input the machine's invariants hold, and at the end of each world an honest client with an honest engine
//! still gets its result. Everything depends on a seed alone.

mod generate;
mod honest;
mod mutate;
mod names;
mod world;

pub use world::{Failure, INPUTS, Tally, run};
