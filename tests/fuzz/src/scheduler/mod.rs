//! The scheduler machine among clients and engines that say anything.

mod honest;
mod questions;
mod world;

pub(crate) use world::World;
