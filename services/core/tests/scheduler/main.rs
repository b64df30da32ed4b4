//! The scheduler machine, driven by hand: stimuli in, instructions out, virtual time.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod balanced;
mod blobs;
mod direct;
mod explain;
mod labels;
mod list;
mod placement;
mod recovery;
mod sessions;
mod world;
