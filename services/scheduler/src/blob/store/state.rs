//! What a store has: the books, without the bytes that are in files.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use paraply_core::{
    id::{BlobId, SessionId},
    time::Time,
};
use tokio::sync::watch;

use super::{BlobError, Progress};
use crate::blob::files::Name;

/// What a blob costs beside its chunks, so that empty ones are not for nothing.
pub(super) const BLOB_OVERHEAD: u64 = 512;

/// What a chunk in memory costs beside its bytes.
pub(super) const CHUNK_OVERHEAD: u64 = 96;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) blobs: HashMap<BlobId, Blob>,
    pub(super) sessions: HashSet<SessionId>,
    pub(super) held: u64,
    pub(super) in_memory: u64,
}

#[derive(Debug)]
pub(super) struct Blob {
    pub(super) session: SessionId,
    pub(super) size: u64,
    pub(super) place: Place,
    pub(super) durable: bool,
    /// Dropped with the blob, which is how its readers learn of that.
    pub(super) committed: watch::Sender<u64>,
    pub(super) touched: Time,
}

#[derive(Debug)]
pub(super) enum Place {
    /// Chunks with their offsets, in order and without gaps.
    Memory(Vec<(u64, Bytes)>),
    File,
}

/// What blobs that were dropped leave, for somebody to clear away who has the time.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    pub(super) chunks: Vec<Vec<(u64, Bytes)>>,
    pub(super) files: Vec<Name>,
}

impl Blob {
    pub(super) fn progress(&self) -> Progress {
        Progress { committed: *self.committed.borrow(), size: self.size, durable: self.durable }
    }

    pub(super) fn cost(&self) -> u64 {
        self.size + BLOB_OVERHEAD + self.memory_overhead()
    }

    pub(super) fn memory_overhead(&self) -> u64 {
        if let Place::Memory(chunks) = &self.place { chunks.len() as u64 * CHUNK_OVERHEAD } else { 0 }
    }
}

impl State {
    pub(super) fn reserve(&mut self, size: u64, overhead: u64, cap: u64) -> Result<(), BlobError> {
        let total = self.held.checked_add(size).and_then(|total| total.checked_add(overhead));
        let total = total.filter(|total| *total <= cap);
        self.held = total.ok_or(BlobError::Full { size, held: self.held, cap })?;
        Ok(())
    }

    pub(super) fn push(&mut self, id: BlobId, start: u64, data: Bytes, now: Time) -> Result<Progress, BlobError> {
        let end = start + data.len() as u64;
        if let Some(Blob { place: Place::Memory(chunks), .. }) = self.blobs.get_mut(&id) {
            self.in_memory += CHUNK_OVERHEAD;
            chunks.push((start, data));
        }
        self.advance(id, end, now)
    }

    pub(super) fn advance(&mut self, id: BlobId, end: u64, now: Time) -> Result<Progress, BlobError> {
        let blob = self.blobs.get_mut(&id).ok_or(BlobError::NotFound)?;
        blob.touched = now;
        blob.committed.send_if_modified(|committed| {
            let further = end > *committed;
            *committed = end.max(*committed);
            further
        });
        Ok(blob.progress())
    }

    pub(super) fn remove(&mut self, id: BlobId, remains: &mut Remains) {
        let Some(blob) = self.blobs.remove(&id) else { return };
        self.held -= blob.cost();
        match blob.place {
            Place::File => remains.files.push(Name { session: blob.session, blob: id, size: blob.size }),
            Place::Memory(chunks) => {
                self.in_memory -= blob.size + BLOB_OVERHEAD + chunks.len() as u64 * CHUNK_OVERHEAD;
                remains.chunks.push(chunks);
            }
        }
    }

    pub(super) fn remove_all(&mut self, which: impl Fn(&HashSet<SessionId>, &Blob) -> bool) -> (Vec<BlobId>, Remains) {
        let chosen = self.blobs.iter().filter(|(_, blob)| which(&self.sessions, blob));
        let ids: Vec<BlobId> = chosen.map(|(id, _)| *id).collect();
        let mut remains = Remains::default();
        ids.iter().for_each(|id| self.remove(*id, &mut remains));
        (ids, remains)
    }
}
