//! The machine: stimuli in, instructions out.

use std::{sync::Arc, time::Duration};

use super::{
    Config, ExitReason, Instruction, Status, Stimulus, Transition, credit::Room, functions::Functions, large::Kept,
    link::Link, outbox::Outbox, queue::Queues, runs::Runs, task::Task,
};
use crate::{
    backoff::Backoff,
    hash::HashMap,
    id::{AttemptId, Epoch},
    session_link::EngineInfo,
    time::Time,
    transitions::Transitions,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct EngineSession {
    pub(super) config: Config,
    pub(super) info: Option<Arc<EngineInfo>>,
    pub(super) link: Link,
    /// Streams opened so far.
    pub(super) streams: u64,
    pub(super) line_free: bool,
    pub(super) backoff: Backoff,
    pub(super) epoch: Option<Epoch>,
    pub(super) lease: Duration,
    /// When the scheduler was heard last.
    pub(super) heard: Time,
    /// When it was told something last.
    pub(super) said: Time,
    /// Since when no scheduler is there.
    pub(super) alone_since: Option<Time>,
    pub(super) tasks: HashMap<AttemptId, Task>,
    pub(super) queues: Queues,
    pub(super) room: Room,
    pub(super) functions: Functions,
    pub(super) outbox: Outbox,
    pub(super) idle: bool,
    pub(super) runs: Runs,
    pub(super) kept: Kept,
    pub(super) draining: bool,
    /// The scheduler has yet to hear of it.
    pub(super) draining_unsaid: bool,
    /// How many tasks finished here.
    pub(super) finished: u64,
    pub(super) exit: Option<ExitReason>,
    /// Interrupts and hang-ups, given at the next flush before anything else.
    pub(super) urgent: Vec<Instruction>,
    pub(super) transitions: Transitions<Transition>,
}

impl EngineSession {
    /// A machine that waits to be registered.
    #[must_use]
    pub fn new(config: Config, now: Time) -> Self {
        Self {
            config,
            info: None,
            link: Link::Unregistered,
            streams: 0,
            line_free: false,
            backoff: Backoff::new(config.dial),
            epoch: None,
            lease: config.dial.answer_timeout,
            heard: now,
            said: now,
            alone_since: None,
            tasks: HashMap::default(),
            queues: Queues::default(),
            room: Room::new(config.task_window, config.byte_window, config.outcomes),
            functions: Functions::new(config.function_cache_bytes),
            outbox: Outbox::new(config.output_bytes),
            idle: false,
            runs: Runs::default(),
            kept: Kept::default(),
            draining: false,
            draining_unsaid: false,
            finished: 0,
            exit: None,
            urgent: Vec::new(),
            transitions: Transitions::default(),
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Time, stimulus: Stimulus) {
        if self.link == Link::Exited {
            return;
        }
        match stimulus {
            Stimulus::Registered { info } => self.registered(now, info),
            Stimulus::Connected => self.connected(now),
            Stimulus::Received(message) => self.received(now, message),
            Stimulus::Broken if matches!(self.link, Link::Unregistered | Link::Waiting { .. }) => {}
            Stimulus::Broken => self.broke(now),
            Stimulus::LineFree => self.line_free = self.link.is_connected(),
            Stimulus::RuntimeIdle => {
                self.idle = true;
                self.runs.idle();
            }
            Stimulus::Output { attempt, output } => self.output(attempt, output),
            Stimulus::Finished { attempt, outcome } => self.ended(now, attempt, outcome),
            Stimulus::Fetched { attempt, arguments } => self.fetched(attempt, arguments),
            Stimulus::NotFetched { attempt, outcome } => self.not_fetched(attempt, outcome),
            Stimulus::BlobStored { blob } => self.stored(blob),
            Stimulus::BlobNotStored { blob } => self.not_stored(blob),
            Stimulus::Drain => self.drain(),
            Stimulus::Tick => {}
        }
    }

    /// Gives what is to be done now.
    pub fn flush(&mut self, now: Time, out: &mut Vec<Instruction>) {
        if self.link == Link::Exited {
            return;
        }
        self.expire(now);
        self.check_runs(now);
        out.append(&mut self.urgent);
        let killed = self.has_said_last_word(now).then_some(ExitReason::Killed);
        if let Some(reason) = self.exit.or(killed).or_else(|| self.is_drained().then_some(ExitReason::Drained)) {
            self.transitions.took(Transition::Exited);
            self.link = Link::Exited;
            out.push(Instruction::Exit { reason });
            return;
        }
        if let Link::Waiting { until } = self.link
            && until <= now
        {
            self.transitions.took(Transition::Dialled);
            self.link = Link::Dialling { deadline: self.backoff.answer_deadline(now) };
            out.push(Instruction::Dial);
        }
        let batch = if self.idle && self.link == Link::Attached { self.claim() } else { Vec::new() };
        if self.line_free
            && let Some(message) = self.message(now)
        {
            self.line_free = false;
            self.said = now;
            out.push(Instruction::Send(message));
        }
        if !batch.is_empty() {
            self.idle = false;
            self.runs.hand(now, batch.iter().map(|task| task.attempt));
            out.push(Instruction::Run(batch));
        }
    }

    /// When to come back with [`Stimulus::Tick`] if nothing happens before.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        if self.link == Link::Exited {
            return None;
        }
        let attached = self.link == Link::Attached;
        let silence = attached.then(|| self.heard + self.lease);
        let heartbeat = (attached && self.line_free).then(|| self.heartbeat_at());
        let orphaned = self.alone_since.map(|since| since + self.config.orphan_timeout);
        [self.link.deadline(), silence, heartbeat, orphaned, self.runs_due()].into_iter().flatten().min()
    }

    /// Whether the scheduler has welcomed this stream.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.link == Link::Attached
    }

    /// How often each transition was taken.
    #[must_use]
    pub fn transitions(&self) -> &Transitions<Transition> {
        &self.transitions
    }

    /// Who the engine is, once registered.
    #[must_use]
    pub fn info(&self) -> Option<&Arc<EngineInfo>> {
        self.info.as_ref()
    }

    /// What it holds: all zero when there is nothing left to do.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            tasks: self.tasks.len(),
            held: self.room.held(),
            functions_waited_for: self.functions.missing().count(),
            function_bytes: self.functions.bytes(),
            output_bytes: self.outbox.output_bytes(),
            kept_blobs: self.kept.len(),
        }
    }
}
