//! Which engines carry the labels that calls ask for. Each set of labels is matched once with each engine, however many
//! tasks ask for it; what no call has labels for costs nothing.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    id::EngineId,
    mutant::{Mutant, forgets},
    session_link::EngineInfo,
};

/// Kinds of engines that have been here and are gone, of which is known that there may be such again.
const GONE: usize = 64;

/// The label that says what runs code on an engine, and its value where that is Python.
const RUNTIME: &[u8] = b"runtime";
const PYTHON: &[u8] = b"python";

/// What an engine carries, or a call asks for: sorted by key.
type Labels = [(Bytes, Bytes)];

/// A set of labels that unfinished tasks ask for. Its number is given again once none does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Selector(std::num::NonZeroU32);

/// No set of labels.
static NONE: BTreeSet<Selector> = BTreeSet::new();

/// All sets of labels that unfinished tasks ask for.
#[derive(Debug, Default)]
pub(super) struct Selectors {
    ids: HashMap<Arc<Labels>, Selector>,
    sets: BTreeMap<Selector, Set>,
    /// Numbers below the highest given that are free.
    free: Vec<Selector>,
    carried: BTreeMap<EngineId, BTreeSet<Selector>>,
    /// Engines that run only what asks for their runtime.
    reserved: BTreeSet<EngineId>,
    /// Engines that were lost last, one of a kind.
    gone: VecDeque<Arc<EngineInfo>>,
    /// An engine has been here.
    begun: bool,
    /// Sums over `sets`.
    unserved: u64,
    hopeless: u64,
}

/// One of them.
#[derive(Debug)]
struct Set {
    labels: Arc<Labels>,
    /// Unfinished tasks that ask for it.
    tasks: u64,
    /// Those of them that are in the queue for whoever carries it.
    queued: u64,
    engines: BTreeSet<EngineId>,
    /// There may be such an engine some time: there was one, or there has been none of any kind.
    may_come: bool,
}

impl Set {
    fn unserved(&self) -> u64 {
        if self.engines.is_empty() { self.queued } else { 0 }
    }

    fn hopeless(&self) -> u64 {
        if self.may_come { 0 } else { self.queued }
    }
}

impl Selectors {
    /// So many new tasks ask for these labels; `None`: for no labels.
    pub(super) fn hold<'a>(
        &mut self,
        labels: &Labels,
        tasks: u64,
        engines: impl Iterator<Item = &'a Arc<EngineInfo>>,
    ) -> Option<Selector> {
        if labels.is_empty() {
            return None;
        }
        if let Some(known) = self.ids.get(labels) {
            self.sets.get_mut(known)?.tasks += tasks;
            return Some(*known);
        }
        let id = self.free.pop().or_else(|| {
            let next = u32::try_from(self.sets.len()).ok()?.checked_add(1)?;
            std::num::NonZeroU32::new(next).map(Selector)
        })?;
        let engines: BTreeSet<EngineId> = engines.filter(|info| carries(info, labels)).map(|info| info.id).collect();
        for engine in &engines {
            self.carried.entry(*engine).or_default().insert(id);
        }
        let may_come = !engines.is_empty() || !self.begun || self.gone.iter().any(|info| carries(info, labels));
        let labels: Arc<Labels> = labels.into();
        self.ids.insert(Arc::clone(&labels), id);
        self.sets.insert(id, Set { labels, tasks, queued: 0, engines, may_come });
        Some(id)
    }

    /// A task that asked for it is over, and has left its queue.
    pub(super) fn release(&mut self, id: Selector) {
        let Some(set) = self.sets.get_mut(&id) else { return };
        set.tasks -= 1;
        if set.tasks > 0 {
            return;
        }
        if let Some(set) = self.sets.remove(&id) {
            self.ids.remove(&set.labels);
            for engine in set.engines {
                self.uncarry(engine, id);
            }
            self.free.push(id);
        }
    }

    /// A task entered the queue for whoever carries it. Says whether an engine that is here does.
    pub(super) fn queued(&mut self, id: Selector) -> bool {
        self.change(id, |set| set.queued += 1);
        self.sets.get(&id).is_some_and(|set| !set.engines.is_empty())
    }

    /// A task left that queue.
    pub(super) fn left(&mut self, id: Selector) {
        self.change(id, |set| set.queued -= 1);
    }

    /// An engine came. Says whether tasks were queued that no other could run.
    pub(super) fn attached(&mut self, info: &EngineInfo) -> bool {
        let (unserved, first) = (self.unserved, !self.begun);
        self.begun = true;
        let mut carried = BTreeSet::new();
        let ids: Vec<Selector> = self.sets.keys().copied().collect();
        for id in ids {
            let Some(matches) = self.sets.get(&id).map(|set| carries(info, &set.labels)) else { continue };
            if matches && !forgets(Mutant::LaterEngineUnmatched) {
                carried.insert(id);
                self.change(id, |set| {
                    set.engines.insert(info.id);
                    set.may_come = true;
                });
            } else if first {
                self.change(id, |set| set.may_come = false);
            }
        }
        if !carried.is_empty() {
            self.carried.insert(info.id, carried);
        }
        if is_reserved(info) {
            self.reserved.insert(info.id);
        }
        self.unserved < unserved
    }

    /// An engine is gone.
    pub(super) fn lost(&mut self, info: &Arc<EngineInfo>) {
        self.reserved.remove(&info.id);
        for id in self.carried.remove(&info.id).unwrap_or_default() {
            self.change(id, |set| {
                set.engines.remove(&info.id);
            });
        }
        self.gone.retain(|known| known.labels != info.labels);
        self.gone.truncate(GONE - 1);
        self.gone.push_front(Arc::clone(info));
    }

    /// The sets of labels that an engine carries.
    pub(super) fn of(&self, engine: EngineId) -> &BTreeSet<Selector> {
        self.carried.get(&engine).unwrap_or(&NONE)
    }

    /// The engine carries the labels, and where none are asked for, runs what any may run.
    pub(super) fn admits(&self, engine: EngineId, asked: Option<Selector>) -> bool {
        match asked {
            None => !self.reserved.contains(&engine),
            Some(id) => self.sets.get(&id).is_some_and(|set| set.engines.contains(&engine)),
        }
    }

    /// Queued tasks whose labels no engine here carries.
    pub(super) fn unserved(&self) -> u64 {
        self.unserved
    }

    /// Those of them whose labels no engine has carried yet: more engines of the kinds that there are do not help them.
    pub(super) fn hopeless(&self) -> u64 {
        self.hopeless
    }

    fn uncarry(&mut self, engine: EngineId, id: Selector) {
        if let Some(carried) = self.carried.get_mut(&engine) {
            carried.remove(&id);
            if carried.is_empty() {
                self.carried.remove(&engine);
            }
        }
    }

    fn change(&mut self, id: Selector, change: impl FnOnce(&mut Set)) {
        let Some(set) = self.sets.get_mut(&id) else { return };
        self.unserved -= set.unserved();
        self.hopeless -= set.hopeless();
        change(set);
        self.unserved += set.unserved();
        self.hopeless += set.hopeless();
    }

    /// Checks what is counted and matched here: `tasks` and `queued` are what tasks say, by set.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn check<'a>(
        &self,
        tasks: &BTreeMap<Selector, (u64, u64)>,
        engines: impl Iterator<Item = &'a Arc<EngineInfo>> + Clone,
    ) -> Result<(), String> {
        let counted: BTreeMap<Selector, (u64, u64)> =
            self.sets.iter().map(|(id, set)| (*id, (set.tasks, set.queued))).collect();
        if counted != *tasks {
            return Err(format!("labels are asked for by {tasks:?}, counted {counted:?}"));
        }
        for (id, set) in &self.sets {
            let carriers: BTreeSet<EngineId> =
                engines.clone().filter(|info| carries(info, &set.labels)).map(|info| info.id).collect();
            let listed = carriers.iter().all(|engine| self.of(*engine).contains(id));
            if carriers != set.engines || !listed {
                return Err(format!("{:?} is carried by {carriers:?}, not {:?}", set.labels, set.engines));
            }
        }
        let sums = self.sets.values().fold((0, 0), |(a, b), set| (a + set.unserved(), b + set.hopeless()));
        let carried: usize = self.carried.values().map(BTreeSet::len).sum();
        if sums != (self.unserved, self.hopeless) || carried != self.sets.values().map(|set| set.engines.len()).sum() {
            return Err(format!("labels add up to {sums:?}, not {:?}", (self.unserved, self.hopeless)));
        }
        Ok(())
    }
}

fn carries(info: &EngineInfo, labels: &Labels) -> bool {
    if forgets(Mutant::LabelsUnchecked) {
        return true;
    }
    let carried = labels.iter().all(|label| info.labels.binary_search(label).is_ok());
    carried && (!is_reserved(info) || value_of(labels, RUNTIME).is_some())
}

/// It runs something else than Python, and so only what asks for that: it would fail whatever else it were given, at once,
/// and so be given all of it.
fn is_reserved(info: &EngineInfo) -> bool {
    !forgets(Mutant::RuntimeUnchecked) && value_of(&info.labels, RUNTIME).is_some_and(|runtime| runtime != PYTHON)
}

fn value_of<'a>(labels: &'a Labels, key: &[u8]) -> Option<&'a [u8]> {
    let found = labels.binary_search_by(|(known, _)| known[..].cmp(key)).ok()?;
    labels.get(found).map(|(_, value)| &value[..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Incarnation;

    fn labels(text: &'static str) -> Vec<(Bytes, Bytes)> {
        let pairs = text.split_whitespace().map(|label| label.split_once('=').unwrap());
        pairs.map(|(key, value)| (Bytes::from_static(key.as_bytes()), Bytes::from_static(value.as_bytes()))).collect()
    }

    fn engine(id: u32, text: &'static str) -> Arc<EngineInfo> {
        let incarnation = Incarnation(u128::from(id) + 1);
        Arc::new(EngineInfo { id: EngineId(id), incarnation, peer: Bytes::new(), labels: labels(text) })
    }

    #[test]
    fn an_engine_carries_a_set_if_it_has_each_label_with_its_value() {
        let mut selectors = Selectors::default();
        let engines = [engine(0, "a=1 b=2"), engine(1, "a=1"), engine(2, "a=2 b=2")];
        assert_eq!(selectors.hold(&[], 1, engines.iter()), None);
        let both = selectors.hold(&labels("a=1 b=2"), 3, engines.iter()).unwrap();
        assert_eq!(selectors.hold(&labels("a=1 b=2"), 1, engines.iter()), Some(both), "matched once");
        let admits = |selectors: &Selectors| [0, 1, 2].map(|id| selectors.admits(EngineId(id), Some(both)));
        assert_eq!(admits(&selectors), [true, false, false]);
        assert!(selectors.admits(EngineId(1), None));
        selectors.attached(&engine(3, "a=1 b=2 c=3"));
        assert!(selectors.admits(EngineId(3), Some(both)));
        selectors.lost(&engines[0]);
        assert_eq!(admits(&selectors), [false; 3]);
        (0..4).for_each(|_| selectors.release(both));
        assert!(selectors.sets.is_empty() && selectors.ids.is_empty() && selectors.carried.is_empty());
    }

    #[test]
    fn an_engine_that_runs_no_python_is_for_what_asks_for_it() {
        let mut selectors = Selectors::default();
        let engines = [engine(0, "runtime=python zone=a"), engine(1, "runtime=native zone=a"), engine(2, "zone=a")];
        engines.iter().for_each(|info| _ = selectors.attached(info));
        let admitted = |selectors: &Selectors, asked| [0, 1, 2].map(|id| selectors.admits(EngineId(id), asked));
        assert_eq!(admitted(&selectors, None), [true, false, true]);
        let zone = selectors.hold(&labels("zone=a"), 1, engines.iter());
        assert_eq!(admitted(&selectors, zone), [true, false, true]);
        let native = selectors.hold(&labels("runtime=native zone=a"), 1, engines.iter());
        assert_eq!(admitted(&selectors, native), [false, true, false]);
        selectors.lost(&engines[1]);
        assert!(selectors.reserved.is_empty());
    }

    #[test]
    fn what_no_engine_ever_carried_is_without_hope_and_what_one_did_is_not() {
        let mut selectors = Selectors::default();
        let native = selectors.hold(&labels("runtime=native"), 2, [].into_iter()).unwrap();
        assert!(!selectors.queued(native));
        assert_eq!((selectors.unserved(), selectors.hopeless()), (1, 0), "there has been no engine yet");
        assert!(!selectors.attached(&engine(0, "runtime=python")));
        assert_eq!((selectors.unserved(), selectors.hopeless()), (1, 1));
        assert!(selectors.attached(&engine(1, "runtime=native")));
        assert_eq!((selectors.unserved(), selectors.hopeless()), (0, 0));
        selectors.lost(&engine(1, "runtime=native"));
        assert_eq!((selectors.unserved(), selectors.hopeless()), (1, 0), "such an engine may come again");
        selectors.left(native);
        (0..2).for_each(|_| selectors.release(native));
        let again = selectors.hold(&labels("runtime=native"), 1, [].into_iter()).unwrap();
        selectors.queued(again);
        assert_eq!((again, selectors.hopeless()), (native, 0), "the number is given again, the kind is remembered");
    }

    #[test]
    fn only_so_many_kinds_are_remembered() {
        let mut selectors = Selectors::default();
        let info = |id: u32| {
            let label = (Bytes::from_static(b"host"), Bytes::from(id.to_string()));
            Arc::new(EngineInfo { labels: vec![label], ..(*engine(id, "")).clone() })
        };
        for id in 0..1000 {
            selectors.attached(&info(id));
            selectors.lost(&info(id));
        }
        assert_eq!((selectors.gone.len(), selectors.carried.len()), (GONE, 0));
    }
}
