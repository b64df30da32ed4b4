//! An engine's machine and a scheduler that says anything.

mod honest;
mod runtime;
mod world;

pub(crate) use world::World;
