//! Stored blobs: written in order, readable while they are still being written, reserved in full when they begin. In
//! memory as far as its share reaches, and beyond that in files.

mod state;

use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use paraply_core::{
    id::{BlobId, SessionId},
    time::Time,
};
use tokio::sync::watch;

pub(crate) use self::state::Remains;
use self::state::{Blob, Place, State, cost_in_file, cost_in_memory};
use super::files::{BlobFile, Files};

/// How long a blob may wait for its next bytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a store may hold, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes in all.
    pub(crate) total: u64,
    /// Bytes of these in memory.
    pub(crate) memory: u64,
    /// How long a complete blob waits for a session that did not come: after a restart, engines may be earlier.
    pub(crate) grace: Duration,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct BlobStore {
    limits: Limits,
    files: Files,
    state: Mutex<State>,
}

/// Bytes in use, reserved ones and what blobs cost beside their bytes included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    pub(crate) memory: u64,
    pub(crate) files: u64,
}

impl Held {
    pub(crate) fn all(self) -> u64 {
        self.memory + self.files
    }
}

/// How far a blob is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    pub(crate) committed: u64,
    pub(crate) size: u64,
    /// Another process will find it.
    pub(crate) durable: bool,
}

/// What there is to read at an offset.
#[derive(Debug)]
pub(crate) enum Reading {
    Bytes(Bytes),
    /// So many bytes of a file.
    File(Arc<BlobFile>, u64),
    /// Its writer has not come that far.
    NotYet(watch::Receiver<u64>),
    End,
}

/// Why a blob cannot be written or read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum BlobError {
    #[error("no such blob, or it was dropped: nobody needs it any more, or its writer was silent for too long")]
    NotFound,
    #[error("the blob was begun with another size or session")]
    Mismatch,
    #[error("{size} bytes more do not fit: {held} of the {cap} bytes of the setting `blob_bytes` are in use")]
    Full { size: u64, held: u64, cap: u64 },
    #[error("a gap: {committed} bytes are committed, go on from there")]
    Gap { committed: u64 },
    #[error("the blob has {size} bytes, and there is nothing beyond")]
    Beyond { size: u64 },
    #[error("a blob of {size} bytes cannot be kept in {folder} (the setting `blob_dir`): {error}")]
    Disk { size: u64, folder: String, full: bool, error: String },
}

impl Progress {
    pub(crate) fn is_complete(self) -> bool {
        self.committed == self.size
    }
}

impl BlobStore {
    /// A store that has nothing yet.
    pub(crate) fn new(limits: Limits, files: Files) -> Self {
        Self { limits, files, state: Mutex::default() }
    }

    /// Takes over what an earlier process has left in files.
    pub(crate) fn adopt(&self, now: Time) -> Vec<BlobId> {
        let mut state = self.lock();
        let mut adopted = Vec::new();
        for file in self.files.left() {
            let name = file.name();
            let cost = cost_in_file(name.size);
            if state.blobs.contains_key(&name.blob) || state.reserve(name.size, cost, self.limits.total).is_err() {
                file.discard();
                continue;
            }
            let (committed, _) = watch::channel(name.size);
            let place = Place::File(file);
            let blob = Blob { session: name.session, size: name.size, place, durable: true, committed, touched: now };
            state.blobs.insert(name.blob, blob);
            adopted.push(name.blob);
        }
        adopted
    }

    /// Begins a blob or goes on with one; tells how much of it is committed. The `only_copy` of its bytes is not for memory.
    pub(crate) async fn begin(
        &self,
        id: BlobId,
        session: SessionId,
        size: u64,
        only_copy: bool,
        now: Time,
    ) -> Result<Progress, BlobError> {
        let (progress, new_file) = self.enter(id, session, size, only_copy, now)?;
        if let Some(file) = new_file
            && let Err(error) = file.reserve().await
        {
            return Err(self.failed(&file, &error));
        }
        Ok(progress)
    }

    /// How far the blob is, and its file if it is to be made.
    fn enter(
        &self,
        id: BlobId,
        session: SessionId,
        size: u64,
        only_copy: bool,
        now: Time,
    ) -> Result<(Progress, Option<Arc<BlobFile>>), BlobError> {
        let mut state = self.lock();
        if let Some(blob) = state.blobs.get_mut(&id) {
            blob.touched = now;
            let same = blob.size == size && blob.session == session;
            return if same { Ok((blob.progress(), None)) } else { Err(BlobError::Mismatch) };
        }
        let in_memory = state.in_memory.saturating_add(cost_in_memory(size));
        let file = (only_copy || in_memory > self.limits.memory).then(|| self.files.begin(session, id, size));
        let cost = if file.is_some() { cost_in_file(size) } else { cost_in_memory(size) };
        state.reserve(size, cost, self.limits.total)?;
        if file.is_none() {
            state.in_memory = in_memory;
        }
        let (committed, _) = watch::channel(0);
        let place = file.clone().map_or(Place::Memory(Vec::new()), Place::File);
        let durable = file.is_some() && self.files.outlive_the_process();
        let blob = Blob { session, size, place, durable, committed, touched: now };
        let progress = blob.progress();
        state.blobs.insert(id, blob);
        Ok((progress, file))
    }

    /// Appends what is new of a chunk.
    pub(crate) async fn append(
        &self,
        id: BlobId,
        offset: u64,
        mut data: Bytes,
        now: Time,
    ) -> Result<Progress, BlobError> {
        let (file, start) = {
            let mut state = self.lock();
            let blob = state.blobs.get(&id).ok_or(BlobError::NotFound)?;
            let progress = blob.progress();
            let end = offset.checked_add(data.len() as u64).filter(|end| *end <= progress.size);
            let end = end.ok_or(BlobError::Beyond { size: progress.size })?;
            if offset > progress.committed {
                return Err(BlobError::Gap { committed: progress.committed });
            }
            if end <= progress.committed {
                return state.advance(id, progress.committed, now);
            }
            // Fits: it is less than the chunk's length.
            let _repeated = data.split_to((progress.committed - offset) as usize);
            let Place::File(file) = &blob.place else { return state.push(id, data, now) };
            (Arc::clone(file), progress.committed)
        };
        let end = start + data.len() as u64;
        if let Err(error) = file.write(start, data).await {
            return Err(self.failed(&file, &error));
        }
        let mut state = self.lock();
        // It may have been dropped meanwhile, and begun again.
        if state.is_in(id, &file) { state.advance(id, end, now) } else { Err(BlobError::NotFound) }
    }

    /// The disk did not take it: the blob is given up.
    fn failed(&self, file: &Arc<BlobFile>, error: &io::Error) -> BlobError {
        let name = file.name();
        let mut remains = Remains::default();
        let mut state = self.lock();
        if state.is_in(name.blob, file) {
            state.remove(name.blob, &mut remains);
        }
        drop(state);
        self.clear(remains);
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let folder = self.files.folder().display().to_string();
        BlobError::Disk { size: name.size, folder, full, error: error.to_string() }
    }

    /// How far a blob is.
    pub(crate) fn progress(&self, id: BlobId) -> Result<Progress, BlobError> {
        self.lock().blobs.get(&id).map(Blob::progress).ok_or(BlobError::NotFound)
    }

    /// What there is to read at `offset`: as much as one chunk holds of it, or a file.
    pub(crate) fn read(&self, id: BlobId, offset: u64) -> Result<Reading, BlobError> {
        let state = self.lock();
        let blob = state.blobs.get(&id).ok_or(BlobError::NotFound)?;
        if offset > blob.size {
            return Err(BlobError::Beyond { size: blob.size });
        }
        let committed = *blob.committed.borrow();
        if offset >= committed {
            return Ok(if offset == blob.size { Reading::End } else { Reading::NotYet(blob.committed.subscribe()) });
        }
        let chunks = match &blob.place {
            Place::Memory(chunks) => chunks,
            Place::File(file) => return Ok(Reading::File(Arc::clone(file), committed - offset)),
        };
        let after = chunks.partition_point(|(start, _)| *start <= offset);
        let found = after.checked_sub(1).and_then(|index| chunks.get(index));
        let rest = found.and_then(|(start, data)| {
            let skipped = usize::try_from(offset - start).ok().filter(|skipped| *skipped < data.len())?;
            Some(data.slice(skipped..))
        });
        rest.map(Reading::Bytes).ok_or(BlobError::NotFound)
    }

    /// What is in use, what is reserved included.
    pub(crate) fn held(&self) -> Held {
        let state = self.lock();
        Held { memory: state.in_memory, files: state.held - state.in_memory }
    }

    /// Whether what is counted is what is there, within the limits.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.lock().check(self.limits)
    }

    pub(crate) fn open_session(&self, session: SessionId) {
        self.lock().sessions.insert(session);
    }

    pub(crate) fn drop_blob(&self, id: BlobId) -> Remains {
        let mut remains = Remains::default();
        self.lock().remove(id, &mut remains);
        remains
    }

    pub(crate) fn forget_session(&self, session: SessionId) -> (Vec<BlobId>, Remains) {
        let mut state = self.lock();
        state.sessions.remove(&session);
        state.remove_all(|_, blob| blob.session == session)
    }

    /// Drops what nobody will finish or fetch: unfinished blobs whose writer is silent, and blobs of sessions that did
    /// not come.
    pub(crate) fn sweep(&self, now: Time) -> (Vec<BlobId>, Remains) {
        let given_up = |sessions: &HashSet<SessionId>, blob: &Blob| {
            let waited = now.since(blob.touched);
            let complete = blob.progress().is_complete();
            (!complete && waited > PATIENCE)
                || (!sessions.contains(&blob.session) && waited > self.limits.grace.max(PATIENCE))
        };
        self.lock().remove_all(given_up)
    }

    /// Gives memory and disk back. It takes milliseconds where there is much.
    pub(crate) fn clear(&self, remains: Remains) {
        drop(remains);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, the counts are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
