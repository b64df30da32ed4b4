//! The state of the stream to the scheduler, and what time does to it.

use std::sync::Arc;

use super::{EngineSession, ExitReason, Instruction, Transition, task::in_order};
use crate::{
    engine_link::{Held, Hello, ToScheduler},
    session_link::EngineInfo,
    time::Time,
};

/// How far the stream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Link {
    /// No id yet.
    Unregistered,
    /// Between streams.
    Waiting { until: Time },
    /// Dialled, not answered.
    Dialling { deadline: Time },
    /// Connected, not welcomed.
    Greeting { deadline: Time, said_hello: bool },
    /// Welcomed.
    Attached,
    /// The engine leaves.
    Exited,
}

impl Link {
    /// There is a stream, so that a line can be free.
    pub(super) fn is_connected(self) -> bool {
        matches!(self, Self::Greeting { .. } | Self::Attached)
    }

    /// When to give up waiting for the peer, or to dial.
    pub(super) fn deadline(self) -> Option<Time> {
        match self {
            Self::Waiting { until: at } | Self::Dialling { deadline: at } | Self::Greeting { deadline: at, .. } => {
                Some(at)
            }
            Self::Unregistered | Self::Attached | Self::Exited => None,
        }
    }
}

impl EngineSession {
    pub(super) fn heartbeat_at(&self) -> Time {
        self.said + self.lease / 3
    }

    pub(super) fn registered(&mut self, now: Time, info: Arc<EngineInfo>) {
        let same = self.info.as_ref().is_some_and(|old| old.id == info.id && old.incarnation == info.incarnation);
        self.info = Some(info);
        if same {
            return;
        }
        if !matches!(self.link, Link::Unregistered | Link::Waiting { .. }) {
            self.hang_up(now);
        }
        self.alone_since.get_or_insert(now);
        self.link = Link::Waiting { until: now };
    }

    pub(super) fn connected(&mut self, now: Time) {
        if let Link::Dialling { .. } = self.link {
            self.streams += 1;
            self.link = Link::Greeting { deadline: self.backoff.answer_deadline(now), said_hello: false };
            self.line_free = true;
        }
    }

    pub(super) fn hang_up(&mut self, now: Time) {
        self.urgent.push(Instruction::HangUp);
        self.broke(now);
    }

    pub(super) fn broke(&mut self, now: Time) {
        self.transitions.took(Transition::Broke);
        self.alone_since.get_or_insert(now);
        self.line_free = false;
        self.link = Link::Waiting { until: self.backoff.failed(now) };
    }

    pub(super) fn expire(&mut self, now: Time) {
        match self.link {
            Link::Dialling { deadline } | Link::Greeting { deadline, .. } if deadline <= now => self.hang_up(now),
            Link::Attached if self.heard + self.lease <= now => {
                self.transitions.took(Transition::WentSilent);
                self.hang_up(now);
            }
            _ => {}
        }
        if self.alone_since.is_some_and(|since| since + self.config.orphan_timeout <= now) {
            self.exit = Some(ExitReason::Orphaned);
        }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.draining
            && self.tasks.is_empty()
            && self.kept.is_empty()
            && !(self.link == Link::Attached && self.draining_unsaid)
    }

    /// The next message, if one is due.
    pub(super) fn message(&mut self, now: Time) -> Option<ToScheduler> {
        match self.link {
            Link::Greeting { said_hello: false, deadline } => {
                self.link = Link::Greeting { said_hello: true, deadline };
                self.hello()
            }
            Link::Attached => self.reports(now),
            _ => None,
        }
    }

    fn hello(&mut self) -> Option<ToScheduler> {
        self.outbox.restart();
        let credit = self.room.restart();
        let kept_blobs = self.name_kept_blobs();
        let info = Arc::clone(self.info.as_ref()?);
        Some(ToScheduler::Hello(Hello {
            info,
            last_epoch: self.epoch,
            held: self.held(),
            credit,
            stream: self.streams,
            kept_blobs,
        }))
    }

    fn reports(&mut self, now: Time) -> Option<ToScheduler> {
        let heartbeat = self.heartbeat_at() <= now;
        let due = !self.outbox.is_empty() || self.room.is_due() || self.draining_unsaid;
        if !(due || heartbeat && self.room.grew()) {
            if heartbeat {
                self.transitions.took(Transition::SentHeartbeat);
            }
            return heartbeat.then_some(ToScheduler::Heartbeat);
        }
        let mut reports = self.outbox.take(&self.tasks, self.config.message_bytes);
        reports.credit = self.room.announce();
        reports.draining = std::mem::take(&mut self.draining_unsaid);
        if !self.outbox.is_empty() {
            self.transitions.took(Transition::CutReports);
        }
        Some(ToScheduler::Reports(reports))
    }

    /// All tasks held, in order.
    fn held(&self) -> Vec<Held> {
        let attempts = in_order(self.tasks.keys().copied().collect());
        attempts.into_iter().map(|attempt| Held { attempt, state: self.tasks[&attempt].held_state() }).collect()
    }
}
