//! After a restart: engines of the earlier epoch come back with what they hold, clients replay what they miss, and a
//! replayed task that an engine may still hold waits until that is known.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{Scheduler, Transition, engine::Held as Weight, session::Session, task::State, timers::Timer};
use crate::{
    engine_link::{Held, HeldState},
    id::{AttemptId, EngineId, Incarnation, SessionId, TaskId},
    mutant::{Mutant, forgets},
    outcome::Outcome,
    session_link::CancelMode,
    time::Time,
};

/// What an engine holds for a session that has not replayed yet.
#[derive(Debug)]
pub(super) struct Orphan {
    pub(super) engine: EngineId,
    pub(super) held: Held,
    pub(super) outcome: Option<Arc<Outcome>>,
}

/// Nobody waits for what an engine holds.
#[derive(Debug)]
pub(super) struct NotKept;

/// What is known of the earlier epoch.
#[derive(Debug)]
pub(super) struct Recovery {
    /// `None` once recovery is over.
    deadline: Option<Time>,
    /// The engines that may come back; `None` while nobody has said which there are.
    expected: Option<BTreeSet<EngineId>>,
    /// Direct tasks for engines that may come back.
    absent: BTreeMap<EngineId, VecDeque<TaskId>>,
    pub(super) orphans: BTreeMap<TaskId, Orphan>,
    /// Sessions of an earlier epoch may still come back.
    sessions_may_come_back: bool,
    /// Tasks in `State::Unsure`, with entries of tasks that have left.
    pub(super) unsure: BTreeSet<TaskId>,
}

impl Recovery {
    pub(super) fn new(deadline: Time) -> Self {
        Self {
            deadline: Some(deadline),
            expected: None,
            absent: BTreeMap::new(),
            orphans: BTreeMap::new(),
            sessions_may_come_back: true,
            unsure: BTreeSet::new(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.deadline.is_some()
    }

    pub(super) fn sessions_may_come_back(&self) -> bool {
        self.sessions_may_come_back
    }

    /// The engine may be one of the earlier epoch that has not come back yet.
    pub(super) fn may_come_back(&self, engine: EngineId) -> bool {
        self.is_on() && self.expected.as_ref().is_none_or(|expected| expected.contains(&engine))
    }

    pub(super) fn wait_for(&mut self, engine: EngineId, task: TaskId) {
        self.absent.entry(engine).or_default().push_back(task);
    }

    /// The engine attached: the direct tasks that waited for it.
    pub(super) fn came_back(&mut self, engine: EngineId) -> VecDeque<TaskId> {
        self.is_gone(engine);
        self.absent.remove(&engine).unwrap_or_default()
    }

    pub(super) fn is_gone(&mut self, engine: EngineId) {
        if let Some(expected) = &mut self.expected {
            expected.remove(&engine);
        }
    }

    /// An engine holds a task that nobody has replayed. Kept unless its session has replayed all it misses, or has had
    /// the time to come back.
    /// Gives what it takes the place of, if anything, or `Err` if it is not kept.
    pub(super) fn keep_orphan(
        &mut self,
        engine: EngineId,
        held: Held,
        session: Option<&Session>,
    ) -> Result<Option<Orphan>, NotKept> {
        let id = held.attempt.task;
        if !session.map_or(self.sessions_may_come_back, |session| session.replaying) {
            return Err(NotKept);
        }
        // Two attempts may be said to be held if one had been given up. One that has started counts for more than one
        // that has not, and then the later.
        let known = self.orphans.get(&id);
        let again = known.is_some_and(|orphan| (orphan.engine, orphan.held.attempt) == (engine, held.attempt));
        let rank = |held: Held, over: bool| (over || held.state != HeldState::Queued, held.attempt.attempt);
        let best = known.map(|orphan| rank(orphan.held, orphan.outcome.is_some()));
        if best.is_some_and(|best| best >= rank(held, false)) && !again {
            return Err(NotKept);
        }
        let earlier = self.orphans.insert(id, Orphan { engine, held, outcome: None });
        Ok(earlier.filter(|_| !again))
    }

    /// The engine starts an orphan.
    pub(super) fn claim_orphan(&mut self, engine: EngineId, attempt: AttemptId) {
        let orphan = self.orphans.get_mut(&attempt.task);
        if let Some(orphan) = orphan.filter(|orphan| orphan.engine == engine && orphan.held.attempt == attempt) {
            orphan.held.state = HeldState::Claimed;
        }
    }

    /// The outcome of an orphan: kept with it.
    pub(super) fn keep_outcome(&mut self, engine: EngineId, attempt: AttemptId, outcome: &Arc<Outcome>) -> bool {
        let orphan = self.orphans.get_mut(&attempt.task);
        let Some(orphan) = orphan.filter(|orphan| orphan.engine == engine && orphan.held.attempt == attempt) else {
            return false;
        };
        orphan.outcome = (!forgets(Mutant::OrphanOutcomeDropped)).then(|| outcome.clone());
        true
    }
}

impl Scheduler {
    pub(super) fn on_members_known(&mut self, engines: &[(EngineId, Incarnation)]) {
        if self.recovery.is_on() && self.recovery.expected.is_none() {
            let absent = engines.iter().map(|(id, _)| *id).filter(|id| !self.seen.contains_key(id));
            self.recovery.expected = Some(absent.collect());
            self.end_recovery_if_all_are_back();
        }
    }

    pub(super) fn end_recovery_if_all_are_back(&mut self) {
        if self.recovery.expected.as_ref().is_some_and(BTreeSet::is_empty) {
            if self.recovery.is_on() {
                self.transitions.took(Transition::RecoveredAll);
            }
            self.end_recovery();
        }
    }

    /// Whoever has not come back is gone.
    pub(super) fn end_recovery(&mut self) {
        if self.recovery.deadline.take().is_none() {
            return;
        }
        self.timers.retain(|(_, timer)| *timer != Timer::Recovery);
        for (engine, tasks) in std::mem::take(&mut self.recovery.absent) {
            for task in tasks {
                if self.task(task).is_some_and(|record| record.state == State::Queued) {
                    self.fail_lost(task, engine);
                }
            }
        }
        self.settle_unsure(None);
        self.give_up_stranded();
        self.answer_wants();
    }

    /// Tasks that waited to learn whether an engine holds them: it does not, or it will not come back.
    pub(super) fn settle_unsure(&mut self, came_back: Option<EngineId>) {
        let unsure: Vec<TaskId> = self.recovery.unsure.iter().copied().collect();
        for id in unsure {
            match self.task(id).map(|task| task.state) {
                Some(State::Unsure(Some(engine))) if came_back.is_none_or(|back| back == engine) => {
                    self.transitions.took(Transition::SettledUnsure);
                    self.recovery.unsure.remove(&id);
                    self.lose_unsure(id, engine);
                }
                Some(State::Unsure(None)) if came_back.is_none() => {
                    self.transitions.took(Transition::SettledUnsure);
                    self.recovery.unsure.remove(&id);
                    self.make_ready(id);
                }
                Some(State::Unsure(_)) => {}
                _ => {
                    self.recovery.unsure.remove(&id);
                }
            }
        }
        self.queue_what_is_ready();
    }

    /// A task was claimed by an engine that does not hold it any more.
    pub(super) fn lose_unsure(&mut self, id: TaskId, engine: EngineId) {
        self.transitions.took(Transition::LostUnsure);
        let Some(task) = self.task_mut(id) else { return };
        if !task.may_retry() {
            return self.fail_lost(id, engine);
        }
        task.failures += 1;
        task.excluded.push(engine);
        self.make_ready(id);
    }

    /// A replayed task is not held by anyone: it queues like a new one, once the caller has placed all it has to.
    fn make_ready(&mut self, id: TaskId) {
        let Some(task) = self.task_mut(id) else { return };
        task.state = State::Waiting;
        let (function, engines) = (task.digest(), task.target.into_iter().collect());
        let blobs = task.arguments.blobs().map(|blob| blob.id).collect();
        let call = super::session::PendingCall { first_index: id.index, tasks: 1, engines, function, blobs };
        if let Some(session) = self.sessions.get_mut(&id.session) {
            session.pending.push_back(call);
        }
    }

    /// A task turns out to be with an engine already.
    pub(super) fn give_to(&mut self, now: Time, id: TaskId, engine: EngineId, attempt: u32, state: HeldState) {
        let cost = self.cost(id);
        let Some(task) = self.task(id) else { return };
        let claimed = state != HeldState::Queued;
        let (balanced, selector) = (!task.is_direct(), task.selector);
        if balanced && task.state == State::Queued {
            self.leave_balanced(id);
        }
        let Some(task) = self.task_mut(id) else { return };
        task.was_on(attempt);
        task.state = if claimed { State::Claimed(engine) } else { State::Assigned(engine) };
        let start_once = task.head.start_once;
        self.recovery.unsure.remove(&id);
        if let Some(holder) = self.engines.get_mut(&engine) {
            holder.others.remove(&AttemptId { task: id, attempt });
            holder.hold(id, Weight { balanced, selector, claimed: claimed.then_some(now), cost });
            if state == HeldState::Claimed && start_once {
                holder.orders.start.push(AttemptId { task: id, attempt });
            }
            self.dirty_engines.insert(engine);
        }
        if claimed {
            self.note_claim(now, engine, AttemptId { task: id, attempt });
        }
    }

    /// Sessions that have not come back within their grace will not: what engines hold for them is dropped.
    pub(super) fn drop_orphans(&mut self) {
        self.recovery.sessions_may_come_back = false;
        let sessions: BTreeSet<SessionId> = self.recovery.orphans.keys().map(|id| id.session).collect();
        let replays = |id: &SessionId| self.sessions.get(id).is_some_and(|session| session.replaying);
        let gone: Vec<SessionId> = sessions.into_iter().filter(|id| !replays(id)).collect();
        gone.into_iter().for_each(|session| self.drop_orphans_of(session));
        self.drop_unnamed_blobs(|scheduler, session| !scheduler.sessions.contains_key(&session));
        self.answer_wants();
    }

    /// The session has replayed all it misses, or ended: what engines hold for it beyond that, nobody waits for.
    pub(super) fn drop_orphans_of(&mut self, session: SessionId) {
        let all = TaskId { session, index: 0 }..=TaskId { session, index: u64::MAX };
        let left: Vec<TaskId> = self.recovery.orphans.range(all).map(|(id, _)| *id).collect();
        for id in left {
            if let Some(orphan) = self.recovery.orphans.remove(&id) {
                self.drop_orphan(&orphan);
            }
        }
    }

    /// Nobody waits for this one.
    pub(super) fn drop_orphan(&mut self, orphan: &Orphan) {
        self.transitions.took(Transition::DroppedOrphan);
        let attempt = orphan.held.attempt;
        if orphan.held.state != HeldState::Finished && orphan.outcome.is_none() {
            self.order_cancel(orphan.engine, attempt.task, attempt.attempt, CancelMode::Abort);
        } else {
            self.ack_outcome(orphan.engine, attempt);
            if let Some(outcome) = &orphan.outcome {
                self.discard_blobs(orphan.engine, attempt.task, outcome);
            }
        }
    }
}
