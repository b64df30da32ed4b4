//! Blobs in memory: written in order, readable while they are still being written, reserved in full when they begin.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use paraply_common::wire::field::detach;
use paraply_core::{
    id::{BlobId, SessionId},
    time::Time,
};
use tokio::sync::watch;

/// How long a blob may wait for its next bytes, or for the session that it names.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a blob costs beside its chunks, so that empty ones are not for nothing.
const BLOB_OVERHEAD: u64 = 512;

/// What a chunk costs beside its bytes.
const CHUNK_OVERHEAD: u64 = 96;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct BlobStore {
    cap: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    blobs: HashMap<BlobId, Blob>,
    sessions: HashSet<SessionId>,
    held: u64,
}

#[derive(Debug)]
struct Blob {
    session: SessionId,
    size: u64,
    /// With their offsets, in order and without gaps.
    chunks: Vec<(u64, Bytes)>,
    /// Dropped with the blob, which is how its readers learn of that.
    committed: watch::Sender<u64>,
    touched: Time,
}

/// The bytes of blobs that were dropped, for somebody to free who has the time.
pub(crate) type Freed = Vec<Vec<(u64, Bytes)>>;

/// How far a blob is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    pub(crate) committed: u64,
    pub(crate) size: u64,
}

/// What there is to read at an offset.
#[derive(Debug)]
pub(crate) enum Reading {
    Bytes(Bytes),
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
}

impl Blob {
    fn progress(&self) -> Progress {
        Progress { committed: *self.committed.borrow(), size: self.size }
    }

    fn cost(&self) -> u64 {
        self.size + BLOB_OVERHEAD + self.chunks.len() as u64 * CHUNK_OVERHEAD
    }
}

impl Progress {
    pub(crate) fn is_complete(self) -> bool {
        self.committed == self.size
    }
}

impl BlobStore {
    /// A store that holds at most `cap` bytes.
    pub(crate) fn new(cap: u64) -> Self {
        Self { cap, state: Mutex::default() }
    }

    /// Begins a blob or goes on with one; tells how much of it is committed.
    pub(crate) fn begin(&self, id: BlobId, session: SessionId, size: u64, now: Time) -> Result<Progress, BlobError> {
        let mut state = self.lock();
        if let Some(blob) = state.blobs.get_mut(&id) {
            blob.touched = now;
            return if blob.size == size && blob.session == session {
                Ok(blob.progress())
            } else {
                Err(BlobError::Mismatch)
            };
        }
        state.reserve(size, BLOB_OVERHEAD, self.cap)?;
        let (committed, _) = watch::channel(0);
        let blob = Blob { session, size, chunks: Vec::new(), committed, touched: now };
        let progress = blob.progress();
        state.blobs.insert(id, blob);
        Ok(progress)
    }

    /// Appends what is new of a chunk.
    pub(crate) fn append(&self, id: BlobId, offset: u64, mut data: Bytes, now: Time) -> Result<Progress, BlobError> {
        let mut state = self.lock();
        let progress = state.blobs.get(&id).ok_or(BlobError::NotFound)?.progress();
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= progress.size);
        let end = end.ok_or(BlobError::Beyond { size: progress.size })?;
        if offset > progress.committed {
            return Err(BlobError::Gap { committed: progress.committed });
        }
        if end > progress.committed {
            state.reserve(0, CHUNK_OVERHEAD, self.cap)?;
            // Fits: it is less than the chunk's length.
            let _repeated = data.split_to((progress.committed - offset) as usize);
        }
        let blob = state.blobs.get_mut(&id).ok_or(BlobError::NotFound)?;
        blob.touched = now;
        if end > progress.committed {
            blob.chunks.push((progress.committed, detach(data)));
            blob.committed.send_replace(end);
        }
        Ok(blob.progress())
    }

    /// How far a blob is.
    pub(crate) fn progress(&self, id: BlobId) -> Result<Progress, BlobError> {
        self.lock().blobs.get(&id).map(Blob::progress).ok_or(BlobError::NotFound)
    }

    /// What there is to read at `offset`: as much as one chunk holds of it.
    pub(crate) fn read(&self, id: BlobId, offset: u64) -> Result<Reading, BlobError> {
        let state = self.lock();
        let blob = state.blobs.get(&id).ok_or(BlobError::NotFound)?;
        if offset > blob.size {
            return Err(BlobError::Beyond { size: blob.size });
        }
        let after = blob.chunks.partition_point(|(start, _)| *start <= offset);
        let found = after.checked_sub(1).and_then(|index| blob.chunks.get(index));
        let rest = found.and_then(|(start, data)| {
            let skipped = usize::try_from(offset - start).ok().filter(|skipped| *skipped < data.len())?;
            Some(data.slice(skipped..))
        });
        Ok(match rest {
            Some(bytes) => Reading::Bytes(bytes),
            None if offset == blob.size => Reading::End,
            None => Reading::NotYet(blob.committed.subscribe()),
        })
    }

    /// Bytes in use, reserved ones included.
    pub(crate) fn held(&self) -> u64 {
        self.lock().held
    }

    pub(crate) fn open_session(&self, session: SessionId) {
        self.lock().sessions.insert(session);
    }

    pub(crate) fn drop_blob(&self, id: BlobId) -> Freed {
        self.lock().remove(id).into_iter().collect()
    }

    pub(crate) fn forget_session(&self, session: SessionId) -> (Vec<BlobId>, Freed) {
        let mut state = self.lock();
        state.sessions.remove(&session);
        state.remove_all(|_, blob| blob.session == session)
    }

    /// Drops what nobody will finish or fetch: unfinished blobs whose writer is silent, and blobs of sessions that did
    /// not come (after a restart, engines may be earlier than clients).
    pub(crate) fn sweep(&self, now: Time) -> (Vec<BlobId>, Freed) {
        let given_up = |sessions: &HashSet<SessionId>, blob: &Blob| {
            let of_use = blob.progress().is_complete() && sessions.contains(&blob.session);
            !of_use && now.since(blob.touched) > PATIENCE
        };
        self.lock().remove_all(given_up)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, the counts are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reserve(&mut self, size: u64, overhead: u64, cap: u64) -> Result<(), BlobError> {
        let total = self.held.checked_add(size).and_then(|total| total.checked_add(overhead));
        let total = total.filter(|total| *total <= cap);
        self.held = total.ok_or(BlobError::Full { size, held: self.held, cap })?;
        Ok(())
    }

    fn remove(&mut self, id: BlobId) -> Option<Vec<(u64, Bytes)>> {
        let blob = self.blobs.remove(&id)?;
        self.held -= blob.cost();
        Some(blob.chunks)
    }

    fn remove_all(&mut self, which: impl Fn(&HashSet<SessionId>, &Blob) -> bool) -> (Vec<BlobId>, Freed) {
        let chosen = self.blobs.iter().filter(|(_, blob)| which(&self.sessions, blob));
        let ids: Vec<BlobId> = chosen.map(|(id, _)| *id).collect();
        let freed = ids.iter().filter_map(|id| self.remove(*id)).collect();
        (ids, freed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: BlobId = BlobId(1);
    const S: SessionId = SessionId(7);
    const T: Time = Time(0);
    const CAP: u64 = 10 * BLOB_OVERHEAD;

    fn store() -> BlobStore {
        let store = BlobStore::new(CAP);
        store.open_session(S);
        store
    }

    fn text(reading: Reading) -> Bytes {
        if let Reading::Bytes(bytes) = reading { bytes } else { panic!("{reading:?}") }
    }

    #[test]
    fn is_written_in_order_and_resumed_at_the_committed_offset() {
        let store = store();
        assert_eq!(store.begin(B, S, 10, T), Ok(Progress { committed: 0, size: 10 }));
        assert_eq!(store.append(B, 2, "x".into(), T), Err(BlobError::Gap { committed: 0 }));
        store.append(B, 0, "0123".into(), T).unwrap();
        assert_eq!(store.begin(B, S, 10, T), Ok(Progress { committed: 4, size: 10 }), "after a break");
        store.append(B, 2, "2345".into(), T).unwrap();
        assert_eq!(store.append(B, 0, "012".into(), T).unwrap().committed, 6, "all of it repeated");
        assert_eq!(store.append(B, 6, "67890".into(), T), Err(BlobError::Beyond { size: 10 }));
        assert_eq!(store.append(B, u64::MAX, "6".into(), T), Err(BlobError::Beyond { size: 10 }));
        assert!(store.append(B, 6, "6789".into(), T).unwrap().is_complete());
        assert_eq!(text(store.read(B, 0).unwrap()), "0123");
        assert_eq!(text(store.read(B, 5).unwrap()), "5");
        assert_eq!(text(store.read(B, 6).unwrap()), "6789");
        assert!(matches!(store.read(B, 10), Ok(Reading::End)));
        assert_eq!(store.read(B, 11).unwrap_err(), BlobError::Beyond { size: 10 });
    }

    #[test]
    fn a_reader_waits_for_bytes_and_learns_that_they_will_not_come() {
        let store = store();
        store.begin(B, S, 2, T).unwrap();
        let Reading::NotYet(mut committed) = store.read(B, 0).unwrap() else { panic!() };
        store.append(B, 0, "0".into(), T).unwrap();
        assert!(committed.has_changed().unwrap());
        committed.mark_unchanged();
        store.drop_blob(B);
        assert!(committed.has_changed().is_err(), "its sender is gone");
        assert_eq!(store.read(B, 0).unwrap_err(), BlobError::NotFound);
    }

    #[test]
    fn the_cap_is_for_all_and_names_its_setting() {
        let store = store();
        let held = CAP - 200;
        store.begin(B, S, held - BLOB_OVERHEAD, T).unwrap();
        let full = store.begin(BlobId(2), S, 300, T).unwrap_err();
        assert_eq!(full, BlobError::Full { size: 300, held, cap: CAP });
        assert!(full.to_string().contains("blob_bytes"), "{full}");
        assert!(store.begin(BlobId(2), S, u64::MAX, T).is_err());
        store.append(B, 0, "0".into(), T).unwrap();
        store.append(B, 1, "1".into(), T).unwrap();
        assert!(matches!(store.append(B, 2, "2".into(), T), Err(BlobError::Full { .. })), "tiny chunks are not free");
        store.drop_blob(B);
        assert_eq!(
            store.begin(BlobId(2), S, CAP - BLOB_OVERHEAD, T).map(|progress| progress.committed),
            Ok(0),
            "all of it is free again"
        );
    }

    #[test]
    fn empty_blobs_are_not_for_nothing() {
        let store = store();
        let begun = (0..1000).take_while(|n| store.begin(BlobId(*n), S, 0, T).is_ok()).count();
        assert_eq!(begun as u64, CAP / BLOB_OVERHEAD);
        assert_eq!(store.held(), CAP);
        store.forget_session(S);
        assert_eq!(store.held(), 0);
    }

    #[test]
    fn dies_with_its_session() {
        let store = store();
        store.begin(B, S, 1, T).unwrap();
        store.begin(BlobId(2), SessionId(8), 1, T).unwrap();
        assert_eq!(store.forget_session(S).0, [B]);
        assert!(store.progress(BlobId(2)).is_ok());
    }

    #[test]
    fn what_nobody_finishes_or_fetches_is_swept() {
        let store = store();
        let (unfinished, finished, strange) = (BlobId(1), BlobId(2), BlobId(3));
        store.begin(unfinished, S, 1, T).unwrap();
        store.begin(finished, S, 0, T).unwrap();
        store.begin(strange, SessionId(8), 0, T).unwrap();
        assert_eq!(store.sweep(T + PATIENCE).0, []);
        let mut swept = store.sweep(T + PATIENCE + Duration::from_secs(1)).0;
        swept.sort_unstable();
        assert_eq!(swept, [unfinished, strange]);
    }

    #[test]
    fn another_blob_of_the_same_id_is_refused() {
        let store = store();
        store.begin(B, S, 1, T).unwrap();
        assert_eq!(store.begin(B, S, 2, T), Err(BlobError::Mismatch));
        assert_eq!(store.begin(B, SessionId(8), 1, T), Err(BlobError::Mismatch));
    }
}
