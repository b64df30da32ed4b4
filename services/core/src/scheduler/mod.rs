//! The scheduler: accepts tasks, places them on engines, keeps outcomes until their clients hold them.
//!
//! [`Scheduler::handle`] takes one stimulus; [`Scheduler::flush`] then places what can be placed and gives every free
//! line its next message, so a shell that handles all waiting stimuli before it flushes gets batches for nothing.
//!
//! Rules that hold after every step (`invariants.rs` checks them):
//! - An accepted task is in exactly one place: waiting, unsure, in a queue, with one engine, or finished as an event.
//! - A report counts only if it comes from the engine that has the task and names the attempt that is on: the fence.
//! - What a session or an engine was sent never exceeds the credit it gave.
//! - A client is told that a task is accepted only after the store has it.

mod api;
mod balanced;
mod blobs;
mod config;
mod engine;
mod explain;
mod finish;
mod flush;
mod functions;
mod indexed;
mod indexes;
mod invariants;
mod keepers;
mod labels;
mod list;
mod loss;
mod on_engine;
mod on_session;
mod outbox;
mod place;
mod ready;
mod recovery;
mod replay;
mod session;
mod submit;
mod task;
mod timers;
mod transfers;
mod transition;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use api::{CloseStatus, EngineStatus, Instruction, Record, SessionStatus, Status, Stimulus};
pub use config::Config;
pub use explain::{Place, TaskReport};
pub use list::RunningTask;
pub use transition::Transition;

use self::{
    balanced::Balanced, blobs::Blobs, engine::Engine, functions::Functions, labels::Selectors, session::Session,
    timers::Timer,
};
use crate::{
    hash::HashMap,
    id::{AttemptId, ConnectionId, EngineId, Epoch, Incarnation, SessionId, TaskId},
    time::Time,
    transitions::Transitions,
};

/// The scheduler machine. See the module's documentation.
#[derive(Debug)]
pub struct Scheduler {
    config: Config,
    epoch: Epoch,
    sessions: BTreeMap<SessionId, Session>,
    engines: BTreeMap<EngineId, Engine>,
    connections: HashMap<ConnectionId, Peer>,
    /// Every engine ever seen: ids are never reused.
    seen: BTreeMap<EngineId, Seen>,
    functions: Functions,
    blobs: Blobs,
    balanced: Balanced,
    selectors: Selectors,
    /// Engines to offer balanced work to, least loaded first. One that an offer did not fit leaves until it changes.
    room: BTreeSet<(u64, EngineId)>,
    recovery: recovery::Recovery,
    timers: BTreeSet<(Time, Timer)>,
    /// Claims to tell clients of when their time comes, in order of time.
    notices: VecDeque<(Time, AttemptId)>,
    dirty_sessions: BTreeSet<SessionId>,
    dirty_engines: BTreeSet<EngineId>,
    records: Vec<Record>,
    /// The last batch given to the store.
    sequence: u64,
    /// Outcomes to acknowledge to engines once their batch is persisted.
    unpersisted_outcomes: VecDeque<(u64, EngineId, AttemptId)>,
    out: Vec<Instruction>,
    completed: u64,
    shutting_down: bool,
    transitions: Transitions<Transition>,
}

/// Which process has an engine id, and the latest stream that it opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen {
    incarnation: Incarnation,
    stream: u64,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Peer {
    Session(SessionId),
    Engine(EngineId),
}

impl Scheduler {
    /// A scheduler that starts now. It waits for engines of an earlier epoch until it knows from `MembersKnown` that
    /// there are none left, or for one lease.
    #[must_use]
    pub fn new(config: Config, epoch: Epoch, now: Time) -> Self {
        let recovery = recovery::Recovery::new(now + config.lease);
        let timers =
            BTreeSet::from([(now + config.lease, Timer::Recovery), (now + config.session_grace, Timer::Orphans)]);
        Self {
            config,
            epoch,
            sessions: BTreeMap::new(),
            engines: BTreeMap::new(),
            connections: HashMap::default(),
            seen: BTreeMap::new(),
            functions: Functions::default(),
            blobs: Blobs::default(),
            balanced: Balanced::default(),
            selectors: Selectors::default(),
            room: BTreeSet::new(),
            recovery,
            timers,
            notices: VecDeque::new(),
            dirty_sessions: BTreeSet::new(),
            dirty_engines: BTreeSet::new(),
            records: Vec::new(),
            sequence: 0,
            unpersisted_outcomes: VecDeque::new(),
            out: Vec::new(),
            completed: 0,
            shutting_down: false,
            transitions: Transitions::default(),
        }
    }

    /// Takes one stimulus in. Nothing it can carry panics.
    pub fn handle(&mut self, now: Time, stimulus: Stimulus) {
        match stimulus {
            Stimulus::SessionOpened { connection, hello } => self.on_session_opened(connection, hello),
            Stimulus::SessionMessage { connection, message } => self.on_session_message(now, connection, message),
            Stimulus::EngineOpened { connection, hello } => self.on_engine_opened(now, connection, hello),
            Stimulus::EngineMessage { connection, message } => self.on_engine_message(now, connection, message),
            Stimulus::LineFree { connection } => self.on_line_free(connection),
            Stimulus::Broken { connection } => self.on_broken(now, connection),
            Stimulus::MembersKnown { engines } => self.on_members_known(&engines),
            Stimulus::MemberRemoved { engine } => self.on_member_removed(engine),
            Stimulus::Persisted { up_to } => self.on_persisted(up_to),
            Stimulus::BlobReady { blob } => self.on_blob_ready(blob),
            Stimulus::BlobGone { blob } => self.on_blob_gone(blob),
            Stimulus::BlobWanted { transfer, blob, session, offset } => {
                self.on_blob_wanted(transfer, blob, session, offset);
            }
            Stimulus::TransferSettled { transfer } => self.blobs.unwant(transfer),
            Stimulus::Tick => self.on_tick(now),
            Stimulus::Shutdown => self.on_shutdown(),
        }
    }

    /// Places what can be placed, and appends everything to do to `out`.
    pub fn flush(&mut self, now: Time, out: &mut Vec<Instruction>) {
        if !self.shutting_down {
            self.place(now);
        }
        self.write_lines(now);
        self.write_records();
        out.append(&mut self.out);
    }

    /// This process's epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How often each transition was taken.
    #[must_use]
    pub fn transitions(&self) -> &Transitions<Transition> {
        &self.transitions
    }

    /// One more than the highest engine id seen: what a new controller must not give out again.
    #[must_use]
    pub fn next_engine_id(&self) -> u32 {
        self.seen.last_key_value().map_or(0, |(engine, _)| engine.0.saturating_add(1))
    }

    /// What it holds.
    #[must_use]
    pub fn status(&self) -> Status {
        let engines = self.engines.values().map(|engine| {
            let claimed = engine.held.values().filter(|held| held.claimed.is_some()).count();
            EngineStatus {
                info: engine.info.clone(),
                queued: engine.direct.len() + engine.held.len() - claimed,
                claimed,
                completed: engine.completed,
                draining: engine.draining,
            }
        });
        let sessions = self.sessions.iter().map(|(id, session)| SessionStatus {
            id: *id,
            label: session.label.clone(),
            connected: session.connection.is_some(),
            outstanding: session.tasks.len() as u64,
            held_bytes: session.held_bytes(),
        });
        Status {
            epoch: self.epoch,
            recovering: self.recovery.is_on(),
            engines: engines.collect(),
            unassigned: self.balanced.waiting(),
            waiting_for_any: self.waiting_for_any(),
            held_bytes: self.functions.bytes() + self.sessions.values().map(Session::held_bytes).sum::<u64>(),
            sessions: sessions.collect(),
            blobs: self.blobs.len(),
            completed: self.completed,
        }
    }

    /// Tasks wait that more engines would help, and there is none to run them.
    #[must_use]
    pub fn is_starved(&self) -> bool {
        self.waiting_for_any() > 0 && self.engines.values().all(|engine| engine.draining)
    }

    /// Tasks in balanced queues that another engine of a kind that has been here may run.
    fn waiting_for_any(&self) -> u64 {
        self.balanced.waiting_for_any() - self.selectors.hopeless()
    }

    /// Those that an engine which is here may run.
    fn placeable(&self) -> u64 {
        self.balanced.waiting() - self.selectors.unserved()
    }

    /// The task may run on this engine, which is here.
    fn may_run(&self, task: &task::Task, engine: EngineId) -> bool {
        task.may_run_on(engine) && self.selectors.admits(engine, task.selector)
    }

    /// Wall clock at a time.
    fn unix_nanos(&self, time: Time) -> u64 {
        self.config.unix_origin.saturating_add(time.0)
    }

    fn task(&self, id: TaskId) -> Option<&task::Task> {
        self.sessions.get(&id.session)?.tasks.get(id.index).map(|task| &**task)
    }

    fn task_mut(&mut self, id: TaskId) -> Option<&mut task::Task> {
        self.sessions.get_mut(&id.session)?.tasks.get_mut(id.index).map(|task| &mut **task)
    }
}
