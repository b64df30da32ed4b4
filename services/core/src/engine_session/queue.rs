//! The two queues of an engine: direct calls, and balanced work. They take turns.

use std::collections::BTreeMap;

use crate::id::AttemptId;

/// Tasks that wait, each at a place of its own so that one can be taken out of the middle.
#[derive(Debug, Default)]
pub(super) struct Queues {
    direct: BTreeMap<u64, AttemptId>,
    balanced: BTreeMap<u64, AttemptId>,
    next_place: u64,
    /// Whose turn it is.
    balanced_turn: bool,
}

impl Queues {
    /// Puts a task at the end of its queue and says where that is.
    pub(super) fn push(&mut self, direct: bool, attempt: AttemptId) -> u64 {
        let place = self.next_place;
        self.next_place += 1;
        self.queue(direct).insert(place, attempt);
        place
    }

    pub(super) fn remove(&mut self, direct: bool, place: u64) {
        self.queue(direct).remove(&place);
    }

    /// Both queues, in order, that whose turn it is first; or one of them, the direct one or the other.
    pub(super) fn in_turn(&self, direct: Option<bool>) -> impl Iterator<Item = impl Iterator<Item = AttemptId> + '_> {
        let both = if self.balanced_turn { [false, true] } else { [true, false] };
        both.into_iter()
            .filter(move |queue| direct.is_none_or(|direct| direct == *queue))
            .map(|queue| if queue { self.direct.values().copied() } else { self.balanced.values().copied() })
    }

    /// A task of this queue was taken: the other is next.
    pub(super) fn took(&mut self, direct: bool) {
        self.balanced_turn = direct;
    }

    /// How many wait in both.
    pub(super) fn len(&self) -> usize {
        self.direct.len() + self.balanced.len()
    }

    /// The task at a place.
    pub(super) fn at(&self, direct: bool, place: u64) -> Option<AttemptId> {
        let queue = if direct { &self.direct } else { &self.balanced };
        queue.get(&place).copied()
    }

    fn queue(&mut self, direct: bool) -> &mut BTreeMap<u64, AttemptId> {
        if direct { &mut self.direct } else { &mut self.balanced }
    }
}
