//! A client's machine and a scheduler that says anything.

mod honest;
mod told;
mod world;

pub(crate) use world::World;
