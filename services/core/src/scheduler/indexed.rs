//! A map of what has the indexes of a session: they come one after the other, and leave in about that order.
//!
//! Neighbours share an entry of a tree, which is so much shallower, and the last entry is found without a search. What
//! comes next costs the same however much is there already; so does memory, but for stragglers: one alone keeps the
//! places of its neighbours, 8 bytes each.

use std::{collections::BTreeMap, ops::Range};

/// Neighbours that share an entry.
const RUN: u64 = 32;

/// See the module's documentation. `T` is small: a box.
#[derive(Debug)]
pub(super) struct Indexed<T> {
    /// By the index of the first place, divided by `RUN`. None is empty.
    runs: BTreeMap<u64, Run<T>>,
    len: usize,
}

#[derive(Debug)]
struct Run<T> {
    places: Box<[Option<T>; RUN as usize]>,
    taken: usize,
}

impl<T> Default for Indexed<T> {
    fn default() -> Self {
        Self { runs: BTreeMap::new(), len: 0 }
    }
}

impl<T> Default for Run<T> {
    fn default() -> Self {
        Self { places: Box::new([const { None }; RUN as usize]), taken: 0 }
    }
}

/// The run and the place in it.
fn place(index: u64) -> (u64, usize) {
    (index / RUN, (index % RUN) as usize)
}

fn index(run: u64, place: usize) -> u64 {
    run * RUN + place as u64
}

impl<T> Indexed<T> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts something at an index; what was there before is dropped.
    pub(super) fn insert(&mut self, index: u64, value: T) {
        let (run, place) = place(index);
        let run = match self.runs.last_entry() {
            Some(last) if *last.key() == run => last.into_mut(),
            _ => self.runs.entry(run).or_default(),
        };
        if run.places[place].replace(value).is_none() {
            run.taken += 1;
            self.len += 1;
        }
    }

    pub(super) fn get(&self, index: u64) -> Option<&T> {
        let (run, place) = place(index);
        self.runs.get(&run)?.places[place].as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u64) -> Option<&mut T> {
        let (run, place) = place(index);
        self.runs.get_mut(&run)?.places[place].as_mut()
    }

    pub(super) fn remove(&mut self, index: u64) -> Option<T> {
        let (key, place) = place(index);
        let run = self.runs.get_mut(&key)?;
        let removed = run.places[place].take()?;
        run.taken -= 1;
        self.len -= 1;
        if run.taken == 0 {
            self.runs.remove(&key);
        }
        Some(removed)
    }

    /// All of them, by index.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.runs.iter().flat_map(|(key, run)| {
            let places = run.places.iter().enumerate();
            places.filter_map(move |(place, value)| Some((index(*key, place), value.as_ref()?)))
        })
    }

    /// Those of some indexes, by index.
    pub(super) fn range(&self, indexes: Range<u64>) -> impl Iterator<Item = (u64, &T)> {
        self.runs.range(runs_of(&indexes)).flat_map(move |(key, run)| {
            let places = run.places.iter().enumerate().map(|(place, value)| (index(*key, place), value));
            let wanted = indexes.clone();
            places.filter_map(move |(index, value)| wanted.contains(&index).then_some((index, value.as_ref()?)))
        })
    }

    /// Those of some indexes, by index.
    pub(super) fn range_mut(&mut self, indexes: Range<u64>) -> impl Iterator<Item = (u64, &mut T)> {
        self.runs.range_mut(runs_of(&indexes)).flat_map(move |(key, run)| {
            let places = run.places.iter_mut().enumerate().map(|(place, value)| (index(*key, place), value));
            let wanted = indexes.clone();
            places.filter_map(move |(index, value)| wanted.contains(&index).then_some((index, value.as_mut()?)))
        })
    }
}

/// The runs that have some of these indexes.
fn runs_of(indexes: &Range<u64>) -> Range<u64> {
    if indexes.is_empty() { 0..0 } else { indexes.start / RUN..(indexes.end - 1) / RUN + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(u64),
        Change(Range<u64>),
    }

    /// Few indexes, so that they meet, and some that are far away.
    fn index() -> impl Strategy<Value = u64> {
        prop_oneof![8 => 0..100_u64, 1 => u64::MAX - 40..=u64::MAX]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => index().prop_map(Step::Insert),
            2 => index().prop_map(Step::Remove),
            1 => (index(), index()).prop_map(|(start, end)| Step::Change(start..end)),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec(step(), 0..200)) {
            let (mut indexed, mut model) = (Indexed::default(), BTreeMap::new());
            for (value, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert(index) => {
                        indexed.insert(index, Box::new(value));
                        model.insert(index, Box::new(value));
                    }
                    Step::Remove(index) => prop_assert_eq!(indexed.remove(index), model.remove(&index)),
                    Step::Change(range) => {
                        let found: Vec<_> = indexed.range(range.clone()).map(|(index, _)| index).collect();
                        let wanted: Vec<_> = model.keys().copied().filter(|index| range.contains(index)).collect();
                        prop_assert_eq!(&found, &wanted);
                        indexed.range_mut(range).for_each(|(_, value)| **value += 1000);
                        wanted.iter().for_each(|index| **model.get_mut(index).unwrap() += 1000);
                    }
                }
                prop_assert_eq!(indexed.len(), model.len());
                prop_assert_eq!(indexed.is_empty(), model.is_empty());
                prop_assert!(indexed.iter().eq(model.iter().map(|(index, value)| (*index, value))));
                prop_assert!(indexed.runs.values().all(|run| run.taken > 0));
                for index in 0..100 {
                    prop_assert_eq!(indexed.get(index), model.get(&index));
                    prop_assert_eq!(indexed.get_mut(index), model.get_mut(&index));
                }
            }
        }
    }
}
