//! What one scheduler process was told: what it knows to have started, and whom it has to wait for.

use std::collections::{BTreeMap, BTreeSet};

use paraply_core::{
    engine_link::{self, HeldState},
    id::{AttemptId, ConnectionId, EngineId, Epoch, Incarnation, SessionId, TaskId},
    scheduler::Stimulus,
    session_link,
    time::Time,
};

use super::Oracle;
use crate::setting::LEASE;

/// One scheduler process.
#[derive(Debug)]
pub struct EpochFacts {
    pub(super) epoch: Epoch,
    pub(super) since: Time,
    /// Attempts that it was told have started, or that it counted as claimed when it sent them.
    pub(super) started: BTreeMap<TaskId, BTreeSet<u32>>,
    /// Attempts that engines have, as far as it was told: they were sent, and are not over.
    out: BTreeMap<TaskId, (u32, EngineId)>,
    /// Tasks that were cancelled while an engine had them: they are not sent out again.
    pub(super) unwanted: BTreeSet<TaskId>,
    /// Tasks that an engine had when it attached, and kept.
    pub(super) held: BTreeSet<TaskId>,
    /// Indexes below come from an earlier epoch.
    pub(super) old_below: BTreeMap<SessionId, u64>,
    /// Engines that lived before this scheduler did, and live.
    older: BTreeSet<EngineId>,
    /// The engines to wait for, once the controller has said which.
    pub(super) members: Option<BTreeSet<EngineId>>,
    /// Engines that have attached in this epoch, and when they did last.
    pub(super) seen: BTreeMap<EngineId, Time>,
    /// What engines that came back were told to drop: these tries were lost before.
    pub(super) dropped: BTreeSet<(EngineId, AttemptId)>,
    /// Who was the first to be welcomed under an id.
    pub(super) holders: BTreeMap<EngineId, Incarnation>,
    /// Streams of engines that are attached.
    pub(super) links: BTreeMap<ConnectionId, EngineId>,
    /// Streams of sessions.
    pub(super) sessions: BTreeMap<ConnectionId, SessionId>,
    /// The latest stream of each session.
    latest: BTreeMap<SessionId, u64>,
    /// The event that is due next on a session's stream.
    pub(super) next_event: BTreeMap<SessionId, u64>,
    /// Each session's accepted calls, with the batch that says so.
    pub(super) accepted: BTreeMap<SessionId, Vec<(u64, u64)>>,
    /// Outcomes, with the batch that says so.
    pub(super) finished: BTreeMap<TaskId, Finished>,
    pub(super) persisted: u64,
    /// What engines that attach say they hold, until they are welcomed.
    hellos: BTreeMap<ConnectionId, engine_link::Hello>,
}

/// An outcome that was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finished {
    pub(super) attempt: AttemptId,
    pub(super) batch: u64,
    pub(super) at: Time,
    /// It failed with an engine that was attached again by then: an earlier try was lost with it.
    pub(super) engine_is_back: bool,
}

impl EpochFacts {
    pub(super) fn new(since: Time, epoch: Epoch) -> Self {
        Self {
            epoch,
            since,
            started: BTreeMap::new(),
            out: BTreeMap::new(),
            unwanted: BTreeSet::new(),
            held: BTreeSet::new(),
            old_below: BTreeMap::new(),
            older: BTreeSet::new(),
            members: None,
            seen: BTreeMap::new(),
            dropped: BTreeSet::new(),
            holders: BTreeMap::new(),
            links: BTreeMap::new(),
            sessions: BTreeMap::new(),
            latest: BTreeMap::new(),
            next_event: BTreeMap::new(),
            accepted: BTreeMap::new(),
            finished: BTreeMap::new(),
            persisted: 0,
            hellos: BTreeMap::new(),
        }
    }

    pub(super) fn knows_start(&mut self, attempt: AttemptId) {
        self.started.entry(attempt.task).or_default().insert(attempt.attempt);
    }

    /// An engine was sent an attempt.
    pub(super) fn sent(&mut self, attempt: AttemptId, engine: EngineId) {
        self.out.insert(attempt.task, (attempt.attempt, engine));
    }

    /// An engine's stream is over, and with it what was sent there.
    pub(super) fn lost(&mut self, connection: ConnectionId) {
        if let Some(engine) = self.links.remove(&connection) {
            self.out.retain(|_, (_, holder)| *holder != engine);
        }
        // It broke before the welcome was on it: the scheduler was told what the engine had all the same.
        if let Some(hello) = self.hellos.remove(&connection) {
            self.held.extend(hello.held.iter().map(|held| held.attempt.task));
        }
    }

    /// An engine is attached and was told what of its tasks it may keep.
    pub(super) fn welcomed(&mut self, connection: ConnectionId, dropped: &[AttemptId]) -> Option<engine_link::Hello> {
        let hello = self.hellos.remove(&connection)?;
        self.links.insert(connection, hello.info.id);
        for held in hello.held.iter().filter(|held| !dropped.contains(&held.attempt)) {
            self.sent(held.attempt, hello.info.id);
            self.held.insert(held.attempt.task);
            if held.state != HeldState::Queued {
                self.knows_start(held.attempt);
            }
        }
        Some(hello)
    }

    fn session_says(&mut self, session: SessionId, message: &session_link::ToScheduler) {
        match message {
            session_link::ToScheduler::Replay { claims, .. } => {
                for claim in claims {
                    let task = TaskId { session, index: claim.index };
                    self.knows_start(AttemptId { task, attempt: claim.attempt });
                }
            }
            session_link::ToScheduler::Cancel { indexes, .. } => {
                let tasks = indexes.iter().map(|index| TaskId { session, index: *index });
                self.unwanted.extend(tasks.filter(|task| self.out.contains_key(task)));
            }
            _ => {}
        }
    }

    fn engine_says(
        &mut self,
        engine: EngineId,
        message: &engine_link::ToScheduler,
        was_sent: impl Fn(AttemptId) -> bool,
    ) {
        if let engine_link::ToScheduler::Reports(reports) = message {
            let back = reports.retracted.iter().filter(|(_, back)| *back).map(|(attempt, _)| attempt);
            for attempt in reports.finished.iter().map(|(attempt, _)| attempt).chain(back) {
                if self.out.get(&attempt.task) == Some(&(attempt.attempt, engine)) {
                    self.out.remove(&attempt.task);
                }
            }
            let ran = reports.finished.iter().filter(|(_, outcome)| outcome.started_unix_nanos > 0);
            let ran = ran.map(|(attempt, _)| *attempt);
            let started: Vec<_> = reports.claimed.iter().copied().chain(ran).collect();
            // Of what it was never sent, an engine knows nothing.
            started.into_iter().filter(|attempt| was_sent(*attempt)).for_each(|attempt| self.knows_start(attempt));
        }
    }
}

impl Oracle {
    /// These engines are older than the scheduler: they may hold tasks, whatever the controller knows of them, if an
    /// earlier one has welcomed them and they have not been silent for a lease.
    pub fn engines_from_before(&mut self, now: Time, engines: &BTreeSet<EngineId>) {
        let silent = |id: &EngineId| self.heard.get(id).is_none_or(|heard| now.since(*heard) >= LEASE);
        if let Some(facts) = &mut self.epoch {
            facts.older = (engines & &self.welcomed).into_iter().filter(|id| !silent(id)).collect();
        }
    }

    /// The scheduler is told something.
    pub fn scheduler_hears(&mut self, stimulus: &Stimulus) {
        let Some(facts) = &mut self.epoch else { return };
        match stimulus {
            // A hello that is older than another is not taken.
            Stimulus::SessionOpened { hello, .. } if facts.latest.get(&hello.session) > Some(&hello.stream) => {}
            Stimulus::SessionOpened { connection, hello } => {
                facts.latest.insert(hello.session, hello.stream);
                facts.sessions.insert(*connection, hello.session);
                let ours = hello.resume.filter(|resume| resume.epoch == facts.epoch);
                facts.next_event.insert(hello.session, ours.map_or(1, |resume| resume.sequence + 1));
                if let Some(resume) = hello.resume.filter(|resume| resume.epoch != facts.epoch) {
                    facts.old_below.insert(hello.session, resume.next_index);
                }
            }
            Stimulus::SessionMessage { connection, message } => {
                if let Some(session) = facts.sessions.get(connection).copied() {
                    facts.session_says(session, message);
                }
            }
            Stimulus::EngineOpened { connection, hello } => {
                facts.hellos.insert(*connection, hello.clone());
            }
            Stimulus::EngineMessage { connection, message } => {
                if let Some(engine) = facts.links.get(connection).copied() {
                    facts.engine_says(engine, message, |attempt| self.order.epoch_of(attempt, engine).is_some());
                }
            }
            Stimulus::Broken { connection } => {
                facts.lost(*connection);
                facts.sessions.remove(connection);
            }
            Stimulus::MembersKnown { engines } => {
                let named = engines.iter().map(|(id, _)| *id);
                facts.members.get_or_insert(named.chain(facts.older.iter().copied()).collect());
            }
            Stimulus::MemberRemoved { engine } => {
                if let Some(members) = &mut facts.members {
                    members.remove(engine);
                }
            }
            Stimulus::Persisted { up_to } => facts.persisted = *up_to,
            _ => {}
        }
    }
}
