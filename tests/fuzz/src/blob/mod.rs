//! `BlobService` as it is served, among writers, readers and keepers that do anything, by a clock that is stopped.

mod calls;
mod engine;
mod honest;
mod reader;
mod session;
mod world;
mod writer;

pub(crate) use world::World;
