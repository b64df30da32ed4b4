//! What has to be true, whatever happens: kept apart from the machines, and compared with them at every step.

mod credit;
mod emitted;
mod epoch;
mod facts;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use paraply_core::{
    id::{EngineId, Epoch, Incarnation, SessionId, TaskId},
    time::Time,
};

pub use self::facts::{SessionFacts, TaskFacts};
use self::{credit::LinkCredit, epoch::EpochFacts, order::Order};
use crate::setting::Setting;

/// Something that is not true.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The task it is about.
    pub task: Option<TaskId>,
    /// What.
    pub what: String,
}

impl Violation {
    /// About a task.
    pub fn of(task: TaskId, what: impl Into<String>) -> Self {
        Self { task: Some(task), what: what.into() }
    }

    /// About no task.
    pub fn general(what: impl Into<String>) -> Self {
        Self { task: None, what: what.into() }
    }
}

/// All that is known.
#[derive(Debug)]
pub struct Oracle {
    /// Sessions that were ever opened.
    pub sessions: BTreeMap<SessionId, SessionFacts>,
    /// Ids that engines were given.
    ids: BTreeMap<EngineId, Incarnation>,
    /// Engines that a scheduler has welcomed.
    welcomed: BTreeSet<EngineId>,
    /// When a controller heard from an engine last.
    heard: BTreeMap<EngineId, Time>,
    /// What the living scheduler knows and said.
    epoch: Option<EpochFacts>,
    credit: LinkCredit,
    order: Order,
    durable: bool,
    ids_persist: bool,
}

impl Oracle {
    /// Nothing happened yet.
    #[must_use]
    pub fn new(setting: &Setting) -> Self {
        Self {
            sessions: BTreeMap::new(),
            ids: BTreeMap::new(),
            welcomed: BTreeSet::new(),
            heard: BTreeMap::new(),
            epoch: None,
            credit: LinkCredit::default(),
            order: Order::default(),
            durable: setting.scheduler.durable,
            ids_persist: setting.ids_persist,
        }
    }

    /// An engine was given an id. No two processes get the same, unless the scheduler never welcomed the first and the
    /// controller has lost its disk.
    ///
    /// # Errors
    /// Another process has it.
    pub fn id_given(&mut self, id: EngineId, incarnation: Incarnation) -> Result<(), Violation> {
        let holder = self.epoch.as_ref().and_then(|facts| facts.holders.get(&id).copied());
        match self.ids.insert(id, incarnation) {
            Some(before) if before != incarnation && (self.ids_persist || holder == Some(before)) => {
                Err(Violation::general(format!("engine id {id} was given to {before:?} and to {incarnation:?}")))
            }
            _ => Ok(()),
        }
    }

    /// A controller hears from an engine.
    pub fn engine_heard(&mut self, now: Time, id: EngineId) {
        self.heard.insert(id, now);
    }

    /// A scheduler starts.
    pub fn scheduler_started(&mut self, now: Time, epoch: Epoch) {
        self.epoch = Some(EpochFacts::new(now, epoch));
    }

    /// The scheduler is gone, and all that only it knew.
    pub fn scheduler_died(&mut self) {
        self.epoch = None;
    }

    /// What is known of a task.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&TaskFacts> {
        self.sessions.get(&id.session)?.tasks.get(&id.index)
    }
}
