//! How tasks end: with an outcome that their session gets as an event, or with another try elsewhere.

use std::{sync::Arc, time::Duration};

use super::{
    Record, Scheduler, Transition,
    blobs::Holder,
    task::{State, Takers, Task},
};
use crate::{
    call::CallHead,
    id::{AttemptId, Digest, EngineId, TaskId},
    mutant::{Mutant, forgets},
    outcome::{FailureKind, Outcome},
    session_link::EventKind,
    time::Time,
};

/// A task whose record is gone, or that never had one.
pub(super) struct Ended {
    /// Attempt 0 if it never ran.
    pub(super) attempt: AttemptId,
    pub(super) head: Arc<CallHead>,
    pub(super) accepted: Time,
}

impl Ended {
    fn of(attempt: AttemptId, task: Task) -> Self {
        Self { attempt, head: task.head, accepted: task.accepted }
    }
}

impl Scheduler {
    /// An engine reports the end of a run.
    pub(super) fn on_finished(&mut self, now: Time, engine: EngineId, attempt: AttemptId, outcome: Arc<Outcome>) {
        let id = attempt.task;
        if !self.is_on(engine, attempt) {
            self.transitions.took(Transition::FencedOutcome);
            self.is_rid_of(engine, attempt);
            if self.recovery.keep_outcome(engine, attempt, &outcome) {
                return;
            }
            let kept = self.sessions.get(&id.session).is_some_and(|session| session.outbox.keeps(engine, attempt));
            if !kept {
                self.order_ack(engine, attempt);
                self.discard_blobs(engine, id, &outcome);
            }
            return;
        }
        if self.is_aborted_by_nobody(id, &outcome) {
            self.ack_once_persisted(engine, attempt);
            self.leave_state(id);
            // What became of it there, nobody knows.
            self.lose_unsure(id, engine);
            return self.queue_ready_of(id.session);
        }
        self.transitions.took(Transition::Finished);
        let took = self.occupied(engine, &outcome);
        let retry = matches!(&outcome.value, Err(failure) if failure.kind == FailureKind::Exception)
            && self.task(id).is_some_and(Task::may_retry);
        if retry {
            let digest = self.task(id).and_then(Task::digest);
            self.measure(digest, took);
            self.ack_once_persisted(engine, attempt);
            return self.retry(now, id, engine, outcome);
        }
        self.finish_kept(id, engine, outcome, took);
    }

    /// A scheduler that is gone had it taken off the engine before it started: it had given the task to another.
    fn is_aborted_by_nobody(&self, id: TaskId, outcome: &Outcome) -> bool {
        let aborted = matches!(&outcome.value, Err(failure) if failure.kind == FailureKind::Aborted);
        aborted && self.task(id).is_some_and(|task| !task.cancelled)
    }

    /// The engine holds this attempt, which no session here has.
    pub(super) fn note_other(&mut self, engine: EngineId, attempt: AttemptId) {
        if let Some(engine) = self.engines.get_mut(&engine) {
            engine.others.insert(attempt);
        }
    }

    /// The engine does not hold this attempt any more, which no session here has.
    pub(super) fn is_rid_of(&mut self, engine: EngineId, attempt: AttemptId) {
        if let Some(engine) = self.engines.get_mut(&engine) {
            engine.others.remove(&attempt);
        }
    }

    /// The fence: the task is with this engine, in this attempt.
    pub(super) fn is_on(&self, engine: EngineId, attempt: AttemptId) -> bool {
        let Some(task) = self.task(attempt.task) else { return false };
        forgets(Mutant::FenceUnchecked) || (task.engine() == Some(engine) && task.attempt == attempt.attempt)
    }

    /// How long a run kept its engine from others: since the end of the run before, where they were claimed together. Of a
    /// short task most of that is what is around user code.
    fn occupied(&mut self, engine: EngineId, outcome: &Outcome) -> Option<Duration> {
        let engine = self.engines.get_mut(&engine)?;
        engine.completed += 1;
        let before = std::mem::replace(&mut engine.finished_unix_nanos, outcome.finished_unix_nanos);
        // At least as long as its code ran, whatever the clock did.
        let since = outcome.claimed_unix_nanos.max(before).min(outcome.started_unix_nanos);
        (outcome.started_unix_nanos != 0)
            .then(|| Duration::from_nanos(outcome.finished_unix_nanos.saturating_sub(since)))
    }

    fn measure(&mut self, function: Option<Digest>, took: Option<Duration>) {
        if let (Some(digest), Some(took)) = (function, took) {
            self.functions.measure(digest, took);
        }
    }

    /// The engine keeps the outcome until the client has it, if it does not keep too many.
    fn finish_kept(&mut self, id: TaskId, engine: EngineId, outcome: Arc<Outcome>, took: Option<Duration>) {
        let Some(task) = self.remove_task(id) else { return };
        self.measure(task.digest(), took);
        let attempt = AttemptId { task: id, attempt: task.attempt };
        let crowded =
            self.engines.get(&engine).is_none_or(|engine| engine.kept_outcomes >= self.config.engine_outcomes);
        let keeper = (!self.config.durable && !crowded).then_some((engine, attempt));
        if keeper.is_some() {
            self.transitions.took(Transition::KeptOutcomeAtEngine);
            if let Some(engine) = self.engines.get_mut(&engine) {
                engine.kept_outcomes += 1;
            }
        } else {
            self.ack_once_persisted(engine, attempt);
        }
        self.announce(Ended::of(attempt, *task), Some(engine), outcome, keeper);
    }

    /// Ends a task with an outcome that no engine keeps.
    pub(super) fn finish(&mut self, id: TaskId, engine: Option<EngineId>, outcome: impl Into<Arc<Outcome>>) {
        let Some(task) = self.remove_task(id) else { return };
        let attempt = AttemptId { task: id, attempt: task.attempt };
        self.announce(Ended::of(attempt, *task), engine, outcome, None);
    }

    /// Gives a session the outcome of a task that has no record any more.
    pub(super) fn announce(
        &mut self,
        ended: Ended,
        engine: Option<EngineId>,
        outcome: impl Into<Arc<Outcome>>,
        keeper: Option<(EngineId, AttemptId)>,
    ) {
        let Ended { attempt, head, accepted } = ended;
        let outcome = outcome.into();
        let id = attempt.task;
        let accepted_unix_nanos = self.unix_nanos(accepted);
        let keeper_of_blobs = engine.map_or(Holder::Lost, |engine| self.keeper(engine, id.session));
        let Some(session) = self.sessions.get_mut(&id.session) else { return };
        let mut to_store = Vec::new();
        for blob in outcome.blobs().filter(|blob| session.result_blobs.insert(blob.id)) {
            self.blobs.hold(blob, keeper_of_blobs);
            if let Some(Holder::Engine(engine, _)) = self.blobs.holder(blob.id).filter(|_| session.away) {
                to_store.push((engine, blob.id));
            }
        }
        let (index, number, held) = (id.index, attempt.attempt, outcome.clone());
        let event = EventKind::Finished { index, attempt: number, engine, accepted_unix_nanos, outcome: held };
        let event = session.outbox.push(event, keeper);
        self.records.push(Record::Finished { attempt, event, head, engine, accepted, outcome });
        session.undelivered += 1;
        self.completed += 1;
        self.dirty_sessions.insert(id.session);
        to_store.into_iter().for_each(|(engine, blob)| self.order_store(engine, blob));
    }

    /// Another try on an engine where it has not failed, or the outcome if there is none.
    pub(super) fn retry(&mut self, now: Time, id: TaskId, engine: EngineId, outcome: Arc<Outcome>) {
        self.leave_state(id);
        let now_plus = self.task(id).and_then(Task::queue_timeout).map(|timeout| now + timeout);
        self.transitions.took(Transition::Retried);
        let Some(task) = self.task_mut(id) else { return };
        task.failures += u32::from(!forgets(Mutant::RetryUncounted));
        task.excluded.push(engine);
        task.last_failure = Some((engine, outcome));
        task.queue_deadline = now_plus;
        self.queue(id, true);
    }

    /// Takes a task out of wherever its state says it is. The caller gives it another state or removes it.
    pub(super) fn leave_state(&mut self, id: TaskId) {
        let Some(task) = self.task(id) else { return };
        match task.state {
            State::Queued if !task.is_direct() => self.leave_balanced(id),
            state => self.leave_engine(id, state),
        }
    }

    /// Takes a task off the engine that has it, if one has.
    fn leave_engine(&mut self, id: TaskId, state: State) {
        match state {
            State::Assigned(engine) | State::Retracting(engine) | State::Claimed(engine) => {
                let retracting = matches!(state, State::Retracting(_));
                if let Some(held_by) = self.engines.get_mut(&engine) {
                    held_by.release(id);
                    held_by.retracting -= usize::from(retracting);
                    self.dirty_engines.insert(engine);
                }
            }
            // A direct queue passes over tasks that have left; so does the list of unsure tasks.
            State::Queued | State::Waiting | State::Unsure(_) => {}
        }
    }

    /// Takes a task out of its balanced queue.
    pub(super) fn leave_balanced(&mut self, id: TaskId) {
        let Some(task) = self.task(id) else { return };
        match task.takers() {
            Takers::Any => self.balanced.left(false),
            Takers::Listed => self.balanced.left(true),
            Takers::Carriers(selector) => {
                self.balanced.left_carriers(task.head.priority, id.session, id.index, selector);
                self.selectors.left(selector);
            }
        }
    }

    /// Drops a task's record and what it names, wherever its state says it is.
    pub(super) fn remove_task(&mut self, id: TaskId) -> Option<Box<Task>> {
        let session = self.sessions.get_mut(&id.session)?;
        if session.tasks.get(id.index)?.state == State::Queued {
            self.leave_state(id);
        }
        let session = self.sessions.get_mut(&id.session)?;
        let task = session.tasks.remove(id.index)?;
        session.task_bytes -= task.size();
        self.leave_engine(id, task.state);
        if let Some(deadline) = task.queue_deadline {
            self.timers.remove(&(deadline, super::timers::Timer::QueueTimeout(id)));
        }
        if let Some(digest) = task.digest() {
            self.functions.release(digest);
        }
        if let Some(selector) = task.selector {
            self.selectors.release(selector);
        }
        for blob in task.arguments.blobs().filter(|_| !forgets(Mutant::BlobLeaked)) {
            self.release_blob(blob.id);
        }
        Some(task)
    }

    /// The client holds an outcome that the engine kept for it.
    pub(super) fn ack_outcome(&mut self, engine: EngineId, attempt: AttemptId) {
        if let Some(keeper) = self.engines.get_mut(&engine) {
            keeper.kept_outcomes = keeper.kept_outcomes.saturating_sub(1);
        }
        self.order_ack(engine, attempt);
    }

    /// The engine may forget an outcome once the store has what became of it; at once if the store forgets as well.
    fn ack_once_persisted(&mut self, engine: EngineId, attempt: AttemptId) {
        if self.config.durable && !forgets(Mutant::AckedBeforePersisted) {
            self.unpersisted_outcomes.push_back((self.sequence + 1, engine, attempt));
        } else {
            self.order_ack(engine, attempt);
        }
    }

    fn order_ack(&mut self, engine: EngineId, attempt: AttemptId) {
        if let Some(attached) = self.engines.get_mut(&engine) {
            self.transitions.took(Transition::AckedOutcome);
            attached.orders.acked.push(attempt);
            self.dirty_engines.insert(engine);
        }
    }

    pub(super) fn on_persisted(&mut self, up_to: u64) {
        self.transitions.took(Transition::Persisted);
        while self.unpersisted_outcomes.front().is_some_and(|(batch, ..)| *batch <= up_to) {
            if let Some((_, engine, attempt)) = self.unpersisted_outcomes.pop_front() {
                self.order_ack(engine, attempt);
            }
        }
        for (id, session) in &mut self.sessions {
            while session.unpersisted.front().is_some_and(|(batch, _)| *batch <= up_to) {
                if let Some((_, accepted)) = session.unpersisted.pop_front() {
                    session.persisted = accepted;
                    self.dirty_sessions.insert(*id);
                }
            }
        }
    }
}
