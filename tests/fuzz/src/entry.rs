//! The ways in.

use std::{fmt, str::FromStr};

use paraply_sim::Random;

use crate::{
    blob, client, engine, membership, scheduler,
    tally::{Failure, Tally},
};

/// Inputs in one world.
pub const INPUTS: u64 = 400;

/// What hostile peers talk to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// The scheduler, on streams of clients and engines.
    Scheduler,
    /// An engine, on its stream to the scheduler.
    Engine,
    /// A client in Rust, on its stream to the scheduler.
    Client,
    /// The controller: registrations, keep-alives, watches, signals.
    Membership,
    /// The scheduler, by those who write and read large bytes.
    Blob,
    /// The unary methods that ask: the scheduler about tasks, the controller about engines.
    Questions,
}

impl Entry {
    /// All, with the parts of a thousand that each has of many inputs.
    pub const SHARES: [(Self, u64); 6] = [
        (Self::Scheduler, 320),
        (Self::Engine, 180),
        (Self::Client, 180),
        (Self::Membership, 160),
        (Self::Blob, 100),
        (Self::Questions, 60),
    ];

    /// That of a world of all worlds.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Random::new(seed).pick(&Self::SHARES.map(|(entry, _)| entry)).unwrap_or(Self::Scheduler)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheduler => "scheduler",
            Self::Engine => "engine",
            Self::Client => "client",
            Self::Membership => "membership",
            Self::Blob => "blob",
            Self::Questions => "questions",
        })
    }
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::SHARES.into_iter().map(|(entry, _)| entry).find(|entry| entry.to_string() == name);
        named.ok_or_else(|| format!("{name:?} is none of scheduler, engine, client, membership, blob, questions"))
    }
}

/// A machine among hostile peers.
pub(crate) trait World {
    /// One input. Says what is wrong then.
    fn step(&mut self) -> Result<(), String>;

    /// Honest peers come. Says why they are not served.
    fn serve(&mut self) -> Result<(), String>;

    fn tally(&self) -> Tally;
}

/// Runs the world of a seed.
///
/// # Errors
/// An invariant that does not hold, a limit that is passed, or an honest peer that is not served.
pub fn run(entry: Entry, seed: u64) -> Result<Tally, Failure> {
    match entry {
        Entry::Scheduler => run_world(entry, seed, scheduler::World::new(seed)),
        Entry::Engine => run_world(entry, seed, engine::World::new(seed)),
        Entry::Client => run_world(entry, seed, client::World::new(seed)),
        Entry::Membership => run_world(entry, seed, membership::World::new(seed)),
        Entry::Blob => run_world(entry, seed, blob::World::new(seed)),
        Entry::Questions if seed.is_multiple_of(2) => run_world(entry, seed, scheduler::World::asked(seed)),
        Entry::Questions => run_world(entry, seed, membership::World::asked(seed)),
    }
}

fn run_world(entry: Entry, seed: u64, mut world: impl World) -> Result<Tally, Failure> {
    for input in 0..INPUTS {
        world.step().map_err(|what| Failure { entry, seed, input, what })?;
    }
    world.serve().map_err(|what| Failure { entry, seed, input: INPUTS, what })?;
    Ok(world.tally())
}
