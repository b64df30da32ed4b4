//! What peers say, as it comes from the wire.

use std::sync::LazyLock;

use bytes::Bytes;
use paraply_sim::Random;
use prost::Message;

use crate::{generate::Schema, mutate::mutate, tally::Tally};

static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::new);

/// Of a thousand messages: how many have their bytes changed.
const CHANGED: u64 = 60;

/// Makes messages, and counts those that are understood.
pub(crate) struct Peers {
    pub(crate) random: Random,
    pub(crate) tally: Tally,
}

impl Peers {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), tally: Tally::default() }
    }

    /// A message of this name. `None` if it is not one any more.
    pub(crate) fn message<M: Message + Default>(&mut self, name: &str) -> Option<M> {
        let mut bytes = SCHEMA.message(&mut self.random, name)?.encode_to_vec();
        if self.random.chance(CHANGED) {
            mutate(&mut self.random, &mut bytes);
        }
        let message = M::decode(&bytes[..]).ok();
        self.tally.refused += u64::from(message.is_none());
        message
    }

    /// The bytes of a message, some of them changed, and whether they are still those of one.
    pub(crate) fn mangled<M: Message + Default + PartialEq>(&mut self, message: &M) -> (Bytes, bool) {
        let mut bytes = message.encode_to_vec();
        if self.random.chance(CHANGED) {
            mutate(&mut self.random, &mut bytes);
        }
        let whole = M::decode(&bytes[..]).as_ref() == Ok(message);
        self.tally.understood += u64::from(whole);
        self.tally.refused += u64::from(!whole);
        (bytes.into(), whole)
    }

    pub(crate) fn understood<T, E>(&mut self, decoded: Result<T, E>) -> Option<T> {
        let understood = decoded.ok();
        self.tally.understood += u64::from(understood.is_some());
        self.tally.refused += u64::from(understood.is_none());
        understood
    }
}
