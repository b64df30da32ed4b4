//! What the user is told: each result once, of tasks that there are, events in their order.

use std::collections::BTreeSet;

use paraply_core::session_link::{Event, EventKind};

#[derive(Debug, Default)]
pub(super) struct Told {
    finished: BTreeSet<u64>,
    sequence: u64,
}

impl Told {
    /// Another scheduler, perhaps: it counts its events from 1.
    pub(super) fn welcomed(&mut self) {
        self.sequence = 0;
    }

    /// How many tasks are finished.
    pub(super) fn finished(&self) -> u64 {
        self.finished.len() as u64
    }

    /// Events are delivered to somebody who has submitted tasks below `next_index`.
    pub(super) fn hear(&mut self, events: &[Event], next_index: u64) -> Result<(), String> {
        for Event { sequence, kind } in events {
            if *sequence != 0 && *sequence <= self.sequence {
                return Err(format!("event {sequence} came after event {}", self.sequence));
            }
            self.sequence = self.sequence.max(*sequence);
            let index = match kind {
                EventKind::Claimed(claim) => claim.index,
                EventKind::Output { index, .. } | EventKind::Finished { index, .. } => *index,
                EventKind::EngineJoined(_) | EventKind::EngineLeft { .. } | EventKind::Unknown => continue,
            };
            if index >= next_index || self.finished.contains(&index) {
                return Err(format!("there is no task {index}, or no more: {kind:?}"));
            }
            if matches!(kind, EventKind::Finished { .. }) {
                self.finished.insert(index);
            }
        }
        Ok(())
    }
}
