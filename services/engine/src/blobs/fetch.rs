//! Arguments that are not in messages: fetched ahead of need while there is room for them, and at once where the runtime
//! waits for nothing else.

use std::sync::Arc;

use paraply_common::spawn::{Task, spawn};
use paraply_core::{
    hash::HashMap,
    id::{AttemptId, SessionId},
    payload::{Buffer, Payload},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Bulk, TransferError};

/// Bytes that may be fetched ahead, in KiB.
const AHEAD_KIB: u32 = 256 << 10;

/// A task's arguments with all their bytes, or why they will never have them.
pub(crate) type Fetched = (AttemptId, Result<Payload, TransferError>);

/// What is being fetched, or is here and waits for its task to start.
#[derive(Debug)]
pub(crate) struct Fetches {
    under_way: HashMap<AttemptId, Fetch>,
    /// The room that bytes take until their task starts.
    here: HashMap<AttemptId, OwnedSemaphorePermit>,
    ahead: Arc<Semaphore>,
    // Bounded by the tasks that the engine holds.
    arrived: mpsc::UnboundedSender<(Fetched, Option<OwnedSemaphorePermit>)>,
    arrivals: mpsc::UnboundedReceiver<(Fetched, Option<OwnedSemaphorePermit>)>,
}

#[derive(Debug)]
struct Fetch {
    wanted: Arc<Notify>,
    _task: Task<()>,
}

impl Fetches {
    pub(crate) fn new() -> Self {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let ahead = Arc::new(Semaphore::new(AHEAD_KIB as usize));
        Self { under_way: HashMap::default(), here: HashMap::default(), ahead, arrived, arrivals }
    }

    /// Starts to fetch what a task needs.
    pub(crate) fn start(&mut self, attempt: AttemptId, arguments: Payload, bulk: &Bulk) {
        let (ahead, bulk, arrived) = (Arc::clone(&self.ahead), bulk.clone(), self.arrived.clone());
        let wanted = Arc::new(Notify::new());
        let now = Arc::clone(&wanted);
        let task = spawn(async move {
            let room = room(&ahead, &arguments, &now).await;
            let fetched = fetch(arguments, attempt.task.session, &bulk).await;
            let _session_is_over = arrived.send(((attempt, fetched), room));
        });
        self.under_way.insert(attempt, Fetch { wanted, _task: task });
    }

    /// There is nothing else to do before these are here: they wait for no room.
    pub(crate) fn hurry(&self, attempt: AttemptId) {
        if let Some(fetch) = self.under_way.get(&attempt) {
            fetch.wanted.notify_one();
        }
    }

    /// The task has started, or nobody needs its bytes any more.
    pub(crate) fn over(&mut self, attempt: AttemptId) {
        self.under_way.remove(&attempt);
        self.here.remove(&attempt);
    }

    /// What has arrived next. Cancel-safe.
    pub(crate) async fn arrived(&mut self) -> Fetched {
        loop {
            // There is a sender in `self`.
            let Some(((attempt, fetched), room)) = self.arrivals.recv().await else { std::future::pending().await };
            if self.under_way.remove(&attempt).is_some() {
                self.here.extend(room.map(|room| (attempt, room)));
                return (attempt, fetched);
            }
        }
    }
}

/// Waits for room, or until the bytes are wanted now.
async fn room(ahead: &Arc<Semaphore>, arguments: &Payload, wanted: &Notify) -> Option<OwnedSemaphorePermit> {
    let size = arguments.blobs().fold(0_u64, |sum, blob| sum.saturating_add(blob.size >> 10));
    let size = u32::try_from(size).unwrap_or(AHEAD_KIB).min(AHEAD_KIB);
    tokio::select! {
        room = Arc::clone(ahead).acquire_many_owned(size) => room.ok(),
        () = wanted.notified() => None,
    }
}

async fn fetch(mut payload: Payload, session: SessionId, bulk: &Bulk) -> Result<Payload, TransferError> {
    if let Some(blob) = payload.data_blob.take() {
        payload.data = bulk.read(blob, session).await?;
    }
    for buffer in &mut payload.buffers {
        if let Buffer::Blob(blob) = *buffer {
            *buffer = Buffer::Inline(bulk.read(blob, session).await?);
        }
    }
    Ok(payload)
}
