//! What came of a world.

use std::fmt;

use crate::entry::Entry;

/// What went wrong, and in which world.
#[derive(Debug)]
pub struct Failure {
    /// The way in.
    pub entry: Entry,
    /// The world.
    pub seed: u64,
    /// The input after which it went wrong; as many as there are if the honest peers were not served.
    pub input: u64,
    /// What.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, input {}: {}", self.entry, self.seed, self.input, self.what)
    }
}

/// How many messages were understood, and how many were not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// The machine took them in.
    pub understood: u64,
    /// Decoding refused them.
    pub refused: u64,
    /// What the machine did for them that shows that they reach far: tasks given, run or finished, members admitted.
    pub done: u64,
}

impl Tally {
    /// Counts those of another world too.
    pub fn add(&mut self, other: Self) {
        self.understood += other.understood;
        self.refused += other.refused;
        self.done += other.done;
    }
}
