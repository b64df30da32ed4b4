//! Large bytes: a store in memory with a cap, and `BlobService` on a thread of its own, so that bulk delays no task.

mod service;
mod store;
mod thread;

use std::sync::Arc;

use paraply_core::{
    id::{BlobId, SessionId},
    time::Time,
};

pub(crate) use self::{
    service::BlobTransfers,
    store::BlobStore,
    thread::{BlobThread, OnBlobThread},
};

/// The store as the actor sees it.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    pub(crate) store: Arc<BlobStore>,
    pub(crate) thread: tokio::runtime::Handle,
}

impl Blobs {
    /// The session is there: its blobs stay as long as it does.
    pub(crate) fn open_session(&self, session: SessionId) {
        self.store.open_session(session);
    }

    /// Nothing names the blob any more.
    pub(crate) fn drop_blob(&self, blob: BlobId) {
        let bytes = self.store.drop_blob(blob);
        self.free(bytes);
    }

    /// The session is gone; answers which blobs went with it.
    pub(crate) fn forget_session(&self, session: SessionId) -> Vec<BlobId> {
        let (blobs, bytes) = self.store.forget_session(session);
        self.free(bytes);
        blobs
    }

    /// What nobody finishes or fetches is dropped; answers which blobs those are.
    pub(crate) fn sweep(&self, now: Time) -> Vec<BlobId> {
        let (blobs, bytes) = self.store.sweep(now);
        self.free(bytes);
        blobs
    }

    /// Giving many pages back to the system takes milliseconds, which the actor does not have.
    fn free<T: Send + 'static>(&self, bytes: T) {
        #[allow(clippy::disallowed_methods, reason = "this task does nothing but end")]
        self.thread.spawn(async move { drop(bytes) });
    }
}
