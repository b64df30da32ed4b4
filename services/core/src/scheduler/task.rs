//! A task as the scheduler holds it, and the states it goes through.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::labels::Selector;
use crate::{
    call::{CallHead, Placement, Work},
    id::{Digest, EngineId},
    outcome::Outcome,
    payload::Payload,
    time::Time,
};

/// Where a task is. Finished tasks have no record: their outcome is an event in the session's outbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Accepted; bytes that its call names, or an earlier direct call, are not here yet.
    Waiting,
    /// Replayed; an engine of an earlier epoch may still hold it: this one, or any.
    Unsure(Option<EngineId>),
    /// In a balanced queue, or in the direct queue of an engine.
    Queued,
    /// Sent to an engine that has not claimed it.
    Assigned(EngineId),
    /// The engine was asked to give it back.
    Retracting(EngineId),
    /// The engine said it starts it, or had nothing else when it was sent.
    Claimed(EngineId),
}

/// Who may take a task out of a balanced queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Takers {
    /// Any engine.
    Any,
    /// Any that carries these labels.
    Carriers(Selector),
    /// Certain engines, in whose lists it is.
    Listed,
}

/// A task that is accepted and not finished.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) head: Arc<CallHead>,
    pub(super) arguments: Payload,
    pub(super) state: State,
    /// The run it is in, or was in last; 0 before the first.
    pub(super) attempt: u32,
    /// The highest attempt that an engine was heard to speak of: a number that may be on somewhere is not given again.
    pub(super) heard_of: u32,
    /// Runs that ended in failure or with their engine.
    pub(super) failures: u32,
    /// The labels that its engine has to carry.
    pub(super) selector: Option<Selector>,
    /// Which engine a direct task is for.
    pub(super) target: Option<EngineId>,
    /// Its client does not want it any more: it may end, and does not run again.
    pub(super) cancelled: bool,
    /// Where earlier runs failed: it does not run there again.
    pub(super) excluded: Vec<EngineId>,
    /// How the last failed run ended.
    pub(super) last_failure: Option<(EngineId, Arc<Outcome>)>,
    /// When a task still queued fails with a time-out.
    pub(super) queue_deadline: Option<Time>,
    /// When it was accepted, or replayed.
    pub(super) accepted: Time,
}

impl Task {
    /// In a box: a map of very many has nodes that are half empty.
    pub(super) fn new(head: Arc<CallHead>, arguments: Payload, target: Option<EngineId>, now: Time) -> Box<Self> {
        Box::new(Self {
            head,
            arguments,
            state: State::Waiting,
            attempt: 0,
            heard_of: 0,
            failures: 0,
            selector: None,
            target,
            cancelled: false,
            excluded: Vec::new(),
            last_failure: None,
            queue_deadline: None,
            accepted: now,
        })
    }

    /// It had come to this attempt: those before it had failed.
    pub(super) fn was_on(&mut self, attempt: u32) {
        self.attempt = attempt;
        self.failures = self.failures.max(attempt.saturating_sub(1));
    }

    pub(super) fn engine(&self) -> Option<EngineId> {
        match self.state {
            State::Assigned(engine) | State::Retracting(engine) | State::Claimed(engine) => Some(engine),
            State::Waiting | State::Unsure(_) | State::Queued => None,
        }
    }

    pub(super) fn is_direct(&self) -> bool {
        self.target.is_some()
    }

    pub(super) fn digest(&self) -> Option<Digest> {
        match self.head.work {
            Work::Function(digest) => Some(digest),
            Work::Execute { .. } => None,
        }
    }

    /// The engines it is limited to by its caller; `None`: any.
    pub(super) fn allowed(&self) -> Option<&[EngineId]> {
        match &self.head.placement {
            Placement::Balanced { engines, .. } if !engines.is_empty() => Some(engines),
            Placement::Balanced { .. } | Placement::Direct { .. } => None,
        }
    }

    /// The labels that its caller asks for.
    pub(super) fn labels(&self) -> &[(Bytes, Bytes)] {
        match &self.head.placement {
            Placement::Balanced { labels, .. } => labels,
            Placement::Direct { .. } => &[],
        }
    }

    /// It is not kept from this engine by its number. What labels say, [`Selectors`](super::labels::Selectors) knows.
    pub(super) fn may_run_on(&self, engine: EngineId) -> bool {
        self.allowed().is_none_or(|allowed| allowed.contains(&engine)) && !self.excluded.contains(&engine)
    }

    /// Who may take it out of a balanced queue.
    pub(super) fn takers(&self) -> Takers {
        if self.allowed().is_some() || !self.excluded.is_empty() {
            return Takers::Listed;
        }
        self.selector.map_or(Takers::Any, Takers::Carriers)
    }

    pub(super) fn may_retry(&self) -> bool {
        match self.head.placement {
            Placement::Balanced { retries, .. } => self.failures < retries && !self.cancelled,
            Placement::Direct { .. } => false,
        }
    }

    pub(super) fn queue_timeout(&self) -> Option<Duration> {
        match self.head.placement {
            Placement::Balanced { queue_timeout, .. } => queue_timeout,
            Placement::Direct { .. } => None,
        }
    }

    /// Bytes of arguments that it keeps here.
    pub(super) fn size(&self) -> u64 {
        self.arguments.inline_size()
    }
}
