//! Which large byte runs are complete, and how many tasks, events and sessions still name them.

use std::collections::BTreeMap;

use crate::id::BlobId;

/// Blobs that were named or are complete.
#[derive(Debug, Default)]
pub(super) struct Blobs(BTreeMap<BlobId, Blob>);

#[derive(Debug, Default)]
struct Blob {
    ready: bool,
    names: u64,
}

impl Blobs {
    /// It came with something that is dropped. True if it is here and nothing else names it: drop it.
    pub(super) fn discard(&mut self, blob: BlobId) -> bool {
        let unnamed = self.0.get(&blob).is_some_and(|entry| entry.names == 0);
        unnamed && self.0.remove(&blob).is_some()
    }

    /// All bytes are in the store.
    pub(super) fn ready(&mut self, blob: BlobId) {
        self.0.entry(blob).or_default().ready = true;
    }

    /// The store lost it. True if something names it.
    pub(super) fn gone(&mut self, blob: BlobId) -> bool {
        match self.0.get_mut(&blob) {
            Some(entry) if entry.names > 0 => {
                entry.ready = false;
                true
            }
            _ => {
                self.0.remove(&blob);
                false
            }
        }
    }

    /// Something names it, and it is not complete.
    pub(super) fn is_awaited(&self, blob: BlobId) -> bool {
        self.0.get(&blob).is_some_and(|entry| !entry.ready)
    }

    /// Something names it.
    pub(super) fn hold(&mut self, blob: BlobId) {
        self.0.entry(blob).or_default().names += 1;
    }

    /// Something that named it is gone. True if it was the last: drop the blob.
    pub(super) fn release(&mut self, blob: BlobId) -> bool {
        let Some(entry) = self.0.get_mut(&blob) else { return false };
        entry.names = entry.names.saturating_sub(1);
        if entry.names > 0 {
            return false;
        }
        self.0.remove(&blob);
        true
    }

    /// How often each blob is named: for the invariants.
    pub(super) fn names(&self) -> impl Iterator<Item = (BlobId, u64)> + '_ {
        self.0.iter().filter(|(_, blob)| blob.names > 0).map(|(id, blob)| (*id, blob.names))
    }
}
