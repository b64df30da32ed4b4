//! What the scheduler says.

use std::sync::Arc;

use super::{
    EngineSession, ExitReason, Instruction, Transition,
    link::Link,
    runs::Kill,
    task::{Claim, LargeArguments, NeededFunction, State, Task},
};
use crate::{
    call::Work,
    engine_link::{AssignedCall, AssignedTask, Orders, ToEngine, Welcome},
    hash::HashSet,
    id::{AttemptId, TaskId},
    mutant::{Mutant, forgets},
    outcome::{FailureKind, Outcome},
    payload::Function,
    session_link::CancelMode,
    time::Time,
};

impl EngineSession {
    pub(super) fn received(&mut self, now: Time, message: ToEngine) {
        self.heard = now;
        match (self.link, message) {
            (Link::Greeting { said_hello: true, .. }, ToEngine::Welcome(welcome)) => self.welcomed(welcome),
            (Link::Attached, ToEngine::Orders(orders)) => self.ordered(now, orders),
            (Link::Attached, ToEngine::Heartbeat) => {}
            // A second welcome, or orders before the first: this peer does not keep to the protocol.
            (Link::Attached | Link::Greeting { .. }, _) => self.hang_up(now),
            _ => {}
        }
    }

    fn welcomed(&mut self, welcome: Welcome) {
        let known = self.epoch.replace(welcome.epoch) == Some(welcome.epoch);
        self.transitions.took(if known { Transition::Attached } else { Transition::AttachedToNewEpoch });
        self.backoff.succeeded();
        self.lease = welcome.lease;
        self.alone_since = None;
        self.link = Link::Attached;
        self.draining_unsaid = self.draining;
        for attempt in &welcome.dropped {
            if let Some(task) = self.forget(*attempt) {
                if let State::Finished(end) = &task.state {
                    self.drop_late_blobs_of(&end.outcome);
                }
                self.transitions.took(match task.state {
                    State::Queued { .. } => Transition::DroppedQueued,
                    State::Running => Transition::DroppedRunning,
                    State::Finished(_) => Transition::DroppedFinished,
                });
            }
        }
        self.forget_output(welcome.dropped);
        self.fetch_refused();
        self.report_again();
    }

    /// What a broken stream may have lost: questions, and outcomes that were not acknowledged.
    fn report_again(&mut self) {
        let mut finished = Vec::new();
        let mut asked = Vec::new();
        for (attempt, task) in &self.tasks {
            if task.large == LargeArguments::Here {
                self.outbox.fetched.push(*attempt);
            }
            match &task.state {
                State::Finished(end) => finished.push((end.order, *attempt)),
                State::Queued { claim: Claim::Asked, place } => asked.push((*place, *attempt)),
                State::Queued { .. } | State::Running => {}
            }
        }
        finished.sort_unstable();
        asked.sort_unstable();
        self.outbox.fetched.sort_unstable();
        for _ in &finished {
            self.transitions.took(Transition::ReportedAgain);
        }
        if forgets(Mutant::OutcomeNotRepeated) {
            finished.clear();
        }
        self.outbox.outcomes = finished.into_iter().map(|(_, attempt)| attempt).collect();
        self.outbox.claims = asked.into_iter().map(|(_, attempt)| attempt).collect();
        self.outbox.need_functions = self.functions.missing().collect();
    }

    fn ordered(&mut self, now: Time, orders: Orders) {
        for function in orders.functions {
            self.got_function(function);
        }
        let within = orders.assigned.iter().all(|call| self.assigned(call));
        if !within || self.room.overdrawn() {
            self.hang_up(now);
        }
        for _ in 0..self.functions.evict() {
            self.transitions.took(Transition::EvictedFunction);
        }
        for attempt in orders.retract {
            self.retract(attempt);
        }
        if self.outbox.answers.len() as u64 > self.most_answers() {
            self.outbox.answers.clear();
            self.hang_up(now);
        }
        for (attempt, mode) in orders.cancel {
            self.cancel(now, attempt, mode);
        }
        self.acknowledged(orders.acked);
        for attempt in orders.start {
            self.may_start(attempt);
        }
        for digest in orders.forget_functions {
            if self.functions.forget(digest) {
                self.transitions.took(Transition::ForgotFunction);
            }
        }
        self.ordered_blobs(orders.wanted_blobs, orders.store_blobs, orders.release_blobs);
        if orders.drain {
            self.drain();
        }
        if orders.exit {
            self.exit = Some(ExitReason::Ordered);
        }
    }

    fn got_function(&mut self, function: Arc<Function>) {
        self.transitions.took(Transition::GotFunction);
        for attempt in self.functions.insert(Arc::clone(&function)) {
            if let Some(task) = self.tasks.get_mut(&attempt) {
                task.function = NeededFunction::Here(Arc::clone(&function));
            }
        }
    }

    /// Takes tasks as far as they were granted; says whether all were.
    fn assigned(&mut self, call: &AssignedCall) -> bool {
        for task in &call.tasks {
            let attempt =
                AttemptId { task: TaskId { session: call.session, index: task.index }, attempt: task.attempt };
            let bytes = task.arguments.inline_size();
            if self.tasks.contains_key(&attempt) {
                self.room.passed(bytes);
            } else if self.draining && !task.claimed {
                self.room.passed(bytes);
                self.transitions.took(Transition::GaveBack);
                self.outbox.answers.push((attempt, true));
            } else if self.room.admits(bytes) || forgets(Mutant::OverdraftTaken) {
                self.room.arrived(bytes);
                self.take_in(attempt, call, task, bytes);
            } else {
                return false;
            }
        }
        true
    }

    fn take_in(&mut self, attempt: AttemptId, call: &AssignedCall, task: &AssignedTask, bytes: u64) {
        let function = match call.head.work {
            Work::Execute { .. } => NeededFunction::None,
            Work::Function(digest) => match self.functions.get(digest) {
                Some(function) => NeededFunction::Here(function),
                None => {
                    if self.functions.wait(digest, attempt) {
                        self.transitions.took(Transition::NeededFunction);
                        self.outbox.need_functions.push(digest);
                    }
                    NeededFunction::Missing(digest)
                }
            },
        };
        self.transitions.took(if task.claimed { Transition::AssignedClaimed } else { Transition::Assigned });
        let claim = if task.claimed { Claim::Given } else { Claim::None };
        let state = State::Queued { place: self.queues.push(call.direct, attempt), claim };
        let task = Task {
            head: Arc::clone(&call.head),
            function,
            arguments: task.arguments.clone(),
            large: self.fetch(attempt, &task.arguments),
            expected: task.expected,
            span: task.span,
            direct: call.direct,
            several: call.several,
            bytes,
            state,
        };
        self.tasks.insert(attempt, task);
    }

    /// Answers to retracts that may wait for the line. A scheduler asks once for a task that it has sent, and has sent no
    /// more than was granted on this stream and held before it.
    pub(super) fn most_answers(&self) -> u64 {
        self.config.task_window.saturating_mul(4)
    }

    fn retract(&mut self, attempt: AttemptId) {
        match self.tasks.get(&attempt).map(|task| &task.state) {
            Some(State::Queued { claim: Claim::None, .. }) => self.give_back(attempt),
            Some(State::Queued { .. }) if forgets(Mutant::ClaimedGivenBack) => self.give_back(attempt),
            _ => {
                self.transitions.took(Transition::RefusedRetract);
                self.outbox.answers.push((attempt, false));
            }
        }
    }

    fn cancel(&mut self, now: Time, attempt: AttemptId, mode: CancelMode) {
        let Some(task) = self.tasks.get(&attempt) else { return };
        match (&task.state, mode) {
            (State::Queued { .. }, _) => {
                self.transitions.took(Transition::CancelledQueued);
                let engine = self.info.as_ref().map(|info| info.id);
                let message = "the task was aborted before it started".to_owned();
                self.finish_queued(attempt, Outcome::failed(FailureKind::Aborted, "TaskAborted", message, engine));
            }
            (State::Running, CancelMode::Interrupt { kill_after }) => {
                self.transitions.took(Transition::Interrupted);
                self.urgent.push(Instruction::Interrupt { attempt });
                if let Some(after) = kill_after {
                    self.runs.kill_by(Kill { attempt, after, due: now + after });
                }
            }
            (State::Running, CancelMode::Abort) | (State::Finished(_), _) => {}
        }
    }

    fn acknowledged(&mut self, acked: Vec<AttemptId>) {
        for attempt in &acked {
            if matches!(self.tasks.get(attempt), Some(Task { state: State::Finished(_), .. })) {
                self.transitions.took(Transition::Acknowledged);
                self.forget(*attempt);
            }
        }
        self.forget_output(acked);
    }

    fn forget_output(&mut self, over: Vec<AttemptId>) {
        if !over.is_empty() && self.outbox.keeps_output() {
            let over: HashSet<_> = over.into_iter().filter(|attempt| !self.tasks.contains_key(attempt)).collect();
            self.outbox.forget_output(|attempt| over.contains(&attempt));
        }
    }

    fn may_start(&mut self, attempt: AttemptId) {
        if let Some(Task { state: State::Queued { claim: claim @ Claim::Asked, .. }, .. }) =
            self.tasks.get_mut(&attempt)
        {
            self.transitions.took(Transition::Started);
            *claim = Claim::Given;
        }
    }
}
