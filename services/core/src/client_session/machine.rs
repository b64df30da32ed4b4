//! The machine: calls and stimuli in, instructions out.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use super::{
    Config, Instruction, Status, Stimulus, SubmitError, Transition, calls::Calls, functions::Functions, link::Link,
    outbox::Outbox, output::Delivered,
};
use crate::{
    backoff::Backoff,
    call::{Call, CallHead, Placement, Work},
    id::{EngineId, Epoch},
    payload::{Function, Payload},
    session_link::{CancelMode, EngineInfo, Event, SubmitCredit},
    time::Time,
    transitions::Transitions,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct ClientSession {
    pub(super) config: Config,
    pub(super) link: Link,
    /// Streams opened so far.
    pub(super) streams: u64,
    pub(super) line_free: bool,
    pub(super) backoff: Backoff,
    pub(super) epoch: Option<Epoch>,
    pub(super) calls: Calls,
    pub(super) functions: Functions,
    pub(super) accepted_up_to: u64,
    pub(super) outbox: Outbox,
    pub(super) credit: SubmitCredit,
    /// Open tasks that are to be cancelled.
    pub(super) cancelled: BTreeMap<u64, CancelMode>,
    /// Of these, those that this stream has not carried.
    pub(super) cancels_unsent: BTreeSet<u64>,
    /// The last event received in this epoch, and the last acknowledged.
    pub(super) sequence: u64,
    pub(super) acked: u64,
    pub(super) unacked_bytes: u64,
    pub(super) unacked_since: Option<Time>,
    pub(super) engines: BTreeMap<EngineId, Arc<EngineInfo>>,
    pub(super) delivered: Delivered,
    pub(super) deliver: Vec<Event>,
    pub(super) closing: bool,
    /// Hang-ups and the end, given at the next flush.
    pub(super) urgent: Vec<Instruction>,
    pub(super) transitions: Transitions<Transition>,
}

impl ClientSession {
    /// A machine that dials at once.
    #[must_use]
    pub fn new(config: Config, now: Time) -> Self {
        Self {
            link: Link::Waiting { until: now },
            streams: 0,
            line_free: false,
            backoff: Backoff::new(config.dial),
            config,
            epoch: None,
            calls: Calls::default(),
            functions: Functions::default(),
            accepted_up_to: 0,
            outbox: Outbox::default(),
            credit: SubmitCredit::default(),
            cancelled: BTreeMap::new(),
            cancels_unsent: BTreeSet::new(),
            sequence: 0,
            acked: 0,
            unacked_bytes: 0,
            unacked_since: None,
            engines: BTreeMap::new(),
            delivered: Delivered::default(),
            deliver: Vec::new(),
            closing: false,
            urgent: Vec::new(),
            transitions: Transitions::default(),
        }
    }

    /// Takes a call and says which indexes its tasks have.
    ///
    /// # Errors
    /// The session is over, or the call cannot be: nothing was taken.
    pub fn submit(
        &mut self,
        head: Arc<CallHead>,
        arguments: Vec<Payload>,
        function: Option<Arc<Function>>,
    ) -> Result<Range<u64>, SubmitError> {
        if self.link == Link::Ended || self.closing {
            return Err(SubmitError::Closed);
        }
        let first = self.calls.next_index;
        let call = Call { first_index: first, head, arguments };
        call.check().map_err(SubmitError::Refused)?;
        if let Work::Function(digest) = call.head.work
            && function.as_ref().is_none_or(|function| function.digest != digest)
        {
            return Err(SubmitError::FunctionMissing(digest));
        }
        let Call { head, arguments, .. } = call;
        let cut = matches!(head.placement, Placement::Balanced { .. });
        for arguments in if cut { self.cut(arguments) } else { vec![arguments] } {
            self.calls.push(Arc::clone(&head), arguments);
            if let (Work::Function(_), Some(function)) = (&head.work, &function) {
                self.functions.keep(Arc::clone(function));
            }
        }
        Ok(first..self.calls.next_index)
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Time, stimulus: Stimulus) {
        if self.link == Link::Ended {
            return;
        }
        match stimulus {
            Stimulus::Connected => self.connected(now),
            Stimulus::Received(message) => self.received(now, message),
            Stimulus::Broken => self.broken(now),
            Stimulus::LineFree => self.line_free = self.link.is_connected(),
            Stimulus::Cancel { indexes, mode } => self.cancel(indexes, mode),
            Stimulus::Release { blobs } => self.outbox.release(blobs),
            Stimulus::Close => self.close(),
            Stimulus::Tick => {}
        }
    }

    /// Gives what is to be done now.
    pub fn flush(&mut self, now: Time, out: &mut Vec<Instruction>) {
        if self.link != Link::Ended {
            self.expire(now);
        }
        if !self.deliver.is_empty() {
            out.push(Instruction::Deliver(std::mem::take(&mut self.deliver)));
        }
        out.append(&mut self.urgent);
        if let Link::Waiting { until } = self.link
            && until <= now
        {
            self.transitions.took(Transition::Dialled);
            self.link = Link::Dialling { deadline: self.backoff.answer_deadline(now) };
            out.push(Instruction::Dial);
        }
        if self.line_free
            && let Some(message) = self.message(now)
        {
            self.line_free = false;
            out.push(Instruction::Send(message));
        }
    }

    /// When to come back with [`Stimulus::Tick`] if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        let ack = self.unacked_since.filter(|_| self.line_free && self.link == Link::Attached && !self.closing);
        [self.link.deadline(), ack.map(|since| since + self.config.ack_delay)].into_iter().flatten().min()
    }

    /// Engines attached to the scheduler, as far as this client was told.
    #[must_use]
    pub fn engines(&self) -> &BTreeMap<EngineId, Arc<EngineInfo>> {
        &self.engines
    }

    /// Whether the scheduler has welcomed this stream.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.link == Link::Attached
    }

    /// What it holds.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            next_index: self.calls.next_index,
            accepted_up_to: self.accepted_up_to,
            open_tasks: self.calls.open_tasks,
            calls: self.calls.len(),
            functions: self.functions.len(),
            unacknowledged: self.sequence - self.acked,
            cancelled: self.cancelled.len(),
            all_said: self.has_said_all(),
        }
    }

    /// Whether the scheduler holds every call and was told of every cancel, on the stream there is.
    fn has_said_all(&self) -> bool {
        self.is_attached()
            && self.line_free
            && self.cancels_unsent.is_empty()
            && !self.outbox.is_replaying()
            && self.accepted_up_to >= self.calls.next_index
    }

    /// How often each transition was taken.
    #[must_use]
    pub fn transitions(&self) -> &Transitions<Transition> {
        &self.transitions
    }

    /// Cuts the arguments of a balanced call, which has one task an argument, into those of several calls.
    fn cut(&mut self, arguments: Vec<Payload>) -> Vec<Vec<Payload>> {
        let mut calls = vec![Vec::new()];
        let mut bytes = 0;
        for argument in arguments {
            let size = argument.inline_size();
            let last = calls.last().map_or(0, Vec::len);
            if last > 0 && (last >= self.config.call_tasks || bytes + size > self.config.call_bytes) {
                self.transitions.took(Transition::CutCall);
                calls.push(Vec::new());
                bytes = 0;
            }
            bytes += size;
            if let Some(call) = calls.last_mut() {
                call.push(argument);
            }
        }
        calls
    }

    fn cancel(&mut self, indexes: Vec<u64>, mode: CancelMode) {
        for index in indexes {
            // Who lets go of a task that was to be killed has not changed their mind.
            let is_weaker = self.cancelled.get(&index).is_some_and(|before| before.is_harder_than(mode));
            if self.calls.is_open(index) && !is_weaker {
                self.transitions.took(Transition::Cancelled);
                self.cancelled.insert(index, mode);
                self.cancels_unsent.insert(index);
            }
        }
    }
}
