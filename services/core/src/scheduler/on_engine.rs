//! What engines say: claims, output, outcomes, answers to retracts, credit.

use super::{Peer, Record, Scheduler, Transition, task::State};
use crate::{
    engine_link::{Reports, ToScheduler},
    id::{AttemptId, ConnectionId, Digest, EngineId, TaskId},
    mutant::{Mutant, forgets},
    outcome::Output,
    session_link::{CancelMode, EventKind},
    time::Time,
};

impl Scheduler {
    pub(super) fn on_engine_message(&mut self, now: Time, connection: ConnectionId, message: ToScheduler) {
        let Some(Peer::Engine(id)) = self.connections.get(&connection).copied() else { return };
        let Some(engine) = self.engines.get_mut(&id) else { return };
        engine.last_heard = now;
        match message {
            // A second hello says nothing that the first did not.
            ToScheduler::Hello(_) | ToScheduler::Heartbeat => {}
            ToScheduler::Reports(reports) => self.on_reports(now, id, reports),
        }
    }

    fn on_reports(&mut self, now: Time, id: EngineId, reports: Reports) {
        for attempt in reports.claimed.into_iter().filter(|_| !forgets(Mutant::ClaimForgotten)) {
            self.on_claimed(now, id, attempt);
        }
        for (attempt, output) in reports.output {
            self.on_output(id, attempt, output);
        }
        for (attempt, outcome) in reports.finished {
            self.on_finished(now, id, attempt, outcome);
        }
        for (attempt, given_back) in reports.retracted {
            self.on_retracted(now, id, attempt, given_back);
        }
        for attempt in reports.fetched {
            self.on_fetched(id, attempt);
        }
        for digest in reports.need_functions {
            self.send_function(id, digest);
        }
        let Some(engine) = self.engines.get_mut(&id) else { return };
        if let Some(credit) = reports.credit {
            // A total never shrinks, whatever the engine says: what was sent cannot be taken back.
            engine.credit.total_tasks = engine.credit.total_tasks.max(credit.total_tasks);
            engine.credit.total_bytes = engine.credit.total_bytes.max(credit.total_bytes);
        }
        engine.draining |= reports.draining;
        self.dirty_engines.insert(id);
    }

    fn on_claimed(&mut self, now: Time, engine: EngineId, attempt: AttemptId) {
        if !self.is_on(engine, attempt) {
            return self.recovery.claim_orphan(engine, attempt);
        }
        let Some(task) = self.task_mut(attempt.task) else { return };
        let was_retracting = matches!(task.state, State::Retracting(_));
        let start_once = task.head.start_once;
        if matches!(task.state, State::Claimed(_)) && !start_once {
            return;
        }
        task.state = State::Claimed(engine);
        self.transitions.took(if was_retracting { Transition::ClaimedWhileRetracting } else { Transition::Claimed });
        if let Some(held_by) = self.engines.get_mut(&engine) {
            held_by.retracting -= usize::from(was_retracting);
            if start_once {
                self.transitions.took(Transition::LetStart);
                held_by.orders.start.push(attempt);
                self.dirty_engines.insert(engine);
            }
        }
        self.note_claim(now, engine, attempt);
    }

    /// Remembers a claim, however it came about.
    pub(super) fn note_claim(&mut self, now: Time, engine: EngineId, attempt: AttemptId) {
        if let Some(held) = self.engines.get_mut(&engine).and_then(|engine| engine.held.get_mut(&attempt.task)) {
            held.claimed.get_or_insert(now);
        }
        self.records.push(Record::Claimed { attempt, engine });
        self.notices.push_back((now + self.config.notice_after, attempt));
    }

    fn on_output(&mut self, engine: EngineId, attempt: AttemptId, output: Output) {
        if !self.is_on(engine, attempt) {
            return;
        }
        let TaskId { session, index } = attempt.task;
        if let Some(owner) = self.sessions.get_mut(&session) {
            owner.outbox.push(EventKind::Output { index, attempt: attempt.attempt, engine, output }, None);
            self.dirty_sessions.insert(session);
        }
    }

    fn on_retracted(&mut self, now: Time, engine: EngineId, attempt: AttemptId, given_back: bool) {
        if !given_back {
            return;
        }
        if !self.is_on(engine, attempt) {
            return self.is_rid_of(engine, attempt);
        }
        self.transitions.took(Transition::TookBack);
        if self.task(attempt.task).is_some_and(|task| task.cancelled) {
            return self.abort(attempt.task);
        }
        self.leave_state(attempt.task);
        if let Some(task) = self.task_mut(attempt.task) {
            // It never started, and the engine will not speak of it again: the number is free.
            task.attempt -= 1;
        }
        self.queue(attempt.task, true);
        self.time_out(now, attempt.task);
    }

    /// Sends a function, or asks a client for it and sends it when it comes.
    pub(super) fn send_function(&mut self, id: EngineId, digest: Digest) {
        let Some(engine) = self.engines.get_mut(&id) else { return };
        self.dirty_engines.insert(id);
        if let Some(function) = self.functions.get(digest) {
            engine.wanted.remove(&digest);
            if !engine.functions.insert(digest) {
                self.transitions.took(Transition::SentFunctionAgain);
            }
            engine.orders.functions.push(function.clone());
            return;
        }
        engine.wanted.insert(digest);
        let sessions = engine.held.keys().map(|task| task.session);
        for session in sessions {
            if let Some(owner) = self.sessions.get_mut(&session) {
                owner.need_functions.insert(digest);
                self.dirty_sessions.insert(session);
            }
        }
    }

    pub(super) fn order_cancel(&mut self, engine: EngineId, task: TaskId, attempt: u32, mode: CancelMode) {
        if let Some(attached) = self.engines.get_mut(&engine) {
            self.transitions.took(Transition::OrderedCancel);
            attached.orders.cancel.push((AttemptId { task, attempt }, mode));
            self.dirty_engines.insert(engine);
        }
    }
}
