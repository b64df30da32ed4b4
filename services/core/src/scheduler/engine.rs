//! An attached engine as the scheduler holds it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::labels::Selector;
use crate::{
    engine_link::{AssignedCall, Credit, Orders, Welcome},
    hash::HashSet,
    id::{AttemptId, ConnectionId, Digest, TaskId},
    mutant::{Mutant, forgets},
    session_link::EngineInfo,
    time::Time,
};

/// What one task that an engine holds weighs in the choice of where the next one goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) balanced: bool,
    /// The labels that it asks for.
    pub(super) selector: Option<Selector>,
    /// Since when, if it is.
    pub(super) claimed: Option<Time>,
    /// Expected run time, nanoseconds; the whole prefetch where nothing is measured.
    pub(super) cost: u64,
}

/// One engine.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) info: Arc<EngineInfo>,
    pub(super) connection: ConnectionId,
    pub(super) line_free: bool,
    pub(super) last_heard: Time,
    pub(super) last_sent: Time,
    pub(super) heartbeat_due: bool,
    pub(super) welcome: Option<Welcome>,
    /// Due with the next message; `assigned` is kept apart because it is cut into messages.
    pub(super) orders: Orders,
    pub(super) assigned: VecDeque<AssignedCall>,
    /// Tasks that were not sent yet, in order. May name tasks that have left: they are passed over.
    pub(super) direct: VecDeque<TaskId>,
    /// All that it was sent and has not finished.
    pub(super) held: BTreeMap<TaskId, Held>,
    /// What it holds beside: of sessions that have not replayed, or are forgotten.
    pub(super) others: BTreeSet<AttemptId>,
    /// Balanced tasks that it was sent, oldest first, with entries of tasks that have left.
    pub(super) sent_balanced: VecDeque<TaskId>,
    /// Sums over `held`.
    pub(super) held_cost: u64,
    pub(super) held_balanced: usize,
    pub(super) held_balanced_cost: u64,
    /// Of `held`, how many ask for which labels.
    pub(super) held_labelled: BTreeMap<Selector, usize>,
    pub(super) retracting: usize,
    /// Its key in `Scheduler::room`, while it is there.
    pub(super) open_at: Option<u64>,
    pub(super) credit: Credit,
    pub(super) used: Credit,
    /// Functions it was sent on this stream.
    pub(super) functions: HashSet<Digest>,
    /// Functions it said it lacks.
    pub(super) wanted: BTreeSet<Digest>,
    /// Outcomes that it keeps until clients have them.
    pub(super) kept_outcomes: usize,
    pub(super) draining: bool,
    pub(super) completed: u64,
    /// When the last task that it has finished was, by its own clock.
    pub(super) finished_unix_nanos: u64,
}

impl Engine {
    pub(super) fn new(info: Arc<EngineInfo>, connection: ConnectionId, credit: Credit, now: Time) -> Self {
        Self {
            info,
            connection,
            line_free: true,
            last_heard: now,
            last_sent: now,
            heartbeat_due: false,
            welcome: None,
            orders: Orders::default(),
            assigned: VecDeque::new(),
            direct: VecDeque::new(),
            held: BTreeMap::new(),
            others: BTreeSet::new(),
            sent_balanced: VecDeque::new(),
            held_cost: 0,
            held_balanced: 0,
            held_balanced_cost: 0,
            held_labelled: BTreeMap::new(),
            retracting: 0,
            open_at: None,
            credit,
            used: Credit::default(),
            functions: HashSet::default(),
            wanted: BTreeSet::new(),
            kept_outcomes: 0,
            draining: false,
            completed: 0,
            finished_unix_nanos: 0,
        }
    }

    /// It takes a task of this size.
    pub(super) fn has_credit(&self, size: u64) -> bool {
        // A task larger than the whole window still goes to an engine that holds nothing.
        let bytes = self.used.total_bytes + size <= self.credit.total_bytes || self.is_idle();
        let tasks = self.used.total_tasks < self.credit.total_tasks || forgets(Mutant::EngineCreditUnchecked);
        !self.draining && tasks && bytes
    }

    /// It has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.held.is_empty() && self.others.is_empty()
    }

    pub(super) fn hold(&mut self, task: TaskId, held: Held) {
        self.held_cost += held.cost;
        if held.balanced {
            self.held_balanced += 1;
            self.held_balanced_cost += held.cost;
            self.sent_balanced.push_back(task);
        }
        if let Some(selector) = held.selector {
            *self.held_labelled.entry(selector).or_default() += 1;
        }
        self.held.insert(task, held);
    }

    pub(super) fn release(&mut self, task: TaskId) -> Option<Held> {
        let held = self.held.remove(&task)?;
        self.held_cost -= held.cost;
        if let Some(selector) = held.selector
            && let Some(count) = self.held_labelled.get_mut(&selector)
        {
            *count -= 1;
            if *count == 0 {
                self.held_labelled.remove(&selector);
            }
        }
        if held.balanced {
            self.held_balanced -= 1;
            self.held_balanced_cost -= held.cost;
            while self.sent_balanced.front().is_some_and(|task| !self.held.contains_key(task)) {
                self.sent_balanced.pop_front();
            }
        }
        Some(held)
    }

    /// Some of the balanced work that it has may be run by an engine which carries these sets of labels, and runs what any may
    /// run if `any`.
    pub(super) fn may_give_to(&self, any: bool, carried: &BTreeSet<Selector>) -> bool {
        any && self.held_balanced > self.held_labelled.values().sum()
            || self.held_labelled.keys().any(|selector| carried.contains(selector))
    }

    /// Balanced work that it has beyond the task it runs, in nanoseconds: the average stands for that task.
    pub(super) fn prefetched(&self) -> u64 {
        match self.held_balanced as u64 {
            0 => 0,
            n => self.held_balanced_cost - self.held_balanced_cost / n,
        }
    }

    /// Since when it has claimed the oldest task that it has.
    pub(super) fn runs_since(&self) -> Option<Time> {
        self.held.values().filter_map(|held| held.claimed).min()
    }

    /// One more balanced task of this expected time is not too much.
    pub(super) fn fits(held_balanced: usize, prefetched: u64, expected: Option<Duration>, prefetch: Duration) -> bool {
        let prefetch = nanos(prefetch);
        held_balanced == 0 || prefetched + expected.map_or(prefetch, nanos) <= prefetch
    }

    /// Something waits to be written.
    pub(super) fn has_due(&self) -> bool {
        self.welcome.is_some() || self.heartbeat_due || !self.assigned.is_empty() || !self.orders.is_empty()
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
