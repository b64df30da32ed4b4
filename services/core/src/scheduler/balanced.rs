//! Queues of balanced work: by priority, and within one priority by session, served by deficit round robin
//! (Shreedhar and Varghese, "Efficient fair queuing using deficit round-robin", 1995) where a task costs the time it is
//! expected to take. A session that submits a million tasks delays another's ten by one turn.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use super::{indexes::Indexes, labels::Selector};
use crate::id::{EngineId, SessionId};

/// What a session may use up in its turn.
const QUANTUM: u64 = 5_000_000;
/// The most that one task counts, so that a long task costs its session some turns and not the day.
const MOST: u64 = 4 * QUANTUM;

/// All balanced tasks in the state `Queued`.
#[derive(Debug, Default)]
pub(super) struct Balanced {
    levels: BTreeMap<Reverse<i32>, Level>,
    waiting: u64,
    /// Of these, those that only certain engines may run.
    restricted: u64,
}

#[derive(Debug, Default)]
struct Level {
    turns: VecDeque<SessionId>,
    queues: BTreeMap<SessionId, Queue>,
}

/// One session's tasks of one priority. Entries of tasks that have left the queue another way (cancelled, or taken from
/// another engine's list) stay until they come up.
#[derive(Debug, Default)]
struct Queue {
    deficit: u64,
    in_turn: bool,
    any: VecDeque<u64>,
    /// By the labels that an engine has to carry. A task may wait here for ever, so one that leaves is taken out at once.
    carriers: BTreeMap<Selector, Indexes>,
    only: BTreeMap<EngineId, VecDeque<u64>>,
}

/// Where a task is put.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lists<'a> {
    /// Any engine may take it.
    Any,
    /// Any that carries these labels.
    Carriers(Selector),
    /// These.
    Only(&'a [EngineId]),
}

/// Who asks for a task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taker<'a> {
    pub(super) engine: EngineId,
    /// It runs what any may run.
    pub(super) any: bool,
    /// The sets of labels that it carries.
    pub(super) carried: &'a BTreeSet<Selector>,
}

/// Which of a queue's lists has a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum List {
    Any,
    Carriers(Selector),
    Only,
}

/// What the queues have for an engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Offer {
    /// This task, taken out of its queue.
    Task(SessionId, u64),
    /// There is work for it, but the next in turn does not fit.
    DoesNotFit,
    /// No work that it may do.
    Nothing,
}

/// What the queues know of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Size {
    /// How long it is expected to take, if measured.
    pub(super) expected: Option<Duration>,
    /// Bytes of its arguments.
    pub(super) bytes: u64,
}

/// What the queues ask about an entry: `None` if its task is not queued any more or may not run there.
pub(super) type Lookup<'a> = dyn Fn(SessionId, u64, EngineId) -> Option<Size> + 'a;

impl Balanced {
    /// Puts a task at the back of its session's queue, or at the front if it was there before.
    pub(super) fn push(&mut self, priority: i32, session: SessionId, index: u64, lists: Lists<'_>, front: bool) {
        let queue = self.queue(priority, session);
        let put = |list: &mut VecDeque<u64>| if front { list.push_front(index) } else { list.push_back(index) };
        match lists {
            Lists::Any => put(&mut queue.any),
            Lists::Carriers(selector) => {
                queue.carriers.entry(selector).or_default().insert(index);
            }
            Lists::Only(engines) => engines.iter().for_each(|engine| put(queue.only.entry(*engine).or_default())),
        }
        self.waiting += 1;
        self.restricted += u64::from(matches!(lists, Lists::Only(_)));
    }

    /// An engine came that a task in the queue may run on.
    pub(super) fn also(&mut self, priority: i32, session: SessionId, index: u64, engine: EngineId) {
        let list = self.queue(priority, session).only.entry(engine).or_default();
        if !list.contains(&index) {
            list.push_back(index);
        }
    }

    fn queue(&mut self, priority: i32, session: SessionId) -> &mut Queue {
        let level = self.levels.entry(Reverse(priority)).or_default();
        level.queues.entry(session).or_insert_with(|| {
            level.turns.push_back(session);
            Queue::default()
        })
    }

    /// A task that waits for whoever carries these labels left the state `Queued` by another way than `take`.
    pub(super) fn left_carriers(&mut self, priority: i32, session: SessionId, index: u64, selector: Selector) {
        let level = self.levels.get_mut(&Reverse(priority));
        if let Some(queue) = level.and_then(|level| level.queues.get_mut(&session)) {
            queue.pop(List::Carriers(selector), EngineId(0), index);
        }
        self.waiting -= 1;
    }

    /// Tasks that only certain engines may run.
    pub(super) const fn restricted(&self) -> u64 {
        self.restricted
    }

    /// Another left it so.
    pub(super) fn left(&mut self, restricted: bool) {
        self.waiting -= 1;
        self.restricted -= u64::from(restricted);
    }

    /// Tasks in the state `Queued`.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Those of them that any engine may run, or any that carries their labels: also one that is yet to come.
    pub(super) fn waiting_for_any(&self) -> u64 {
        self.waiting - self.restricted
    }

    /// The next task for an engine, if it `fits`.
    pub(super) fn take(&mut self, taker: Taker<'_>, lookup: &Lookup<'_>, fits: &dyn Fn(Size) -> bool) -> Offer {
        let mut offer = Offer::Nothing;
        for level in self.levels.values_mut() {
            offer = level.take(taker, lookup, fits, &mut self.restricted);
            if offer != Offer::Nothing {
                break;
            }
        }
        self.levels.retain(|_, level| !level.queues.is_empty());
        if let Offer::Task(..) = offer {
            self.waiting -= 1;
        }
        offer
    }

    /// The session is gone; its tasks have left already.
    pub(super) fn forget(&mut self, session: SessionId) {
        for level in self.levels.values_mut() {
            if level.queues.remove(&session).is_some() {
                level.turns.retain(|turn| *turn != session);
            }
        }
        self.levels.retain(|_, level| !level.queues.is_empty());
    }
}

impl Level {
    fn take(
        &mut self,
        taker: Taker<'_>,
        lookup: &Lookup<'_>,
        fits: &dyn Fn(Size) -> bool,
        restricted: &mut u64,
    ) -> Offer {
        // Sessions in a row that had nothing for this engine: once all had nothing, there is nothing.
        let mut idle = 0;
        while idle < self.turns.len() {
            let Some(&session) = self.turns.front() else { break };
            let Some(queue) = self.queues.get_mut(&session) else {
                self.turns.pop_front();
                continue;
            };
            let Some((index, list, size)) = queue.peek(session, taker, lookup) else {
                if queue.is_empty() {
                    self.queues.remove(&session);
                    self.turns.pop_front();
                } else {
                    queue.in_turn = false;
                    self.turns.rotate_left(1);
                    idle += 1;
                }
                continue;
            };
            if !fits(size) {
                return Offer::DoesNotFit;
            }
            if !queue.in_turn {
                queue.in_turn = true;
                // Not more than what any task may cost: who had nothing for some engines does not get ahead for long.
                queue.deficit = (queue.deficit + QUANTUM).min(MOST + QUANTUM);
            }
            let cost =
                size.expected.map_or(QUANTUM, |time| u64::try_from(time.as_nanos()).unwrap_or(MOST).clamp(1, MOST));
            if queue.deficit < cost {
                queue.in_turn = false;
                self.turns.rotate_left(1);
                idle = 0;
                continue;
            }
            queue.deficit -= cost;
            queue.pop(list, taker.engine, index);
            *restricted -= u64::from(list == List::Only);
            if queue.is_empty() {
                self.queues.remove(&session);
                self.turns.pop_front();
            }
            return Offer::Task(session, index);
        }
        Offer::Nothing
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.any.is_empty() && self.only.is_empty() && self.carriers.is_empty()
    }

    /// The oldest task for this engine and the list that has it, after dropping entries whose task has left.
    fn peek(&mut self, session: SessionId, taker: Taker<'_>, lookup: &Lookup<'_>) -> Option<(u64, List, Size)> {
        let Taker { engine, any, carried } = taker;
        let head = |list: &mut VecDeque<u64>| {
            while let Some(index) = list.front() {
                if let Some(size) = lookup(session, *index, engine) {
                    return Some((*index, size));
                }
                list.pop_front();
            }
            None
        };
        let any = any.then(|| head(&mut self.any)).flatten().map(|(index, size)| (index, List::Any, size));
        let only = self.only.get_mut(&engine).and_then(head).map(|(index, size)| (index, List::Only, size));
        if only.is_none() {
            self.only.remove(&engine);
        }
        let carriers = self.oldest_carried(carried).and_then(|(index, selector)| {
            let size = lookup(session, index, engine)?;
            Some((index, List::Carriers(selector), size))
        });
        any.into_iter().chain(only).chain(carriers).min_by_key(|(index, ..)| *index)
    }

    /// The oldest task that waits for labels which are all among these. Either may have many sets.
    fn oldest_carried(&self, carried: &BTreeSet<Selector>) -> Option<(u64, Selector)> {
        let oldest = |selector: &Selector| Some((self.carriers.get(selector)?.first()?, *selector));
        if carried.len() < self.carriers.len() {
            carried.iter().filter_map(oldest).min()
        } else {
            self.carriers.keys().filter(|selector| carried.contains(selector)).filter_map(oldest).min()
        }
    }

    /// Takes a task out of the list that has it. It is the first of an engine's own list, or of the one for any.
    fn pop(&mut self, list: List, engine: EngineId, index: u64) {
        match list {
            List::Any => {
                self.any.pop_front();
            }
            List::Carriers(selector) => {
                if let Some(tasks) = self.carriers.get_mut(&selector) {
                    tasks.remove(index);
                    if tasks.is_empty() {
                        self.carriers.remove(&selector);
                    }
                }
            }
            List::Only => {
                if let Some(tasks) = self.only.get_mut(&engine) {
                    tasks.pop_front();
                    if tasks.is_empty() {
                        self.only.remove(&engine);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);
    const E: EngineId = EngineId(0);

    static NOTHING: BTreeSet<Selector> = BTreeSet::new();

    fn anything(engine: EngineId) -> Taker<'static> {
        Taker { engine, any: true, carried: &NOTHING }
    }

    fn drain(queues: &mut Balanced, engine: EngineId, expected: Option<Duration>) -> Vec<(SessionId, u64)> {
        let lookup = move |_: SessionId, _: u64, _: EngineId| Some(Size { expected, bytes: 0 });
        std::iter::from_fn(|| match queues.take(anything(engine), &lookup, &|_| true) {
            Offer::Task(session, index) => Some((session, index)),
            Offer::DoesNotFit | Offer::Nothing => None,
        })
        .collect()
    }

    #[test]
    fn sessions_take_turns_and_priorities_go_first() {
        let mut queues = Balanced::default();
        (0..3).for_each(|index| queues.push(0, A, index, Lists::Any, false));
        (0..2).for_each(|index| queues.push(0, B, index, Lists::Any, false));
        queues.push(7, B, 9, Lists::Any, false);
        assert_eq!(queues.waiting(), 6);
        assert_eq!(drain(&mut queues, E, None), [(B, 9), (A, 0), (B, 0), (A, 1), (B, 1), (A, 2)]);
        assert_eq!(queues.waiting(), 0);
    }

    #[test]
    fn a_turn_is_worth_time_not_tasks() {
        let mut queues = Balanced::default();
        for index in 0..4 {
            queues.push(0, A, index, Lists::Any, false);
            queues.push(0, B, index, Lists::Any, false);
        }
        // A's tasks take a quantum each, B's half of one.
        let lookup = |session: SessionId, _: u64, _: EngineId| {
            let expected = Some(Duration::from_nanos(if session == A { QUANTUM } else { QUANTUM / 2 }));
            Some(Size { expected, bytes: 0 })
        };
        let mut order = Vec::new();
        while let Offer::Task(session, _) = queues.take(anything(E), &lookup, &|_| true) {
            order.push(session);
        }
        assert_eq!(order, [A, B, B, A, B, B, A, A]);
    }

    #[test]
    fn restricted_tasks_wait_for_their_engines_and_block_nobody() {
        let mut queues = Balanced::default();
        queues.push(0, A, 0, Lists::Only(&[EngineId(1), EngineId(2)]), false);
        queues.push(0, A, 1, Lists::Any, false);
        assert_eq!((queues.waiting(), queues.waiting_for_any()), (2, 1));
        assert_eq!(drain(&mut queues, E, None), [(A, 1)]);
        assert_eq!((queues.waiting(), queues.waiting_for_any()), (1, 0));
        assert_eq!(drain(&mut queues, EngineId(2), None), [(A, 0)]);
        // Its entry in engine 1's list is stale now, and goes when it comes up.
        let gone = |_: SessionId, _: u64, _: EngineId| None;
        assert_eq!(queues.take(anything(EngineId(1)), &gone, &|_| true), Offer::Nothing);
        assert!(queues.levels.is_empty());
    }

    #[test]
    fn what_any_may_run_is_kept_from_who_runs_only_what_asks_for_it() {
        let mut queues = Balanced::default();
        queues.push(0, A, 0, Lists::Any, false);
        queues.push(0, B, 0, Lists::Only(&[E]), false);
        let lookup = |_: SessionId, _: u64, _: EngineId| Some(Size::default());
        let mut taken = || queues.take(Taker { any: false, ..anything(E) }, &lookup, &|_| true);
        assert_eq!([taken(), taken()], [Offer::Task(B, 0), Offer::Nothing]);
        assert_eq!(drain(&mut queues, E, None), [(A, 0)]);
    }

    #[test]
    fn what_does_not_fit_stays() {
        let mut queues = Balanced::default();
        queues.push(0, A, 0, Lists::Any, false);
        let lookup = |_: SessionId, _: u64, _: EngineId| Some(Size::default());
        assert_eq!(queues.take(anything(E), &lookup, &|_| false), Offer::DoesNotFit);
        assert_eq!(queues.take(anything(E), &lookup, &|_| true), Offer::Task(A, 0));
    }
}
