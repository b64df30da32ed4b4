//! What a session knows, behind one lock.

use std::sync::Arc;

use paraply_common::{
    clock,
    transport::{INLINE_BYTES, MESSAGE_BYTES},
};
use paraply_core::{
    client_session::{ClientSession, Config, EndReason},
    hash::HashMap,
    id::{BlobId, SessionId},
    outcome::Outcome,
    session_link::EventKind,
    time::Time,
};
use paraply_proto::common::v1::Limits;

use super::arguments::{Argument, Arguments};
use crate::{
    cell::Cell,
    error::{Error, SessionError},
    output::Output,
};

/// A task whose result is not here.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) cell: Arc<Cell>,
    /// Large parts of its arguments.
    pub(super) argument: Option<Arc<Argument>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) machine: ClientSession,
    pub(super) tasks: HashMap<u64, Slot>,
    pub(super) arguments: Arguments,
    /// Largest payload that travels inside a message, and largest message, in bytes.
    pub(super) inline_bytes: usize,
    pub(super) message_bytes: usize,
    /// Tasks that wait are aborted when this client leaves.
    pub(super) cancels: bool,
    /// The client leaves: until when what was submitted may take to reach the scheduler.
    pub(super) leave_by: Option<Time>,
    /// What went wrong last on the way to the scheduler.
    pub(super) problem: String,
    pub(super) ended: Option<SessionError>,
}

impl State {
    pub(super) fn new(id: SessionId, label: String, cancels: bool, seed: u64) -> Self {
        let mut config = Config::new(id);
        config.label = label.into();
        config.cancel_on_disconnect = cancels;
        config.dial.jitter_seed = seed;
        Self {
            machine: ClientSession::new(config, clock::now()),
            tasks: HashMap::default(),
            arguments: Arguments::default(),
            inline_bytes: INLINE_BYTES,
            message_bytes: MESSAGE_BYTES,
            cancels,
            leave_by: None,
            problem: String::new(),
            ended: None,
        }
    }

    /// What the scheduler takes; 0 is not said.
    pub(super) fn limits(&mut self, limits: &Limits) {
        for (known, said) in
            [(&mut self.inline_bytes, limits.inline_bytes), (&mut self.message_bytes, limits.message_bytes)]
        {
            if said > 0 {
                // More than our own ends make is not needed.
                *known = usize::try_from(said).unwrap_or(*known).min(MESSAGE_BYTES);
            }
        }
    }

    pub(super) fn check_open(&self) -> Result<(), SessionError> {
        match (&self.ended, self.leave_by) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(_)) => Err(SessionError::Closed),
            (None, None) => Ok(()),
        }
    }

    /// Tells the handle of a task what happened to it. Returns the parts of a result that nobody will read.
    pub(super) fn deliver(&mut self, event: EventKind) -> Vec<BlobId> {
        match event {
            EventKind::Claimed(claim) => {
                if let Some(slot) = self.tasks.get(&claim.index) {
                    slot.cell.claimed(claim.engine.0, claim.attempt);
                }
            }
            EventKind::Output { index, attempt, engine, output } => {
                if let Some(slot) = self.tasks.get(&index) {
                    let (kind, data, dropped) = (output.kind, output.data, output.dropped);
                    slot.cell.wrote(Output { kind, data, dropped, engine: engine.0, attempt });
                }
            }
            EventKind::Finished { index, attempt, engine, outcome, .. } => {
                let blobs = |outcome: &Outcome| outcome.blobs().map(|blob| blob.id).collect();
                let Some(slot) = self.remove(index) else { return blobs(&outcome) };
                if !slot.cell.finish(engine.map(|engine| engine.0), attempt, Ok(Arc::clone(&outcome))) {
                    return blobs(&outcome);
                }
            }
            EventKind::EngineJoined(_) | EventKind::EngineLeft { .. } | EventKind::Unknown => {}
        }
        Vec::new()
    }

    /// Takes out a task that is over, and the large parts of its arguments with the last that has them.
    fn remove(&mut self, index: u64) -> Option<Slot> {
        let mut slot = self.tasks.remove(&index)?;
        if let Some(argument) = slot.argument.take() {
            self.arguments.done_with(argument);
        }
        Some(slot)
    }

    /// Whether any of the tasks that take an argument is open.
    pub(super) fn wants(&self, argument: &Argument) -> bool {
        argument.tasks.clone().any(|index| self.tasks.contains_key(&index))
    }

    /// A task fails for a reason found at this end. It is to be cancelled.
    pub(super) fn doom(&mut self, index: u64, error: &Error) {
        if let Some(slot) = self.tasks.get(&index) {
            slot.cell.finish(None, 0, Err(error.clone()));
        }
    }

    /// It is over.
    pub(super) fn end(&mut self, error: SessionError) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(error.clone());
        self.arguments = Arguments::default();
        for (_, slot) in self.tasks.drain() {
            slot.cell.finish(None, 0, Err(Error::Session(error.clone())));
        }
    }
}

impl From<EndReason> for SessionError {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Closed => Self::Closed,
            EndReason::Superseded => Self::Superseded,
            EndReason::Expired => Self::Expired,
            EndReason::ProtocolError(message) => Self::Protocol(message),
            EndReason::Limit(message) => Self::Limit(message),
        }
    }
}
