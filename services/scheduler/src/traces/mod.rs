//! The spans of calls whose client traces them: one a call, and one a task.
//!
//! What happened is read off what the machine writes down, which says each thing once whatever peers repeat. How much is
//! traced at a time is bounded: what comes beyond it is counted on its call's span, and its engines do not trace it either.

mod call;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use paraply_common::{
    clock,
    telemetry::{Spans, TraceParent},
};
use paraply_core::{
    call::Call,
    engine_link::{Orders, ToEngine},
    id::{AttemptId, EngineId, SessionId, TaskId},
    outcome::Outcome,
    scheduler::{Instruction, Record},
    session_link::ToScheduler,
};

use call::CallTrace;

/// What is being traced.
#[derive(Debug)]
pub(crate) struct Traces {
    spans: Spans,
    /// Tasks, and calls, that are traced at a time.
    most: usize,
    /// By session and first index.
    calls: BTreeMap<(SessionId, u64), CallTrace>,
    /// Tasks that have a span and are not finished.
    tasks: usize,
}

impl Traces {
    pub(crate) fn new(spans: Spans, most: usize) -> Self {
        Self { spans, most, calls: BTreeMap::new(), tasks: 0 }
    }

    /// A client said something: after a restart, what it had submitted before.
    pub(crate) fn heard(&mut self, session: SessionId, message: &ToScheduler) {
        let ToScheduler::Replay { calls, finished, .. } = message else { return };
        let mut traced = calls.iter().filter(|call| !call.head.traceparent.is_empty()).peekable();
        if traced.peek().is_some() {
            let finished: HashSet<u64> = finished.iter().copied().collect();
            traced.for_each(|call| self.accepted(session, call, |index| !finished.contains(&index)));
        }
    }

    /// What the machine has written down, before any of it is carried out.
    pub(crate) fn before(&mut self, instructions: &[Instruction]) {
        let batches = instructions.iter().filter_map(|instruction| match instruction {
            Instruction::Persist { records, .. } => Some(records),
            _ => None,
        });
        for record in batches.flatten() {
            match record {
                Record::Accepted { session, call } => self.accepted(*session, call, |_| true),
                Record::Claimed { attempt, engine } => self.event(*attempt, *engine, "claimed"),
                Record::Finished { attempt, outcome, .. } => self.finished(*attempt, outcome),
                Record::Forgotten { session } => self.forget(|of| of == *session, "the session ended before the task"),
                Record::Delivered { .. } => {}
            }
        }
    }

    /// Tasks go to an engine: it learns which span each belongs to.
    pub(crate) fn assign(&mut self, engine: EngineId, message: &mut ToEngine) {
        let ToEngine::Orders(Orders { assigned, .. }) = message else { return };
        for call in assigned.iter_mut().filter(|call| !call.head.traceparent.is_empty()) {
            if TraceParent::sampled(&call.head.traceparent).is_none() {
                continue;
            }
            for task in &mut call.tasks {
                let id = TaskId { session: call.session, index: task.index };
                let attempt = AttemptId { task: id, attempt: task.attempt };
                // Of one that counts as claimed at once, the records say so.
                if !task.claimed {
                    self.event(attempt, engine, "assigned");
                }
                task.span = Some(self.call_of(attempt).and_then(|call| call.span_of(task.index)).unwrap_or(0));
            }
        }
    }

    /// Nothing more will be heard of any task.
    pub(crate) fn end(&mut self) {
        self.forget(|_| true, "the scheduler ended before the task");
    }

    fn accepted(&mut self, session: SessionId, call: &Call, is_open: impl Fn(u64) -> bool) {
        if call.head.traceparent.is_empty() {
            return;
        }
        let Some(parent) = TraceParent::sampled(&call.head.traceparent) else { return };
        let room = self.most.saturating_sub(self.tasks);
        if room == 0 || self.calls.len() >= self.most || self.calls.contains_key(&(session, call.first_index)) {
            return;
        }
        let call = CallTrace::new(clock::unix_nanos(), session, call, parent, is_open, room);
        if call.is_over() {
            return;
        }
        self.tasks += call.open();
        self.calls.insert((session, call.first_index()), call);
    }

    fn event(&mut self, attempt: AttemptId, engine: EngineId, name: &'static str) {
        if let Some(call) = self.call_of(attempt) {
            call.event(attempt, engine, name, clock::unix_nanos());
        }
    }

    fn finished(&mut self, attempt: AttemptId, outcome: &Outcome) {
        let Some(call) = self.call_of(attempt) else { return };
        let now = clock::unix_nanos();
        let (key, task, is_over) =
            ((attempt.task.session, call.first_index()), call.finished(now, attempt, outcome), call.is_over());
        if let Some(task) = task {
            self.tasks -= 1;
            self.spans.send(task);
        }
        if let Some(call) = is_over.then(|| self.calls.remove(&key)).flatten() {
            self.spans.send(call.span(now, None));
        }
    }

    fn call_of(&mut self, attempt: AttemptId) -> Option<&mut CallTrace> {
        if self.calls.is_empty() {
            return None;
        }
        let (session, index) = (attempt.task.session, attempt.task.index);
        let (_, call) = self.calls.range_mut((session, 0)..=(session, index)).next_back()?;
        call.has(index).then_some(call)
    }

    fn forget(&mut self, gone: impl Fn(SessionId) -> bool, why: &'static str) {
        if self.calls.is_empty() {
            return;
        }
        let now = clock::unix_nanos();
        let keys: Vec<_> = self.calls.keys().filter(|(session, _)| gone(*session)).copied().collect();
        for mut call in keys.into_iter().filter_map(|key| self.calls.remove(&key)).collect::<Vec<_>>() {
            self.tasks -= call.open();
            call.give_up(now, why).for_each(|task| self.spans.send(task));
            self.spans.send(call.span(now, Some(why)));
        }
    }
}
