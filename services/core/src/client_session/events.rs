//! What the scheduler tells: each event once, in order.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{ClientSession, Instruction, Transition, calls};
use crate::{
    id::EngineId,
    mutant::{Mutant, forgets},
    outcome::Outcome,
    session_link::{EngineInfo, Event, EventKind, KnownClaim, Update},
    time::Time,
};

/// What an event takes beside its bytes.
const EVENT_OVERHEAD: u64 = 64;

impl ClientSession {
    pub(super) fn updated(&mut self, now: Time, update: Update) {
        if let Some(up_to) = update.accepted_up_to {
            self.accepted_up_to = self.accepted_up_to.max(up_to.min(self.outbox.sent_up_to));
        }
        if let Some(credit) = update.credit {
            self.credit = credit;
        }
        for digest in update.need_functions {
            self.functions.need(digest);
        }
        self.urgent.extend(update.wanted_blobs.into_iter().map(Instruction::PassOn));
        self.urgent.extend(update.taken_blobs.into_iter().map(|blob| Instruction::BlobTaken { blob }));
        for event in update.events {
            if event.sequence > self.sequence + 1 {
                self.transitions.took(Transition::FoundGap);
                return self.hang_up(now);
            }
            if event.sequence == 0 {
                self.membership(event.kind);
            } else if event.sequence <= self.sequence && !forgets(Mutant::EventTakenTwice) {
                self.transitions.took(Transition::DroppedEvent);
            } else {
                self.sequence = event.sequence;
                self.unacked_since.get_or_insert(now);
                self.happened(event);
            }
        }
    }

    /// These engines are attached, in place of all that was said before.
    pub(super) fn engines_are(&mut self, engines: Vec<Arc<EngineInfo>>) {
        let engines: BTreeMap<_, _> = engines.into_iter().map(|info| (info.id, info)).collect();
        let left: Vec<_> = self.engines.keys().copied().filter(|id| !engines.contains_key(id)).collect();
        for engine in left {
            self.left(engine, "it is not attached after the connection was renewed".into());
        }
        for info in engines.into_values() {
            self.joined(info);
        }
    }

    fn membership(&mut self, kind: EventKind) {
        match kind {
            EventKind::EngineJoined(info) => self.joined(info),
            EventKind::EngineLeft { engine, reason } => self.left(engine, reason),
            EventKind::Claimed(_) | EventKind::Output { .. } | EventKind::Finished { .. } | EventKind::Unknown => {}
        }
    }

    fn joined(&mut self, info: Arc<EngineInfo>) {
        if self.engines.get(&info.id) != Some(&info) {
            self.transitions.took(Transition::EngineJoined);
            self.engines.insert(info.id, Arc::clone(&info));
            self.deliver.push(Event { sequence: 0, kind: EventKind::EngineJoined(info) });
        }
    }

    fn left(&mut self, engine: EngineId, reason: Cow<'static, str>) {
        if self.engines.remove(&engine).is_some() {
            self.transitions.took(Transition::EngineLeft);
            self.deliver.push(Event { sequence: 0, kind: EventKind::EngineLeft { engine, reason } });
        }
    }

    fn happened(&mut self, event: Event) {
        let Event { sequence, kind } = event;
        let kind = match kind {
            // What a scheduler was never sent cannot have happened: others would miss the calls.
            EventKind::Claimed(KnownClaim { index, .. })
            | EventKind::Output { index, .. }
            | EventKind::Finished { index, .. }
                if index >= self.outbox.sent_up_to =>
            {
                return self.transitions.took(Transition::DroppedEvent);
            }
            EventKind::Claimed(claim) if self.calls.is_open(claim.index) => {
                self.calls.claimed(claim);
                kind
            }
            EventKind::Output { index, attempt, engine, output } if self.calls.is_open(index) => {
                let size = output.data.len();
                let Some(output) = self.delivered.new_part(index, attempt, output) else {
                    return self.transitions.took(Transition::TrimmedOutput);
                };
                if output.data.len() < size {
                    self.transitions.took(Transition::TrimmedOutput);
                }
                self.unacked_bytes += output.data.len() as u64;
                EventKind::Output { index, attempt, engine, output }
            }
            EventKind::Finished { index, ref outcome, .. } => {
                let calls::Result::First { over } = self.calls.finished(index) else {
                    self.transitions.took(Transition::DroppedEvent);
                    return self.release_blobs(outcome);
                };
                self.transitions.took(Transition::Finished);
                self.unacked_bytes += outcome.inline_size();
                self.delivered.forget(index);
                self.cancelled.remove(&index);
                self.cancels_unsent.remove(&index);
                if let Some(digest) = over {
                    self.functions.release(digest);
                }
                kind
            }
            // What is told of a task that is over is of no use any more, nor what is not understood; membership has no
            // sequence.
            _ => return self.transitions.took(Transition::DroppedEvent),
        };
        self.unacked_bytes += EVENT_OVERHEAD;
        self.deliver.push(Event { sequence, kind });
    }

    /// Nobody will read the blobs of a result that was dropped.
    fn release_blobs(&mut self, outcome: &Outcome) {
        self.outbox.release(outcome.blobs().map(|blob| blob.id));
    }
}
