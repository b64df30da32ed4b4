//! What a store has: the books, without the bytes that are in files.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use paraply_common::wire::field::detach;
use paraply_core::{
    id::{BlobId, SessionId},
    time::Time,
};
use tokio::sync::watch;

use super::{BlobError, Limits, Progress};
use crate::blob::files::BlobFile;

/// What a blob costs beside its chunks, so that empty ones are not for nothing.
pub(super) const BLOB_OVERHEAD: u64 = 512;

/// What a chunk in memory costs beside its bytes.
const CHUNK_OVERHEAD: u64 = 96;

/// All chunks of a blob in memory but its last have as many bytes: where less comes at a time it is joined, or a blob that
/// is written a byte at a time would cost a hundred times its size.
const LEAST_CHUNK: usize = 4 << 10;

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
    File(Arc<BlobFile>),
}

/// What blobs that were dropped leave, for somebody to clear away who has the time.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    pub(super) chunks: Vec<Vec<(u64, Bytes)>>,
    pub(super) files: Vec<Arc<BlobFile>>,
}

/// Bytes that a blob in a file takes of the limit.
pub(super) fn cost_in_file(size: u64) -> u64 {
    size.saturating_add(BLOB_OVERHEAD)
}

/// Bytes that a blob in memory takes of the limits, in whatever pieces it comes.
pub(super) fn cost_in_memory(size: u64) -> u64 {
    let chunks = size / LEAST_CHUNK as u64 + 1;
    cost_in_file(size).saturating_add(chunks.saturating_mul(CHUNK_OVERHEAD))
}

impl Blob {
    pub(super) fn progress(&self) -> Progress {
        Progress { committed: *self.committed.borrow(), size: self.size, durable: self.durable }
    }

    fn cost(&self) -> u64 {
        if self.is_in_memory() { cost_in_memory(self.size) } else { cost_in_file(self.size) }
    }

    fn is_in_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }
}

impl State {
    /// Takes what a blob of this size costs.
    pub(super) fn reserve(&mut self, size: u64, cost: u64, cap: u64) -> Result<(), BlobError> {
        let total = self.held.checked_add(cost).filter(|total| *total <= cap);
        self.held = total.ok_or(BlobError::Full { size, held: self.held, cap })?;
        Ok(())
    }

    /// Goes on with a blob in memory.
    pub(super) fn push(&mut self, id: BlobId, mut data: Bytes, now: Time) -> Result<Progress, BlobError> {
        let blob = self.blobs.get_mut(&id).ok_or(BlobError::NotFound)?;
        let start = *blob.committed.borrow();
        let end = start + data.len() as u64;
        if let Place::Memory(chunks) = &mut blob.place {
            let mut next = start;
            if let Some((_, last)) = chunks.last_mut().filter(|(_, last)| last.len() < LEAST_CHUNK) {
                let more = data.split_to(data.len().min(LEAST_CHUNK - last.len()));
                next += more.len() as u64;
                let mut joined = BytesMut::with_capacity(last.len() + more.len());
                joined.extend_from_slice(last);
                joined.extend_from_slice(&more);
                *last = joined.freeze();
            }
            if !data.is_empty() {
                chunks.push((next, detach(data)));
            }
        }
        self.advance(id, end, now)
    }

    /// Whether this is the blob's file now.
    pub(super) fn is_in(&self, id: BlobId, file: &Arc<BlobFile>) -> bool {
        let place = self.blobs.get(&id).map(|blob| &blob.place);
        matches!(place, Some(Place::File(now)) if Arc::ptr_eq(now, file))
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
        if blob.is_in_memory() {
            self.in_memory -= blob.cost();
        }
        match blob.place {
            Place::File(file) => {
                file.discard();
                remains.files.push(file);
            }
            Place::Memory(chunks) => remains.chunks.push(chunks),
        }
    }

    pub(super) fn check(&self, limits: Limits) -> Result<(), String> {
        let held: u64 = self.blobs.values().map(Blob::cost).sum();
        let in_memory: u64 = self.blobs.values().filter(|blob| blob.is_in_memory()).map(Blob::cost).sum();
        if (held, in_memory) != (self.held, self.in_memory) {
            return Err(format!("{held} bytes are held, {in_memory} in memory; counted are {self:?}"));
        }
        if held > limits.total || in_memory > limits.memory {
            return Err(format!("{held} bytes are held, {in_memory} in memory, and the limits are {limits:?}"));
        }
        Ok(())
    }

    pub(super) fn remove_all(&mut self, which: impl Fn(&HashSet<SessionId>, &Blob) -> bool) -> (Vec<BlobId>, Remains) {
        let chosen = self.blobs.iter().filter(|(_, blob)| which(&self.sessions, blob));
        let ids: Vec<BlobId> = chosen.map(|(id, _)| *id).collect();
        let mut remains = Remains::default();
        ids.iter().for_each(|id| self.remove(*id, &mut remains));
        (ids, remains)
    }
}
