//! Arguments that are in the blob store: fetched ahead while there is room for them, and at the latest when their task
//! is about to start.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::BoxFuture;
use paraply_common::spawn::{Task, spawn};
use paraply_core::{
    engine_link::Orders,
    engine_session::RunTask,
    id::{AttemptId, TaskId},
    payload::{Buffer, Payload},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::{Bulk, TransferError};

/// Bytes that may be fetched ahead, in KiB.
const AHEAD_KIB: u32 = 256 << 10;

/// A task with all its bytes, or why it does not have them.
pub(crate) type Fetched = Result<RunTask, (AttemptId, TransferError)>;

/// What is being fetched, or is here and waits for its task to start.
#[derive(Debug)]
pub(crate) struct Fetches {
    under_way: HashMap<AttemptId, Fetch>,
    /// Claimed tasks whose batch waits; rung where one is not to be waited for any more.
    awaited: HashMap<AttemptId, Arc<Notify>>,
    ahead: Arc<Semaphore>,
}

#[derive(Debug)]
struct Fetch {
    /// Keeps the room that its bytes take until they are handed over.
    task: Task<Result<(Payload, Option<OwnedSemaphorePermit>), TransferError>>,
    wanted: Arc<Notify>,
}

impl Fetches {
    pub(crate) fn new() -> Self {
        Self { under_way: HashMap::new(), awaited: HashMap::new(), ahead: Arc::new(Semaphore::new(AHEAD_KIB as usize)) }
    }

    /// Starts to fetch what newly assigned tasks need, and stops for those that are not wanted here any more.
    pub(crate) fn ordered(&mut self, orders: &Orders, bulk: &Bulk) {
        for call in &orders.assigned {
            for task in call.tasks.iter().filter(|task| task.arguments.blobs().next().is_some()) {
                let id = TaskId { session: call.session, index: task.index };
                self.start(AttemptId { task: id, attempt: task.attempt }, task.arguments.clone(), bulk);
            }
        }
        for attempt in orders.retract.iter().chain(orders.cancel.iter().map(|(attempt, _)| attempt)) {
            // One that was claimed first is fetched again when it starts.
            self.under_way.remove(attempt);
        }
    }

    /// Gives up what is dropped.
    pub(crate) fn drop_all(&mut self, dropped: &[AttemptId]) {
        for attempt in dropped {
            self.under_way.remove(attempt);
        }
    }

    /// A batch with all its bytes: at once where none of it is in the store, else when everything is here.
    pub(crate) fn complete(
        &mut self,
        batch: Vec<RunTask>,
        bulk: &Bulk,
    ) -> Result<Vec<RunTask>, BoxFuture<'static, Vec<Fetched>>> {
        if batch.iter().all(|task| task.arguments.blobs().next().is_none()) {
            return Ok(batch);
        }
        let mut waiting = Vec::with_capacity(batch.len());
        self.awaited.clear();
        for task in batch {
            let fetch = task.arguments.blobs().next().is_some().then(|| {
                self.start(task.attempt, task.arguments.clone(), bulk);
                self.under_way.remove(&task.attempt)
            });
            let given_up = Arc::clone(self.awaited.entry(task.attempt).or_default());
            waiting.push((task, fetch.flatten(), given_up));
        }
        Err(Box::pin(async move {
            let mut done = Vec::with_capacity(waiting.len());
            for (task, fetch, given_up) in waiting {
                let attempt = task.attempt;
                done.push(tokio::select! {
                    () = given_up.notified() => Err((attempt, TransferError::GivenUp)),
                    arrived = arrive(task, fetch) => arrived,
                });
            }
            done
        }))
    }

    /// The batch does not wait for this task any more.
    pub(crate) fn give_up(&self, attempt: AttemptId) {
        if let Some(awaited) = self.awaited.get(&attempt) {
            awaited.notify_one();
        }
    }

    fn start(&mut self, attempt: AttemptId, arguments: Payload, bulk: &Bulk) {
        let (ahead, bulk) = (Arc::clone(&self.ahead), bulk.clone());
        self.under_way.entry(attempt).or_insert_with(|| {
            let wanted = Arc::new(Notify::new());
            let now = Arc::clone(&wanted);
            let task = spawn(async move {
                let room = room(&ahead, &arguments, &now).await;
                Ok((fetch(arguments, &bulk).await?, room))
            });
            Fetch { task, wanted }
        });
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

async fn arrive(mut task: RunTask, fetch: Option<Fetch>) -> Fetched {
    if let Some(Fetch { task: fetching, wanted }) = fetch {
        wanted.notify_one();
        match fetching.await {
            Ok(Ok((payload, _room))) => task.arguments = payload,
            Ok(Err(error)) => return Err((task.attempt, error)),
            Err(panicked) => {
                let status = tonic::Status::internal(panicked.to_string());
                return Err((task.attempt, TransferError::Status(Arc::new(status))));
            }
        }
    }
    Ok(task)
}

async fn fetch(mut payload: Payload, bulk: &Bulk) -> Result<Payload, TransferError> {
    if let Some(blob) = payload.data_blob.take() {
        payload.data = bulk.read(blob).await?;
    }
    for buffer in &mut payload.buffers {
        if let Buffer::Blob(blob) = *buffer {
            *buffer = Buffer::Inline(bulk.read(blob).await?);
        }
    }
    Ok(payload)
}
