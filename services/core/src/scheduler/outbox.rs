//! Events that a session is to have: kept until the client acknowledges them, sent from a cursor, repeated on resume.
//! The last outcomes are kept a while longer, for others who ask.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::{
    id::{AttemptId, EngineId},
    mutant::{Mutant, forgets},
    outcome::Outcome,
    session_link::{Event, EventKind},
};

/// What an event costs beyond its payload, roughly: it keeps messages of many small events bounded.
const EVENT_BYTES: u64 = 48;

/// Events for which there is always room.
const ENTRIES: usize = 512;

/// Bytes of acknowledged outcomes that are kept for each session. They are beyond what the session's limits count.
const RECENT_BYTES: u64 = 64 << 10;

/// What an event counts as, in bytes.
pub(super) fn size_of(event: &Event) -> u64 {
    let payload = match &event.kind {
        EventKind::Finished { outcome, .. } => outcome.inline_size(),
        EventKind::Output { output, .. } => output.data.len() as u64,
        _ => 0,
    };
    payload + EVENT_BYTES
}

/// Events in order; those of sequence 0 (membership) are sent once and not kept.
#[derive(Debug)]
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
    /// How many of `entries` this stream has been given.
    sent: usize,
    next_sequence: u64,
    bytes: u64,
    /// Outcomes that the client has acknowledged, the oldest first, and their bytes.
    recent: VecDeque<Entry>,
    recent_bytes: u64,
}

/// A finished task's part of an event.
#[derive(Debug)]
pub(super) struct FinishedTask {
    pub(super) attempt: u32,
    pub(super) engine: Option<EngineId>,
    pub(super) accepted_unix_nanos: u64,
    pub(super) outcome: Arc<Outcome>,
    /// Its client has acknowledged it.
    pub(super) delivered: bool,
}

#[derive(Debug)]
struct Entry {
    event: Event,
    size: u64,
    /// The engine keeps the outcome until the client has it.
    keeper: Option<(EngineId, AttemptId)>,
}

/// What acknowledging set free.
#[derive(Debug, Default)]
pub(super) struct Freed {
    /// Outcomes that engines need not keep any more.
    pub(super) outcomes: Vec<(EngineId, AttemptId)>,
    /// Finished tasks among the events.
    pub(super) tasks: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        let (entries, recent) = (VecDeque::new(), VecDeque::new());
        Self { entries, sent: 0, next_sequence: 1, bytes: 0, recent, recent_bytes: 0 }
    }
}

impl Outbox {
    /// Appends an event and gives its sequence.
    pub(super) fn push(&mut self, kind: EventKind, keeper: Option<(EngineId, AttemptId)>) -> u64 {
        let membership = matches!(kind, EventKind::EngineJoined(_) | EventKind::EngineLeft { .. });
        let sequence = if membership { 0 } else { self.next_sequence };
        self.next_sequence += u64::from(!membership);
        let event = Event { sequence, kind };
        let size = size_of(&event);
        self.bytes += size;
        self.entries.push_back(Entry { event, size, keeper });
        sequence
    }

    /// The next events of at most `most` bytes together, but at least one if there is one.
    pub(super) fn next(&mut self, most: u64) -> Vec<Event> {
        let mut room = most;
        let mut events = Vec::new();
        while let Some(entry) = self.entries.get(self.sent) {
            if !events.is_empty() && entry.size > room {
                break;
            }
            room = room.saturating_sub(entry.size);
            events.push(entry.event.clone());
            self.sent += 1;
        }
        events
    }

    /// The client holds every event up to `sequence`; one that was never sent cannot be acknowledged.
    pub(super) fn ack(&mut self, sequence: u64) -> Freed {
        let mut freed = Freed::default();
        while self.sent > 0 && self.entries.front().is_some_and(|entry| entry.event.sequence <= sequence) {
            let Some(entry) = self.entries.pop_front() else { break };
            self.sent -= 1;
            self.bytes -= entry.size;
            freed.outcomes.extend(entry.keeper);
            if matches!(entry.event.kind, EventKind::Finished { .. }) {
                freed.tasks += 1;
                self.keep(entry);
            }
        }
        // A client that was away for a while leaves a long list behind.
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(2 * self.entries.len().max(ENTRIES));
        }
        freed
    }

    /// Keeps an outcome a while longer, and drops the oldest ones for it.
    fn keep(&mut self, entry: Entry) {
        if entry.size > RECENT_BYTES {
            return;
        }
        self.recent_bytes += entry.size;
        self.recent.push_back(Entry { keeper: None, ..entry });
        while self.recent_bytes > RECENT_BYTES {
            let Some(oldest) = self.recent.pop_front() else { break };
            self.recent_bytes -= oldest.size;
        }
    }

    /// The stream is gone: everything kept will be sent again; membership comes with the next welcome.
    pub(super) fn rewind(&mut self) {
        self.sent = 0;
        let bytes = &mut self.bytes;
        self.entries.retain(|entry| {
            let keep = entry.event.sequence != 0;
            if !keep {
                *bytes -= entry.size;
            }
            keep
        });
    }

    /// The client says it has received events up to `sequence`, on a stream that is gone: an ack of them all.
    pub(super) fn resume(&mut self, sequence: u64) -> Freed {
        self.rewind();
        let received = |entry: &&Entry| entry.event.sequence <= sequence || forgets(Mutant::EventsNotRepeated);
        self.sent = self.entries.iter().take_while(received).count();
        self.ack(sequence)
    }

    /// An engine is gone, and with it what it kept.
    pub(super) fn forget_keeper(&mut self, engine: EngineId) {
        for entry in &mut self.entries {
            if entry.keeper.is_some_and(|(keeper, _)| keeper == engine) {
                entry.keeper = None;
            }
        }
    }

    /// Whether the outcome of this attempt is kept by the engine for an event that is still here.
    pub(super) fn keeps(&self, engine: EngineId, attempt: AttemptId) -> bool {
        self.entries.iter().any(|entry| entry.keeper == Some((engine, attempt)))
    }

    /// All outcomes that engines keep for it.
    pub(super) fn keepers(&self) -> impl Iterator<Item = (EngineId, AttemptId)> + '_ {
        self.entries.iter().filter_map(|entry| entry.keeper)
    }

    /// Those of these tasks, in order of index, whose outcomes are here.
    pub(super) fn outcomes(&self, indexes: &[u64]) -> BTreeMap<u64, FinishedTask> {
        let mut found = BTreeMap::new();
        let recent = self.recent.iter().map(|entry| (entry, true));
        for (entry, delivered) in recent.chain(self.entries.iter().map(|entry| (entry, false))) {
            if let EventKind::Finished { index, attempt, engine, accepted_unix_nanos, outcome } = &entry.event.kind
                && indexes.binary_search(index).is_ok()
            {
                let (attempt, engine, accepted_unix_nanos) = (*attempt, *engine, *accepted_unix_nanos);
                let outcome = Arc::clone(outcome);
                found.insert(*index, FinishedTask { attempt, engine, accepted_unix_nanos, outcome, delivered });
            }
        }
        found
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Finished tasks among the events: for the invariants.
    pub(super) fn finished(&self) -> u64 {
        let finished = self.entries.iter().filter(|entry| matches!(entry.event.kind, EventKind::Finished { .. }));
        finished.count() as u64
    }
}
