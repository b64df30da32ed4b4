//! Watchers: a snapshot, then changes, without a queue.

use std::collections::BTreeSet;

use super::{
    Instruction, Transition, WatchEvent, WatchKind,
    machine::{Membership, Stream, StreamOf},
};
use crate::id::{ConnectionId, EngineId};

/// About what an engine's id and incarnation take of a message.
const MEMBER_BYTES: usize = 32;

/// One who wants to know.
#[derive(Debug)]
pub(super) struct Watcher {
    kind: WatchKind,
    snapshot_due: bool,
    /// It is to be told how many engines there are to be.
    scale_due: bool,
    /// Engines that it knows of.
    told: BTreeSet<EngineId>,
    /// Engines that it is to be told of: their state when its line is free, whatever happened in between.
    changed: BTreeSet<EngineId>,
}

impl Watcher {
    /// An engine that it is to be told of and has not heard of, which is not `there`.
    pub(super) fn stale(&self, there: impl Fn(EngineId) -> bool) -> Option<EngineId> {
        self.changed.difference(&self.told).copied().find(|id| !there(*id))
    }
}

impl Membership {
    pub(super) fn watch_opened(&mut self, connection: ConnectionId, kind: WatchKind) {
        self.transitions.took(Transition::WatchOpened);
        let (told, changed) = (BTreeSet::new(), BTreeSet::new());
        let scale_due = self.scaled_itself && kind == WatchKind::Launcher;
        let watcher = Watcher { kind, snapshot_due: true, scale_due, told, changed };
        self.streams.insert(connection, Stream { occupied: false, of: StreamOf::Watcher(watcher) });
        self.watchers.insert(connection);
        self.due.insert(connection);
    }

    /// Something about an engine is new: that it `came_or_went`, or its state or load.
    pub(super) fn engine_changed(&mut self, id: EngineId, came_or_went: bool) {
        self.review.due = true;
        let member = self.engines.contains_key(&id);
        for connection in &self.watchers {
            if let Some(Stream { of: StreamOf::Watcher(watcher), .. }) = self.streams.get_mut(connection)
                && (came_or_went || watcher.kind != WatchKind::Members)
            {
                if member || watcher.told.contains(&id) {
                    watcher.changed.insert(id);
                    self.due.insert(*connection);
                } else {
                    // It came and went while the line was taken.
                    watcher.changed.remove(&id);
                }
            }
        }
    }

    /// What the watcher is to be told next.
    pub(super) fn tell(&mut self, connection: ConnectionId, watcher: &mut Watcher) -> Option<Instruction> {
        // A scheduler takes it that whoever is not in its snapshot is gone.
        if watcher.kind == WatchKind::Members && watcher.snapshot_due && !self.whole {
            return None;
        }
        let event = if std::mem::take(&mut watcher.snapshot_due) {
            Some(self.snapshot(watcher))
        } else {
            self.next_change(watcher).or_else(|| self.next_scale(watcher))
        };
        if !watcher.changed.is_empty() || watcher.scale_due {
            self.due.insert(connection);
        }
        event.map(|event| Instruction::ToWatcher { connection, event })
    }

    /// Whoever launches engines is to hear how many there are to be.
    pub(super) fn tell_launchers(&mut self) {
        for connection in &self.watchers {
            if let Some(Stream { of: StreamOf::Watcher(watcher), .. }) = self.streams.get_mut(connection)
                && watcher.kind == WatchKind::Launcher
            {
                watcher.scale_due = true;
                self.due.insert(*connection);
            }
        }
    }

    /// Whether somebody here launches engines.
    #[must_use]
    pub fn has_launcher(&self) -> bool {
        let launches =
            |stream: &Stream| matches!(&stream.of, StreamOf::Watcher(watcher) if watcher.kind == WatchKind::Launcher);
        self.watchers.iter().filter_map(|connection| self.streams.get(connection)).any(launches)
    }

    fn next_scale(&self, watcher: &mut Watcher) -> Option<WatchEvent> {
        std::mem::take(&mut watcher.scale_due).then_some(WatchEvent::Scale(self.wanted_engines))
    }

    fn snapshot(&self, watcher: &mut Watcher) -> WatchEvent {
        watcher.changed.clear();
        let mut size = 0;
        let mut engines = Vec::new();
        for engine in self.engines() {
            // Of members only names are told.
            size += if watcher.kind == WatchKind::Members { MEMBER_BYTES } else { engine.size() };
            if size > self.config.message_bytes {
                watcher.changed.insert(engine.info.id);
            } else {
                watcher.told.insert(engine.info.id);
                engines.push(engine);
            }
        }
        WatchEvent::Snapshot(engines)
    }

    fn next_change(&self, watcher: &mut Watcher) -> Option<WatchEvent> {
        while let Some(id) = watcher.changed.pop_first() {
            if let Some(engine) = self.engine(id) {
                watcher.told.insert(id);
                return Some(WatchEvent::Changed(engine));
            }
            if watcher.told.remove(&id) {
                return Some(WatchEvent::Removed(id));
            }
        }
        None
    }
}
