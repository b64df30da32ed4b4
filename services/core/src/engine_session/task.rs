//! A task while an engine holds it.

use std::{sync::Arc, time::Duration};

use crate::{
    call::CallHead,
    engine_link::HeldState,
    id::{AttemptId, Digest},
    mutant::{Mutant, forgets},
    outcome::Outcome,
    payload::{Function, Payload},
};

/// A task from its arrival until it is acknowledged, given back or dropped.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) head: Arc<CallHead>,
    pub(super) function: NeededFunction,
    pub(super) arguments: Payload,
    pub(super) large: LargeArguments,
    pub(super) expected: Option<Duration>,
    pub(super) span: Option<u64>,
    pub(super) direct: bool,
    /// Its call has tasks on other engines too.
    pub(super) several: bool,
    /// What it took of the byte window.
    pub(super) bytes: u64,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum NeededFunction {
    /// It executes code.
    None,
    Here(Arc<Function>),
    Missing(Digest),
}

/// The parts of its arguments that do not travel in messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LargeArguments {
    /// There are none.
    None,
    /// They are being fetched; nothing else is left to do before they are here, if `awaited`.
    Coming {
        awaited: bool,
    },
    /// They were refused while the engine was not attached: the next welcome drops the task, or they are fetched again.
    Refused,
    Here,
}

#[derive(Debug)]
pub(super) enum State {
    /// In its queue at this place.
    Queued {
        place: u64,
        claim: Claim,
    },
    /// The runtime has it.
    Running,
    Finished(Finished),
}

/// Whether a queued task may still be taken back, and started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    /// It may be taken back.
    None,
    /// The scheduler counts it as claimed: it may start.
    Given,
    /// Claimed; it starts when the scheduler says yes.
    Asked,
}

#[derive(Debug)]
pub(super) struct Finished {
    pub(super) outcome: Arc<Outcome>,
    /// Finished tasks are reported in this order.
    pub(super) order: u64,
    /// Number of pieces of output that go before it.
    pub(super) after_output: u64,
}

impl Task {
    /// Nothing that it needs is still on its way.
    pub(super) fn is_whole(&self) -> bool {
        let coming = matches!(self.large, LargeArguments::Coming { .. } | LargeArguments::Refused)
            && !forgets(Mutant::StartedWithoutBytes);
        !coming && !matches!(self.function, NeededFunction::Missing(_))
    }

    pub(super) fn held_state(&self) -> HeldState {
        match self.state {
            State::Queued { claim: Claim::None, .. } => HeldState::Queued,
            State::Queued { .. } | State::Running => HeldState::Claimed,
            State::Finished(_) => HeldState::Finished,
        }
    }
}

/// Task, attempt and what a report adds around them, in bytes on the wire.
pub(super) const REPORT_OVERHEAD: u64 = 64;

/// What an outcome takes of a message.
pub(super) fn outcome_size(outcome: &Outcome) -> u64 {
    outcome.inline_size() + REPORT_OVERHEAD
}

/// Sorts held tasks so that two hellos of the same state are equal.
pub(super) fn in_order(mut attempts: Vec<AttemptId>) -> Vec<AttemptId> {
    attempts.sort_unstable();
    attempts
}
