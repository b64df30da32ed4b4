//! Submits: calls come in, in order of index, each once.

use std::sync::Arc;

use super::{
    Record, Scheduler, Transition, blobs::Holder, finish::Ended, session::PendingCall, task::Task, timers::Timer,
};
use crate::{
    call::{Call, Placement, Work},
    id::{AttemptId, BlobId, SessionId, TaskId},
    mutant::{Mutant, forgets},
    outcome::{FailureKind, Outcome},
    payload::Function,
    session_link::CloseReason,
    time::Time,
};

impl Scheduler {
    pub(super) fn on_submit(&mut self, now: Time, id: SessionId, calls: Vec<Call>, functions: Vec<Arc<Function>>) {
        self.take_functions(functions);
        for call in calls {
            let Some(session) = self.sessions.get(&id) else { return };
            if session.replaying {
                let message = "a submit before the replay was complete".to_owned();
                return self.end_stream(id, CloseReason::ProtocolError, message);
            }
            let (first, tasks) = (call.first_index, call.tasks());
            let end = first.saturating_add(tasks);
            if end <= session.accepted {
                self.transitions.took(Transition::DroppedRepeatedCall);
                continue; // A repeat: the client had not heard that it was accepted.
            }
            if first != session.accepted {
                let message = format!("call {first} was submitted where {} was expected", session.accepted);
                return self.end_stream(id, CloseReason::OutOfOrder, message);
            }
            if let Some(message) = self.over_limit(id, tasks, call.inline_size()) {
                return self.end_stream(id, CloseReason::Limit, message);
            }
            self.accept(now, id, call);
        }
    }

    fn over_limit(&self, id: SessionId, tasks: u64, bytes: u64) -> Option<String> {
        let session = self.sessions.get(&id)?;
        let credit = session.told_credit;
        if session.accepted + tasks > credit.total_tasks {
            let most = self.config.session_tasks;
            return Some(format!("more tasks than the credit given; the setting `session_tasks` is {most}"));
        }
        if session.accepted_bytes + bytes > credit.total_bytes {
            let most = self.config.session_bytes;
            return Some(format!("more bytes than the credit given; the setting `session_bytes` is {most}"));
        }
        None
    }

    pub(super) fn take_functions(&mut self, functions: Vec<Arc<Function>>) {
        let mut new = false;
        for function in functions {
            let digest = function.digest;
            new |= self.functions.insert(function);
            for session in self.sessions.values_mut() {
                session.need_functions.remove(&digest);
            }
            let wanting = self.engines.iter().filter(|(_, engine)| engine.wanted.contains(&digest));
            let wanting: Vec<_> = wanting.map(|(id, _)| *id).collect();
            wanting.into_iter().for_each(|engine| self.send_function(engine, digest));
        }
        if new {
            self.queue_what_is_ready();
        }
        for digest in self.functions.shrink(self.config.function_bytes) {
            self.transitions.took(Transition::ForgotFunctions);
            for (id, engine) in &mut self.engines {
                if engine.functions.remove(&digest) {
                    engine.orders.forget_functions.push(digest);
                    self.dirty_engines.insert(*id);
                }
            }
        }
    }

    fn accept(&mut self, now: Time, id: SessionId, call: Call) {
        let (first, tasks, size) = (call.first_index, call.tasks(), call.inline_size());
        self.transitions.took(Transition::AcceptedCall);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.accepted += tasks;
            session.accepted_bytes += size;
            session.unpersisted.push_back((self.sequence + 1, session.accepted));
            if forgets(Mutant::AcceptedBeforePersisted) {
                session.persisted = session.accepted;
            }
            if session.accept_watch.is_none() {
                session.accept_watch = Some(session.accepted);
                self.timers.insert((now + self.config.notice_after, Timer::AcceptNotice(id)));
            }
        }
        let call = Arc::new(call);
        self.records.push(Record::Accepted { session: id, call: Arc::clone(&call) });
        if let Err(rule) = call.check() {
            for index in first..first + tasks {
                let outcome = Outcome::failed(FailureKind::Refused, "TaskRefused", rule.to_owned(), None);
                let attempt = AttemptId { task: TaskId { session: id, index }, attempt: 0 };
                self.announce(Ended { attempt, head: call.head.clone(), accepted: now }, None, outcome, None);
            }
            return;
        }
        self.enter(now, id, &call, 0..tasks);
        self.queue_ready_of(id);
    }

    /// Makes records for some of a call's tasks, which wait until `queue_what_is_ready` finds all bytes here.
    pub(super) fn enter(&mut self, now: Time, id: SessionId, call: &Call, nth: impl Iterator<Item = u64> + Clone) {
        let engines = match &call.head.placement {
            Placement::Direct { engines } => engines.as_slice(),
            Placement::Balanced { .. } => &[],
        };
        let labels = match &call.head.placement {
            Placement::Balanced { labels, .. } => labels.as_slice(),
            Placement::Direct { .. } => &[],
        };
        let count = nth.clone().count() as u64;
        if count == 0 || !self.sessions.contains_key(&id) {
            return;
        }
        let selector = self.selectors.hold(labels, count, self.engines.values().map(|engine| &engine.info));
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let mut blobs: Vec<BlobId> = Vec::new();
        for nth in nth {
            let Ok(nth_engine) = usize::try_from(nth) else { return };
            let arguments = call.argument(nth_engine);
            for blob in arguments.blobs() {
                self.blobs.hold(blob, Holder::Client(id));
                blobs.push(blob.id);
            }
            let mut task = Task::new(call.head.clone(), arguments, engines.get(nth_engine).copied(), now);
            task.selector = selector;
            task.queue_deadline = task.queue_timeout().map(|timeout| now + timeout);
            session.task_bytes += task.size();
            session.tasks.insert(call.first_index + nth, task);
        }
        let function = match call.head.work {
            Work::Function(digest) => Some(digest),
            Work::Execute { .. } => None,
        };
        if let Some(digest) = function {
            self.functions.hold(digest, count);
            if self.functions.get(digest).is_none() {
                self.transitions.took(Transition::AskedForFunction);
                session.need_functions.insert(digest);
            }
        }
        blobs.sort_unstable();
        blobs.dedup();
        session.pending.push_back(PendingCall {
            first_index: call.first_index,
            tasks: call.tasks(),
            engines: engines.to_vec(),
            function,
            blobs,
        });
    }
}
