//! What is due to the scheduler: one message at a time, whatever the line has room for.

use std::{collections::VecDeque, sync::Arc};

use super::{ClientSession, Transition, invariants::ensure, link::Link};
use crate::{
    id::BlobId,
    mutant::{Mutant, forgets},
    payload::Function,
    session_link::{CancelMode, ToScheduler},
    time::Time,
};

/// What an index takes of a message at the most.
const INDEX_BYTES: u64 = 10;

/// What a blob's name takes of a message.
const BLOB_BYTES: u64 = 18;
/// Releases that may wait for the line. Those beyond are not said: the session's end releases everything.
const MOST_RELEASES: usize = 100_000;

/// How far this stream has carried the calls.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Calls from this index on are to be submitted.
    next_to_send: u64,
    /// Calls below were sent at some time: what a resume point names, and what is replayed.
    pub(super) sent_up_to: u64,
    /// A replay under way.
    replay: Option<Replay>,
    /// Calls from this index on were not counted in `sent_bytes`.
    uncounted_from: u64,
    /// Bytes submitted in this epoch.
    sent_bytes: u64,
    releases: VecDeque<BlobId>,
    close_sent: bool,
}

#[derive(Clone, Copy, Debug)]
struct Replay {
    /// Calls from here on are to be replayed.
    next: u64,
    /// Up to here.
    until: u64,
}

impl Outbox {
    /// Another scheduler: nothing was sent in its epoch.
    pub(super) fn restart(&mut self) {
        self.sent_bytes = 0;
        self.uncounted_from = 0;
    }

    /// A stream was welcomed: calls from `accepted_up_to` on go again, or all below `next_index` are replayed.
    pub(super) fn resume(&mut self, accepted_up_to: Option<u64>, next_index: u64) {
        self.replay = accepted_up_to.is_none().then_some(Replay { next: 0, until: next_index });
        self.next_to_send = accepted_up_to.filter(|_| !forgets(Mutant::SubmitNotRepeated)).unwrap_or(next_index);
        self.uncounted_from = self.uncounted_from.max(self.next_to_send);
    }

    pub(super) const fn is_replaying(&self) -> bool {
        self.replay.is_some()
    }

    /// These blobs are not needed any more.
    pub(super) fn release(&mut self, blobs: impl IntoIterator<Item = BlobId>) {
        self.releases.extend(blobs.into_iter().take(MOST_RELEASES - self.releases.len()));
    }

    /// Checks that nothing is beyond the calls there are.
    pub(super) fn check(&self, next_index: u64) -> Result<(), String> {
        let ends = [self.next_to_send, self.sent_up_to, self.uncounted_from];
        ensure(ends.iter().all(|end| *end <= next_index), || format!("{ends:?} are beyond {next_index}"))?;
        ensure(self.releases.len() <= MOST_RELEASES, || format!("{} releases wait", self.releases.len()))
    }
}

/// What a function takes of a message, about.
fn function_size(function: &Arc<Function>) -> u64 {
    64 + function.payload.inline_size() + function.name.len() as u64
}

impl ClientSession {
    /// The next message, if one is due.
    pub(super) fn message(&mut self, now: Time) -> Option<ToScheduler> {
        match self.link {
            Link::Greeting { hello: None, deadline } => {
                self.link = Link::Greeting { hello: Some(self.outbox.sent_up_to), deadline };
                Some(self.hello())
            }
            Link::Attached if self.closing => {
                let first = !std::mem::replace(&mut self.outbox.close_sent, true);
                first.then_some(ToScheduler::Close)
            }
            Link::Attached => self
                .cancels()
                .or_else(|| self.replay())
                // Before submits, of which there may be no end.
                .or_else(|| self.releases())
                .or_else(|| self.submission())
                .or_else(|| self.ack(now)),
            _ => None,
        }
    }

    /// The scheduler knows what was received.
    pub(super) fn acknowledged(&mut self) {
        self.acked = self.sequence;
        self.unacked_bytes = 0;
        self.unacked_since = None;
    }

    /// Cancels of tasks that were sent before: one mode a message.
    fn cancels(&mut self) -> Option<ToScheduler> {
        let sent = match self.outbox.replay {
            Some(replay) => replay.next,
            None => self.outbox.next_to_send,
        };
        let first = *self.cancels_unsent.range(..sent).next()?;
        let mode = self.cancelled.get(&first).copied().unwrap_or(CancelMode::Abort);
        let cancelled = &self.cancelled;
        let same = self.cancels_unsent.range(..sent).copied().filter(|index| cancelled.get(index) == Some(&mode));
        let most = usize::try_from(self.config.message_bytes / INDEX_BYTES).unwrap_or(usize::MAX).max(1);
        let indexes: Vec<_> = same.take(most).collect();
        indexes.iter().for_each(|index| {
            self.cancels_unsent.remove(index);
        });
        Some(ToScheduler::Cancel { indexes, mode })
    }

    fn replay(&mut self) -> Option<ToScheduler> {
        let Replay { next, until } = self.outbox.replay?;
        let (mut calls, mut functions) = (Vec::new(), Vec::new());
        let (mut finished, mut claims) = (Vec::new(), Vec::new());
        let mut size = 0;
        let mut complete = true;
        for kept in self.calls.from(next) {
            if kept.call.first_index >= until {
                break;
            }
            let unsent = kept.function().and_then(|digest| self.functions.unsent(digest));
            size += kept.wire_size() + kept.known_size() + unsent.map_or(0, function_size);
            if size > self.config.message_bytes && !calls.is_empty() {
                self.outbox.replay = Some(Replay { next: kept.call.first_index, until });
                self.transitions.took(Transition::CutReplay);
                complete = false;
                break;
            }
            if let Some(function) = unsent.cloned() {
                self.functions.sent(function.digest, self.config.functions_remembered);
                functions.push(function);
            }
            finished.extend(kept.done_indexes());
            claims.extend(kept.claims());
            calls.push(kept.call.clone());
        }
        // What is cancelled is not to start: the scheduler hears of it before the replay is complete.
        if complete && self.cancels_unsent.range(..until).next().is_some() {
            complete = false;
            self.outbox.replay = Some(Replay { next: until, until });
        }
        if complete {
            self.outbox.replay = None;
        }
        Some(ToScheduler::Replay { calls, functions, finished, claims, complete })
    }

    /// Functions that are needed, and calls as far as message and credit have room.
    fn submission(&mut self) -> Option<ToScheduler> {
        let mut size = 0;
        let mut functions = Vec::new();
        while let Some(function) = self.functions.needed() {
            size += function_size(function);
            if size > self.config.message_bytes && !functions.is_empty() {
                break;
            }
            self.transitions.took(Transition::SentFunctionAgain);
            functions.extend(self.functions.take_needed());
        }
        let mut calls = Vec::new();
        for kept in self.calls.from(self.outbox.next_to_send) {
            let first = kept.call.first_index;
            let again = first < self.outbox.uncounted_from;
            let sent_bytes = self.outbox.sent_bytes + if again { 0 } else { kept.bytes };
            let allowed = kept.range().end <= self.credit.total_tasks && sent_bytes <= self.credit.total_bytes;
            if !allowed && !forgets(Mutant::SubmitCreditUnchecked) {
                self.transitions.took(Transition::WaitedForCredit);
                break;
            }
            let unsent = kept.function().and_then(|digest| self.functions.unsent(digest));
            size += kept.wire_size() + unsent.map_or(0, function_size);
            if size > self.config.message_bytes && !(calls.is_empty() && functions.is_empty()) {
                break;
            }
            if let Some(function) = unsent.cloned() {
                self.transitions.took(Transition::SentFunction);
                self.functions.sent(function.digest, self.config.functions_remembered);
                functions.push(function);
            }
            self.transitions.took(if again { Transition::SubmittedAgain } else { Transition::Submitted });
            self.outbox.sent_bytes = sent_bytes;
            self.outbox.next_to_send = kept.range().end;
            self.outbox.sent_up_to = self.outbox.sent_up_to.max(kept.range().end);
            self.outbox.uncounted_from = self.outbox.uncounted_from.max(kept.range().end);
            calls.push(kept.call.clone());
        }
        if calls.is_empty() && functions.is_empty() {
            return None;
        }
        let ack = self.unacked_since.is_some().then_some(self.sequence);
        if ack.is_some() {
            self.transitions.took(Transition::AcknowledgedWithSubmit);
            self.acknowledged();
        }
        Some(ToScheduler::Submit { calls, functions, ack })
    }

    fn ack(&mut self, now: Time) -> Option<ToScheduler> {
        let since = self.unacked_since?;
        let due = self.sequence - self.acked >= self.config.ack_events
            || self.unacked_bytes >= self.config.ack_bytes
            || since + self.config.ack_delay <= now;
        if !due {
            return None;
        }
        self.transitions.took(Transition::Acknowledged);
        self.acknowledged();
        Some(ToScheduler::Ack { sequence: self.sequence })
    }

    fn releases(&mut self) -> Option<ToScheduler> {
        if self.outbox.releases.is_empty() {
            return None;
        }
        self.transitions.took(Transition::Released);
        let most = usize::try_from(self.config.message_bytes / BLOB_BYTES).unwrap_or(usize::MAX).max(1);
        let now = most.min(self.outbox.releases.len());
        Some(ToScheduler::Release { blobs: self.outbox.releases.drain(..now).collect() })
    }
}
