//! The stream to the scheduler: dialled, greeted, resumed, lost.

use super::{ClientSession, EndReason, Instruction, Transition};
use crate::{
    session_link::{CloseReason, Hello, ResumePoint, ToClient, ToScheduler, Welcome},
    time::Time,
};

/// How far the stream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Link {
    /// Between streams.
    Waiting { until: Time },
    /// Dialled, not answered.
    Dialling { deadline: Time },
    /// Connected, not welcomed. Once the hello is said: the `next_index` that it named.
    Greeting { deadline: Time, hello: Option<u64> },
    /// Welcomed.
    Attached,
    /// The session is over.
    Ended,
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
            Self::Attached | Self::Ended => None,
        }
    }
}

impl ClientSession {
    pub(super) fn connected(&mut self, now: Time) {
        if let Link::Dialling { .. } = self.link {
            self.streams += 1;
            self.link = Link::Greeting { deadline: self.backoff.answer_deadline(now), hello: None };
            self.line_free = true;
        }
    }

    pub(super) fn received(&mut self, now: Time, message: ToClient) {
        match (self.link, message) {
            (Link::Greeting { hello: Some(next_index), .. }, ToClient::Welcome(welcome)) => {
                self.welcomed(welcome, next_index);
            }
            (Link::Attached, ToClient::Update(update)) => self.updated(now, update),
            (Link::Attached | Link::Greeting { .. }, ToClient::Closed { reason, message, .. }) => {
                self.told_closed(now, reason, message);
            }
            // A second welcome, or an update before the first: this peer does not keep to the protocol.
            (Link::Attached | Link::Greeting { .. }, _) => self.hang_up(now),
            _ => {}
        }
    }

    pub(super) fn broken(&mut self, now: Time) {
        if !matches!(self.link, Link::Waiting { .. }) {
            self.lost(now);
        }
    }

    pub(super) fn hang_up(&mut self, now: Time) {
        self.urgent.push(Instruction::HangUp);
        self.lost(now);
    }

    fn lost(&mut self, now: Time) {
        if self.closing {
            return self.end(EndReason::Closed);
        }
        self.transitions.took(Transition::Broke);
        self.line_free = false;
        self.link = Link::Waiting { until: self.backoff.failed(now) };
    }

    pub(super) fn expire(&mut self, now: Time) {
        if let Link::Dialling { deadline } | Link::Greeting { deadline, .. } = self.link
            && deadline <= now
        {
            self.transitions.took(Transition::WentUnanswered);
            self.hang_up(now);
        }
    }

    pub(super) fn close(&mut self) {
        self.closing = true;
        match self.link {
            Link::Greeting { .. } | Link::Attached | Link::Ended => {}
            Link::Waiting { .. } => self.end(EndReason::Closed),
            Link::Dialling { .. } => {
                self.urgent.push(Instruction::HangUp);
                self.end(EndReason::Closed);
            }
        }
    }

    fn told_closed(&mut self, now: Time, reason: CloseReason, message: String) {
        let reason = match reason {
            CloseReason::Closed => EndReason::Closed,
            CloseReason::Superseded => EndReason::Superseded,
            CloseReason::Expired => EndReason::Expired,
            CloseReason::ProtocolError => EndReason::ProtocolError(message),
            CloseReason::Limit => EndReason::Limit(message),
            CloseReason::OutOfOrder | CloseReason::Shutdown => return self.hang_up(now),
        };
        self.urgent.push(Instruction::HangUp);
        self.end(reason);
    }

    fn end(&mut self, reason: EndReason) {
        self.transitions.took(if self.closing { Transition::Closed } else { Transition::Ended });
        self.line_free = false;
        self.link = Link::Ended;
        self.urgent.push(Instruction::Ended { reason });
    }

    pub(super) fn hello(&mut self) -> ToScheduler {
        let next_index = self.outbox.sent_up_to;
        let resume = self.epoch.map(|epoch| ResumePoint { epoch, sequence: self.sequence, next_index });
        ToScheduler::Hello(Hello {
            session: self.config.session,
            resume,
            cancel_on_disconnect: self.config.cancel_on_disconnect,
            label: self.config.label.clone(),
            stream: self.streams,
        })
    }

    fn welcomed(&mut self, welcome: Welcome, next_index: u64) {
        if !welcome.replay && welcome.accepted_up_to > next_index {
            self.urgent.push(Instruction::HangUp);
            let message = "the scheduler has accepted tasks that this client never submitted".to_owned();
            return self.end(EndReason::ProtocolError(message));
        }
        self.backoff.succeeded();
        self.link = Link::Attached;
        let before = self.epoch.replace(welcome.epoch);
        let same_epoch = before == Some(welcome.epoch);
        if !same_epoch {
            self.sequence = 0;
            self.outbox.restart();
        }
        if !same_epoch || welcome.replay {
            self.functions.forget_sent();
        }
        self.transitions.took(match (before, same_epoch, welcome.replay) {
            (None, ..) => Transition::Welcomed,
            (_, _, true) => Transition::Replayed,
            (_, true, false) => Transition::Resumed,
            (_, false, false) => Transition::ResumedFromStore,
        });
        // The hello said what was received.
        self.acknowledged();
        self.accepted_up_to = if welcome.replay { 0 } else { welcome.accepted_up_to };
        self.outbox.resume(if welcome.replay { None } else { Some(welcome.accepted_up_to) }, next_index);
        self.credit = welcome.credit;
        self.cancels_unsent = self.cancelled.keys().copied().collect();
        for _ in &self.cancels_unsent {
            self.transitions.took(Transition::CancelledAgain);
        }
        self.engines_are(welcome.engines);
    }
}
