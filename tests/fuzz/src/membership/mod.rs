//! The controller's machine among engines, schedulers, clients and operators that say anything.

mod honest;
mod questions;
mod requests;
mod world;

pub(crate) use world::World;
