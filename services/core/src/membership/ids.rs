//! Which engine ids were given.

use std::collections::BTreeMap;

use crate::{
    id::{EngineId, Incarnation},
    mutant::{Mutant, forgets},
};

/// Scheduler processes are members too; their ids have the upper half, so that engines count from 0.
pub(super) const FIRST_SCHEDULER_ID: u32 = EngineId::MOST.0 + 1;

/// Holes that are remembered at the most.
const HOLES: usize = 1 << 16;

/// Ids of which it is remembered who has them, or had them last.
const OWNERS: usize = 1 << 16;

/// The ids that were given: all below `next`, but for the holes that wishes have left.
#[derive(Debug)]
pub(super) struct Ids {
    next: u32,
    /// Whether `next` is known. A new machine may be told of ids that were given before it.
    known: bool,
    /// Start and end (exclusive) of runs below `next` that were never given. Forgotten with the machine: then they
    /// count as given.
    holes: BTreeMap<u32, u32>,
    /// Whose ids are: of those that this machine gave, or found its engines to have. A machine that had lost its state may have
    /// given an id that an engine has which was silent then, and comes back when the id's new owner is gone.
    owners: BTreeMap<EngineId, Incarnation>,
}

impl Ids {
    pub(super) fn new(next: Option<u32>) -> Self {
        Self { next: next.unwrap_or_default(), known: next.is_some(), holes: BTreeMap::new(), owners: BTreeMap::new() }
    }

    pub(super) fn known(&self) -> bool {
        self.known
    }

    /// One more than the highest id given.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// All below `next` were given, as someone says who knows.
    pub(super) fn learn(&mut self, next: u32) {
        self.known = true;
        self.next = self.next.max(next.min(FIRST_SCHEDULER_ID));
    }

    /// A new id; `None` when there are none left.
    pub(super) fn draw(&mut self) -> Option<EngineId> {
        let id = self.next;
        (id < FIRST_SCHEDULER_ID).then(|| {
            self.next += 1;
            EngineId(id)
        })
    }

    /// The highest id that may be wished for.
    pub(super) fn most(&self, reach: u32) -> EngineId {
        EngineId(self.next.saturating_add(reach).min(FIRST_SCHEDULER_ID - 1))
    }

    /// Gives `wish` if it was never given.
    pub(super) fn take(&mut self, wish: EngineId) -> bool {
        let id = wish.0;
        if id >= self.next {
            if id > self.next {
                self.holes.insert(self.next, id);
            }
            self.fill_up();
            self.next = id + 1;
            return true;
        }
        if forgets(Mutant::IdGivenTwice) {
            return true;
        }
        let Some((&start, &end)) = self.holes.range(..=id).next_back() else { return false };
        if id >= end {
            return false;
        }
        self.holes.remove(&start);
        if start < id {
            self.holes.insert(start, id);
        }
        if id + 1 < end {
            self.holes.insert(id + 1, end);
        }
        self.fill_up();
        true
    }

    /// An engine has this id from now on.
    pub(super) fn own(&mut self, id: EngineId, owner: Incarnation) {
        self.owners.insert(id, owner);
        if self.owners.len() > OWNERS {
            self.owners.pop_first();
        }
    }

    /// The id was another engine's last.
    pub(super) fn is_anothers(&self, id: EngineId, engine: Incarnation) -> bool {
        self.owners.get(&id).is_some_and(|owner| *owner != engine)
    }

    /// The lowest hole counts as given where there are too many to remember.
    fn fill_up(&mut self) {
        if self.holes.len() > HOLES {
            self.holes.pop_first();
        }
    }

    /// Checks that holes lie below what was given, apart from each other.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut free_from = 0;
        for (start, end) in &self.holes {
            if *start < free_from || end <= start || *end >= self.next {
                return Err(format!("ids {:?} are free, of {}", self.holes, self.next));
            }
            free_from = end + 1;
        }
        if self.holes.len() > HOLES { Err(format!("{} holes are remembered", self.holes.len())) } else { Ok(()) }
    }

    /// `id` was given before this machine, and so may all below it have been.
    pub(super) fn mark(&mut self, id: EngineId) {
        if id.0 < self.next {
            let _never_free_again = self.take(id);
        } else if id.0 < FIRST_SCHEDULER_ID {
            self.next = id.0 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_fill_holes_and_nothing_is_given_twice() {
        let mut ids = Ids::new(Some(0));
        assert!(ids.take(EngineId(3)));
        assert_eq!(ids.draw(), Some(EngineId(4)), "new ids count up; holes are for wishes");
        for wish in [1, 0, 2] {
            assert!(ids.take(EngineId(wish)), "{wish} was never given");
        }
        for taken in 0..=4 {
            assert!(!ids.take(EngineId(taken)), "{taken} was given");
        }
        assert_eq!(ids.next(), 5);
    }

    #[test]
    fn what_a_scheduler_has_seen_is_given() {
        let mut ids = Ids::new(None);
        assert!(!ids.known());
        ids.learn(7);
        ids.learn(2);
        assert!(ids.known());
        assert!(!ids.take(EngineId(6)));
        assert_eq!(ids.draw(), Some(EngineId(7)));
    }

    #[test]
    fn what_lies_below_an_engine_that_came_back_counts_as_given() {
        let mut ids = Ids::new(None);
        ids.mark(EngineId(6));
        ids.learn(3);
        ids.mark(EngineId(9));
        for given in [2, 5, 6, 8, 9] {
            assert!(!ids.take(EngineId(given)), "{given} may have been given before");
        }
        assert_eq!(ids.draw(), Some(EngineId(10)));
    }

    #[test]
    fn ids_end_where_those_of_schedulers_begin() {
        let mut ids = Ids::new(Some(FIRST_SCHEDULER_ID - 1));
        assert_eq!(ids.draw(), Some(EngineId(FIRST_SCHEDULER_ID - 1)));
        assert_eq!(ids.draw(), None);
        ids.learn(u32::MAX);
        assert_eq!(ids.next(), FIRST_SCHEDULER_ID);
    }
}
