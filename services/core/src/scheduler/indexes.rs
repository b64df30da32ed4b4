//! A set of indexes of a session: they come one after the other, and leave in about that order.

use std::collections::BTreeMap;

/// Neighbours that share an entry, each a bit of it.
const RUN: u64 = u64::BITS as u64;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    /// By the first index, divided by `RUN`. None is 0.
    runs: BTreeMap<u64, u64>,
}

impl Indexes {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The lowest.
    pub(super) fn first(&self) -> Option<u64> {
        let (run, bits) = self.runs.first_key_value()?;
        Some(run * RUN + u64::from(bits.trailing_zeros()))
    }

    pub(super) fn insert(&mut self, index: u64) {
        let (run, bit) = (index / RUN, 1 << (index % RUN));
        match self.runs.last_entry() {
            Some(mut last) if *last.key() == run => *last.get_mut() |= bit,
            _ => *self.runs.entry(run).or_default() |= bit,
        }
    }

    pub(super) fn remove(&mut self, index: u64) {
        let (run, bit) = (index / RUN, 1 << (index % RUN));
        if let Some(bits) = self.runs.get_mut(&run) {
            *bits &= !bit;
            if *bits == 0 {
                self.runs.remove(&run);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(steps in proptest::collection::vec((any::<bool>(), prop_oneof![0..200_u64, u64::MAX - 70..=u64::MAX]), 0..300)) {
            let (mut indexes, mut model) = (Indexes::default(), BTreeSet::new());
            for (insert, index) in steps {
                if insert {
                    indexes.insert(index);
                    model.insert(index);
                } else {
                    indexes.remove(index);
                    model.remove(&index);
                }
                prop_assert_eq!(indexes.first(), model.first().copied());
                prop_assert_eq!(indexes.is_empty(), model.is_empty());
            }
        }
    }
}
