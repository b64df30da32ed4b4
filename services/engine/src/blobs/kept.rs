//! Large parts of results that stay here until their client has read them.

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use paraply_common::{
    spawn::{Task, spawn},
    transfer::Source as _,
};
use paraply_core::{
    engine_session::Stimulus,
    hash::HashMap,
    id::{BlobId, SessionId},
    payload::BlobWant,
};

use super::{Bulk, Held, TransferError};

/// From here on there is no room for another result: each blob kept is named in one message when the engine attaches.
const MOST_BLOBS: usize = 4096;

/// What is kept, and what is on its way out of here.
#[derive(Debug)]
pub(crate) struct Kept {
    blobs: HashMap<BlobId, (SessionId, Held)>,
    bytes: u64,
    most: u64,
    outgoing: FuturesUnordered<Task<()>>,
    storing: FuturesUnordered<BoxFuture<'static, Stimulus>>,
}

impl Kept {
    /// Keeps at most so many bytes.
    pub(crate) fn new(most: u64) -> Self {
        Self {
            blobs: HashMap::default(),
            bytes: 0,
            most,
            outgoing: FuturesUnordered::new(),
            storing: FuturesUnordered::new(),
        }
    }

    /// Whether there is room for so many bytes more.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        self.bytes.saturating_add(bytes) <= self.most && self.blobs.len() < MOST_BLOBS
    }

    pub(crate) fn keep(&mut self, session: SessionId, blobs: Vec<(BlobId, Held)>) {
        for (id, data) in blobs {
            self.bytes += data.size() as u64;
            self.blobs.insert(id, (session, data));
        }
    }

    pub(crate) fn drop_blob(&mut self, blob: BlobId) {
        if let Some((_, data)) = self.blobs.remove(&blob) {
            self.bytes -= data.size() as u64;
            data.let_go();
        }
    }

    /// Writes a blob to who reads it.
    pub(crate) fn pass_on(&mut self, want: BlobWant, bulk: &Bulk) {
        let Some((session, data)) = self.blobs.get(&want.blob).cloned() else { return };
        let bulk = bulk.clone();
        self.outgoing.push(spawn(async move { bulk.pass_on(want, session, data).await }));
    }

    /// Writes a blob into the store. What comes of it is the next of `settled`.
    pub(crate) fn store(&mut self, blob: BlobId, bulk: &Bulk) {
        let Some((session, data)) = self.blobs.get(&blob).cloned() else { return };
        let bulk = bulk.clone();
        let storing = spawn(async move { bulk.write(blob, session, data, true).await });
        self.storing.push(Box::pin(async move {
            match storing.await {
                Ok(Ok(())) => Stimulus::BlobStored { blob },
                Ok(Err(TransferError::Unneeded(_))) => Stimulus::BlobNotStored { blob },
                Ok(Err(error)) => {
                    tracing::warn!(%blob, %error, "a part of a result stays at this engine: the store did not take it");
                    Stimulus::BlobNotStored { blob }
                }
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }));
    }

    /// What has become of a blob that was to be stored. Never resolves while there is none. Cancel-safe.
    pub(crate) async fn settled(&mut self) -> Stimulus {
        loop {
            tokio::select! {
                Some(settled) = self.storing.next() => return settled,
                Some(_) = self.outgoing.next() => {}
                else => return std::future::pending().await,
            }
        }
    }
}
