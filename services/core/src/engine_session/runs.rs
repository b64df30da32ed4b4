//! What the runtime was given: which task runs, for how long it may, and what happens to one that does not stop.

use std::{collections::VecDeque, time::Duration};

use super::{EngineSession, Instruction, Transition, link::Link, task::State};
use crate::{
    id::AttemptId,
    mutant::{Mutant, forgets},
    outcome::{FailureKind, Outcome},
    time::Time,
};

/// How long the scheduler has to acknowledge the outcome of a task whose engine is about to end for it.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The batch that the runtime has, and what is to come of it.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Not finished, in order: the first runs.
    handed: VecDeque<AttemptId>,
    /// Since when the first of them runs.
    since: Time,
    /// The first was interrupted because its time was over.
    timed_out: bool,
    /// Cancelled tasks that are not to run for long any more.
    pub(super) kills: Vec<Kill>,
    /// The engine exits when the outcome of this task is acknowledged, or at this time.
    last: Option<(AttemptId, Time)>,
}

/// A task that is to have stopped by some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kill {
    pub(super) attempt: AttemptId,
    pub(super) after: Duration,
    pub(super) due: Time,
}

impl Runs {
    pub(super) fn hand(&mut self, now: Time, attempts: impl Iterator<Item = AttemptId>) {
        if self.handed.is_empty() {
            (self.since, self.timed_out) = (now, false);
        }
        self.handed.extend(attempts);
    }

    /// The earliest end of a task counts.
    pub(super) fn kill_by(&mut self, kill: Kill) {
        match self.kills.iter_mut().find(|known| known.attempt == kill.attempt) {
            Some(known) if known.due <= kill.due => {}
            Some(known) => *known = kill,
            None => self.kills.push(kill),
        }
    }

    /// How many the runtime has.
    pub(super) fn handed(&self) -> usize {
        self.handed.len()
    }

    /// A task of the batch is over. Says whether it had been interrupted because its time was.
    pub(super) fn ended(&mut self, now: Time, attempt: AttemptId) -> bool {
        self.kills.retain(|kill| kill.attempt != attempt);
        if self.handed.front() != Some(&attempt) {
            self.handed.retain(|handed| *handed != attempt);
            return false;
        }
        self.handed.pop_front();
        self.since = now;
        std::mem::take(&mut self.timed_out)
    }

    /// Nothing of a batch is left.
    pub(super) fn idle(&mut self) {
        self.handed.clear();
        self.kills.clear();
    }
}

impl EngineSession {
    /// When the next of these is due.
    pub(super) fn runs_due(&self) -> Option<Time> {
        let kill = self.runs.kills.iter().map(|kill| kill.due);
        kill.chain(self.run_deadline().map(|(_, at)| at)).chain(self.runs.last.map(|(_, at)| at)).min()
    }

    /// Interrupts what has run for too long, and gives up what does not stop.
    pub(super) fn check_runs(&mut self, now: Time) {
        if let Some((attempt, _)) = self.run_deadline().filter(|(_, at)| *at <= now) {
            self.transitions.took(Transition::TimedOut);
            self.runs.timed_out = true;
            self.urgent.push(Instruction::Interrupt { attempt });
        }
        let due = self.runs.kills.iter().position(|kill| kill.due <= now);
        if let Some(Kill { attempt, after, .. }) = due.map(|nth| self.runs.kills.swap_remove(nth)) {
            self.kill(now, attempt, after);
        }
    }

    /// Why to exit now, if a task that did not stop is the reason.
    pub(super) fn has_said_last_word(&self, now: Time) -> bool {
        self.runs.last.is_some_and(|(attempt, until)| {
            until <= now || self.link != Link::Attached || !self.tasks.contains_key(&attempt)
        })
    }

    /// How a task that was interrupted because its time was over has failed.
    pub(super) fn as_timed_out(&self, attempt: AttemptId, outcome: &mut Outcome) {
        let limit = self.tasks.get(&attempt).and_then(|task| task.head.run_timeout).unwrap_or_default();
        if let Err(failure) = &mut outcome.value
            && failure.kind == FailureKind::Cancelled
        {
            failure.kind = FailureKind::RunTimeout;
            failure.type_name = "TaskTimeout".into();
            failure.message = format!("ran for longer than its run_timeout, {limit:?}, and was interrupted").into();
        }
    }

    fn run_deadline(&self) -> Option<(AttemptId, Time)> {
        let attempt = *self.runs.handed.front().filter(|_| !self.runs.timed_out)?;
        let task = self.tasks.get(&attempt).filter(|task| matches!(task.state, State::Running))?;
        let limit = task.head.run_timeout.filter(|_| !forgets(Mutant::DeadlineForgotten))?;
        Some((attempt, self.runs.since + limit))
    }

    /// A task did not stop in time. One behind it in the batch is not to blame: it ends when its turn comes.
    fn kill(&mut self, now: Time, attempt: AttemptId, after: Duration) {
        if self.runs.handed.front() != Some(&attempt) || self.runs.last.is_some() {
            return;
        }
        self.transitions.took(Transition::Killed);
        let engine = self.info.as_ref().map(|info| info.id);
        let number = engine.map_or_else(String::new, |id| format!(" {id}"));
        let message =
            format!("Engine{number} was ended: task '{}' did not stop within {after:?} of its cancel", attempt.task);
        // The scheduler may have had it dropped, and given it out again, while the runtime still has it.
        if self.tasks.get(&attempt).is_some_and(|task| matches!(task.state, State::Running)) {
            self.finish(attempt, Outcome::failed(FailureKind::Cancelled, "EngineError", message, engine));
        }
        self.runs.last = Some((attempt, now + LAST_WORD));
    }
}
