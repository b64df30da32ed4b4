//! What becomes of the tasks held: claimed, run, finished, given back.

use std::{sync::Arc, time::Duration};

use super::{
    EngineSession, Instruction, RunTask, Transition,
    task::{Claim, Finished, LargeArguments, NeededFunction, State, Task, in_order},
};
use crate::{
    id::{AttemptId, SessionId},
    mutant::{Mutant, forgets},
    outcome::{Outcome, Output},
    time::Time,
};

impl EngineSession {
    /// Claims the next task, or several short ones of its queue, for the runtime. Who calls an engine by name waits for the
    /// answer more often than not: it does not also wait for balanced work that came along in its batch.
    pub(super) fn claim(&mut self) -> Vec<RunTask> {
        let mut batch = Vec::new();
        let mut measured = Duration::ZERO;
        let mut queue = None;
        while let Some((attempt, expected)) = self.next_runnable(queue) {
            queue = self.tasks.get(&attempt).map(|task| task.direct);
            if !batch.is_empty() {
                match expected {
                    Some(expected) if measured + expected <= self.config.claim_ahead => {}
                    _ => break,
                }
            }
            batch.extend(self.start(attempt));
            match expected {
                Some(expected) => measured += expected,
                None => break,
            }
        }
        if batch.len() > 1 {
            self.transitions.took(Transition::ClaimedSeveral);
        }
        batch
    }

    /// The first task that may start, of the queue whose turn it is or of the other, or of one alone (`direct`), and how
    /// long it will take. Asks for the scheduler's yes where one needs it.
    fn next_runnable(&mut self, direct: Option<bool>) -> Option<(AttemptId, Option<Duration>)> {
        let Self { queues, tasks, outbox, transitions, urgent, line_free, .. } = self;
        for queue in queues.in_turn(direct) {
            let mut passed = Passed::default();
            for attempt in queue {
                let Some(task) = tasks.get_mut(&attempt) else { continue };
                if passed.keeps_back(attempt.task.session, task) {
                    passed.add(attempt.task.session, task);
                    continue;
                }
                if !task.is_whole() {
                    if passed.is_first_of(task)
                        && let LargeArguments::Coming { awaited: awaited @ false } = &mut task.large
                    {
                        *awaited = true;
                        urgent.push(Instruction::FetchNow { attempt });
                    }
                    passed.add(attempt.task.session, task);
                    continue;
                }
                let State::Queued { claim, .. } = &mut task.state else { continue };
                if !passed.is_empty() {
                    transitions.took(Transition::Overtook);
                }
                match *claim {
                    Claim::Given => return Some((attempt, task.expected)),
                    Claim::None if *line_free && task.head.start_once && !forgets(Mutant::StartedUnasked) => {
                        *claim = Claim::Asked;
                        transitions.took(Transition::AskedToStart);
                        outbox.claims.push(attempt);
                    }
                    Claim::None if *line_free => return Some((attempt, task.expected)),
                    Claim::None | Claim::Asked => {}
                }
                break;
            }
        }
        None
    }

    fn start(&mut self, attempt: AttemptId) -> Option<RunTask> {
        let task = self.tasks.get_mut(&attempt)?;
        let State::Queued { place, claim } = task.state else { return None };
        if claim == Claim::None {
            self.transitions.took(Transition::Claimed);
            self.outbox.claims.push(attempt);
        }
        self.queues.remove(task.direct, place);
        self.queues.took(task.direct);
        task.state = State::Running;
        task.large = LargeArguments::None;
        let function = match std::mem::replace(&mut task.function, NeededFunction::None) {
            NeededFunction::Here(function) => Some(function),
            NeededFunction::None | NeededFunction::Missing(_) => None,
        };
        let arguments = std::mem::take(&mut task.arguments);
        Some(RunTask { attempt, head: Arc::clone(&task.head), function, arguments, span: task.span })
    }

    pub(super) fn output(&mut self, attempt: AttemptId, output: Output) {
        let running = self.tasks.get(&attempt).is_some_and(|task| matches!(task.state, State::Running));
        if running && !self.outbox.push_output(attempt, output) {
            self.transitions.took(Transition::DroppedOutput);
        }
    }

    pub(super) fn ended(&mut self, now: Time, attempt: AttemptId, mut outcome: Outcome) {
        if self.runs.ended(now, attempt) {
            self.as_timed_out(attempt, &mut outcome);
        }
        let running = self.tasks.get(&attempt).is_some_and(|task| matches!(task.state, State::Running));
        if running {
            self.transitions.took(Transition::Finished);
            self.keep_blobs(attempt, &outcome);
            self.finish(attempt, outcome);
        } else {
            self.drop_blobs_of(&outcome);
        }
    }

    pub(super) fn finish(&mut self, attempt: AttemptId, outcome: Outcome) {
        let Some(task) = self.tasks.get_mut(&attempt) else { return };
        let after_output = self.outbox.end_output(attempt);
        self.finished += 1;
        task.arguments = Default::default();
        let (large, bytes) = (std::mem::replace(&mut task.large, LargeArguments::None), task.bytes);
        task.state = State::Finished(Finished { outcome: Arc::new(outcome), order: self.finished, after_output });
        self.give_up_fetch(attempt, large);
        if !forgets(Mutant::CreditLeaked) {
            self.room.rid_of(bytes);
        }
        self.room.keeps_outcome();
        self.outbox.outcomes.push_back(attempt);
    }

    /// Ends a task that never started.
    pub(super) fn finish_queued(&mut self, attempt: AttemptId, outcome: Outcome) {
        let Some(task) = self.tasks.get_mut(&attempt) else { return };
        let State::Queued { place, .. } = task.state else { return };
        self.queues.remove(task.direct, place);
        if let NeededFunction::Missing(digest) = std::mem::replace(&mut task.function, NeededFunction::None) {
            self.functions.stop_waiting(digest, attempt);
        }
        self.finish(attempt, outcome);
    }

    pub(super) fn drain(&mut self) {
        if self.draining {
            return;
        }
        self.transitions.took(Transition::StartedDraining);
        self.draining = true;
        self.draining_unsaid = true;
        let unclaimed = |task: &Task| matches!(task.state, State::Queued { claim: Claim::None, .. });
        let back = self.tasks.iter().filter(|(_, task)| unclaimed(task)).map(|(attempt, _)| *attempt).collect();
        for attempt in in_order(back) {
            self.give_back(attempt);
        }
        self.store_all_blobs();
    }

    pub(super) fn give_back(&mut self, attempt: AttemptId) {
        self.transitions.took(Transition::GaveBack);
        self.forget(attempt);
        self.outbox.answers.push((attempt, true));
    }

    /// Removes a task from everything that knows it, but for its output.
    pub(super) fn forget(&mut self, attempt: AttemptId) -> Option<Task> {
        let task = self.tasks.remove(&attempt)?;
        if let State::Queued { place, .. } = task.state {
            self.queues.remove(task.direct, place);
        }
        if matches!(task.state, State::Finished(_)) {
            self.room.rid_of_outcome();
        } else {
            self.room.rid_of(task.bytes);
        }
        if let NeededFunction::Missing(digest) = task.function {
            self.functions.stop_waiting(digest, attempt);
        }
        self.give_up_fetch(attempt, task.large);
        Some(task)
    }
}

/// Tasks of one queue that cannot start yet, and so whom those behind them may not pass: a session's direct calls keep
/// their order, and so do all calls to several engines. Who waits for bytes of a slow client waits alone.
#[derive(Debug, Default)]
struct Passed {
    sessions: Vec<SessionId>,
    several: bool,
}

impl Passed {
    fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn keeps_back(&self, session: SessionId, task: &Task) -> bool {
        let ordered = task.direct && !forgets(Mutant::OvertookOwnCall);
        ordered && (self.several && task.several || self.sessions.contains(&session))
    }

    /// Nothing but what it lacks keeps it back. Balanced tasks have no order: one at a time is enough to wait for.
    fn is_first_of(&self, task: &Task) -> bool {
        task.direct || self.is_empty()
    }

    fn add(&mut self, session: SessionId, task: &Task) {
        self.sessions.push(session);
        self.several |= task.several;
    }
}
