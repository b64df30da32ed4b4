//! What clients say: opening, resuming, acknowledging, cancelling, closing.

use super::{
    CloseStatus, Instruction, Peer, Record, Scheduler, Transition, blobs::Holder, outbox::Freed, session::Session,
    task::State, timers::Timer,
};
use crate::{
    id::{AttemptId, ConnectionId, SessionId, TaskId},
    mutant::{Mutant, forgets},
    outcome::{FailureKind, Outcome},
    session_link::{CancelMode, CloseReason, Hello, ToClient, ToScheduler},
    time::Time,
};

impl Scheduler {
    pub(super) fn on_session_opened(&mut self, connection: ConnectionId, hello: Hello) {
        if self.shutting_down {
            return self.close(connection, CloseStatus::Unavailable("the scheduler is shutting down"));
        }
        let id = hello.session;
        let latest = self.sessions.get(&id).map(|session| session.stream);
        if latest.is_some_and(|latest| hello.stream != 0 && hello.stream < latest) {
            self.transitions.took(Transition::RefusedLateHello);
            return self.refuse(connection, CloseReason::Superseded, "a later connection of this client came before");
        }
        let known = latest.is_some();
        let ours = hello.resume.is_some_and(|resume| resume.epoch == self.epoch);
        let missed = hello.resume.is_some_and(|resume| resume.next_index > 0);
        // What engines held for sessions of an earlier epoch is dropped once these have had the time to come back.
        if !known && (ours || (missed && !self.recovery.sessions_may_come_back())) {
            self.transitions.took(Transition::SessionExpired);
            return self.refuse(connection, CloseReason::Expired, "the session has ended: nothing is left to resume");
        }
        if !known && self.sessions.len() >= self.config.sessions {
            let message = format!("{} sessions are open; the setting `sessions` is the limit", self.sessions.len());
            return self.close(connection, CloseStatus::ResourceExhausted(message));
        }
        self.transitions.took(Transition::SessionOpened);
        if known {
            self.transitions.took(Transition::SessionResumed);
        }
        self.detach_session(id, CloseReason::Superseded, "another connection took the session over");
        self.connections.insert(connection, Peer::Session(id));
        let session = self.sessions.entry(id).or_default();
        session.replaying |= !known && missed;
        if let Some(resume) = hello.resume.filter(|_| session.replaying) {
            session.resume_index = resume.next_index;
        }
        session.connection = Some(connection);
        session.stream = hello.stream;
        session.line_free = true;
        session.welcome_due = true;
        session.label = hello.label;
        session.cancel_on_disconnect = hello.cancel_on_disconnect;
        session.event_credit = None;
        session.event_bytes = 0;
        let freed = session.outbox.resume(hello.resume.filter(|_| ours).map_or(0, |resume| resume.sequence));
        session.away = false;
        session.wanted_blobs.clear();
        session.taken_blobs.clear();
        self.timers
            .retain(|(_, timer)| !matches!(timer, Timer::SessionGrace(of) | Timer::SessionAway(of) if *of == id));
        self.free(id, freed);
        self.ask_again(id);
        self.blobs.tell_again(|holder| holder == Holder::Client(id));
        self.answer_wants();
        self.dirty_sessions.insert(id);
        self.queue_what_is_ready();
    }

    /// Functions that the session was asked for on a stream that is gone: the question may be lost with it.
    fn ask_again(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let unsure = self.recovery.unsure.iter().filter(|task| task.session == id);
        let unsure = unsure.filter_map(|task| session.tasks.get(task.index)?.digest());
        let pending = session.pending.iter().filter_map(|call| call.function);
        let asking = self.engines.values().filter(|engine| !engine.wanted.is_empty());
        let asking = asking.filter(|engine| engine.held.keys().any(|task| task.session == id));
        let wanted = asking.flat_map(|engine| engine.wanted.iter().copied());
        let missing = pending.chain(unsure).chain(wanted).filter(|digest| self.functions.get(*digest).is_none());
        let missing: Vec<_> = missing.collect();
        session.need_functions.extend(missing);
    }

    pub(super) fn on_session_message(&mut self, now: Time, connection: ConnectionId, message: ToScheduler) {
        let Some(Peer::Session(id)) = self.connections.get(&connection).copied() else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.closing.is_some() {
            return;
        }
        self.dirty_sessions.insert(id);
        match message {
            ToScheduler::Hello(_) => {
                self.end_stream(id, CloseReason::ProtocolError, "a second hello on one stream".into())
            }
            ToScheduler::Submit { calls, functions, ack } => {
                if let Some(sequence) = ack {
                    self.on_ack(id, sequence);
                }
                self.on_submit(now, id, calls, functions);
            }
            ToScheduler::Replay { calls, functions, finished, claims, complete } => {
                self.on_replay(now, id, calls, functions, &finished, &claims, complete);
            }
            ToScheduler::Cancel { indexes, mode } => {
                for index in indexes {
                    self.cancel(TaskId { session: id, index }, mode);
                }
                self.queue_ready_of(id);
            }
            ToScheduler::Ack { sequence } => self.on_ack(id, sequence),
            ToScheduler::Credit { total_bytes } => session.event_credit = Some(total_bytes),
            ToScheduler::Release { blobs } => {
                for blob in blobs {
                    if self.sessions.get_mut(&id).is_some_and(|session| session.result_blobs.remove(&blob)) {
                        self.release_blob(blob);
                    } else if !self.client_lacks(id, blob) {
                        self.discard_blob(blob);
                    }
                }
            }
            ToScheduler::Close => {
                self.transitions.took(Transition::SessionClosed);
                self.end_stream(id, CloseReason::Closed, String::new());
                self.write_session(now, id);
                self.forget_session(id);
            }
        }
    }

    fn on_ack(&mut self, id: SessionId, sequence: u64) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let freed = session.outbox.ack(sequence);
        if freed.tasks > 0 {
            self.records.push(Record::Delivered { session: id, sequence });
        }
        self.free(id, freed);
    }

    /// The client holds these outcomes: engines need not keep them any more.
    fn free(&mut self, id: SessionId, freed: Freed) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.undelivered -= freed.tasks;
        }
        for (engine, attempt) in freed.outcomes {
            self.ack_outcome(engine, attempt);
        }
    }

    fn cancel(&mut self, id: TaskId, mode: CancelMode) {
        let Some(task) = self.task_mut(id) else { return };
        task.cancelled = !forgets(Mutant::CancelForgotten);
        let (attempt, state) = (task.attempt, task.state);
        match state {
            State::Waiting | State::Queued | State::Unsure(_) => self.abort(id),
            State::Assigned(engine) | State::Retracting(engine) => self.order_cancel(engine, id, attempt, mode),
            State::Claimed(engine) if mode != CancelMode::Abort => self.order_cancel(engine, id, attempt, mode),
            State::Claimed(_) => {}
        }
    }

    /// A task that nobody has started never starts.
    pub(super) fn abort(&mut self, id: TaskId) {
        self.transitions.took(Transition::Aborted);
        let message = format!("task {id} was aborted");
        self.finish(id, None, Outcome::failed(FailureKind::Aborted, "TaskAborted", message, None));
    }

    /// Ends the session's stream with a reason, after what is written already.
    pub(super) fn end_stream(&mut self, id: SessionId, reason: CloseReason, message: String) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.closing.get_or_insert((reason, message, session.accepted));
            self.dirty_sessions.insert(id);
        }
    }

    fn refuse(&mut self, connection: ConnectionId, reason: CloseReason, message: &str) {
        let message = ToClient::Closed { reason, message: message.to_owned(), expected_index: 0 };
        self.out.push(Instruction::ToSession { connection, message });
        self.close(connection, CloseStatus::Ok);
    }

    pub(super) fn close(&mut self, connection: ConnectionId, status: CloseStatus) {
        self.connections.remove(&connection);
        self.out.push(Instruction::Close { connection, status });
    }

    fn detach_session(&mut self, id: SessionId, reason: CloseReason, message: &str) {
        if let Some(connection) = self.sessions.get_mut(&id).and_then(|session| session.connection.take()) {
            if reason == CloseReason::Superseded {
                self.transitions.took(Transition::SessionSuperseded);
            }
            self.refuse(connection, reason, message);
        }
    }

    pub(super) fn on_session_broken(&mut self, now: Time, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        self.transitions.took(Transition::SessionBroke);
        session.connection = None;
        session.line_free = false;
        session.closing = None;
        session.outbox.rewind();
        let cancel = session.cancel_on_disconnect;
        self.timers.insert((now + self.config.session_grace, Timer::SessionGrace(id)));
        self.watch_absence(now, id);
        if cancel {
            let indexes = self.sessions.get(&id).map(|session| session.tasks.iter().map(|(index, _)| index).collect());
            let indexes: Vec<u64> = indexes.unwrap_or_default();
            for index in indexes {
                self.cancel(TaskId { session: id, index }, CancelMode::Abort);
            }
        }
    }

    /// Nothing of the session is kept: queued tasks leave, running ones run for nobody, outcomes are dropped.
    pub(super) fn forget_session(&mut self, id: SessionId) {
        self.detach_session(id, CloseReason::Expired, "the session has ended");
        let Some(session) = self.sessions.get(&id) else { return };
        let indexes: Vec<u64> = session.tasks.iter().map(|(index, _)| index).collect();
        for index in indexes {
            let task = TaskId { session: id, index };
            if let Some((engine, attempt)) = self.task(task).and_then(|task| Some((task.engine()?, task.attempt))) {
                self.order_cancel(engine, task, attempt, CancelMode::Abort);
                self.note_other(engine, AttemptId { task, attempt });
            }
            self.remove_task(task);
        }
        self.balanced.forget(id);
        let Some(session) = self.sessions.remove(&id) else { return };
        for (engine, attempt) in session.outbox.keepers() {
            self.ack_outcome(engine, attempt);
        }
        for blob in session.result_blobs {
            self.release_blob(blob);
        }
        self.timers
            .retain(|(_, timer)| !matches!(timer, Timer::SessionGrace(of) | Timer::SessionAway(of) if *of == id));
        self.dirty_sessions.remove(&id);
        self.drop_orphans_of(id);
        self.drop_unnamed_blobs(|_, session| session == id);
        self.answer_wants();
        self.records.push(Record::Forgotten { session: id });
        self.out.push(Instruction::SessionForgotten { session: id });
        self.queue_what_is_ready();
    }

    /// A session by id, or a place for one: how events reach every session.
    pub(super) fn each_session(&mut self, mut visit: impl FnMut(&mut Session)) {
        for (id, session) in &mut self.sessions {
            visit(session);
            self.dirty_sessions.insert(*id);
        }
    }
}
