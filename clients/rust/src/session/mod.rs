//! One session with one cluster: the machine of `paraply-core`, which users' threads and one task share.
//!
//! Users submit under a lock and learn the indexes of their tasks at once. The task ([`actor`]) has the stream, and does
//! what the machine says.

mod actor;
mod arguments;
mod link;
mod state;
mod submit;
mod way;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use paraply_common::{
    clock, heap,
    spawn::{spawn_detached, spawn_on},
    transfer::{Bulk, TransferError},
};
use paraply_core::{
    client_session::Stimulus,
    id::{BlobId, SessionId},
    payload::{Buffer, Payload},
    session_link::CancelMode,
    time::Time,
};
pub(crate) use submit::Submission;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, watch},
};

use self::{actor::Actor, state::State, way::Way};
use crate::{
    cell::{Abandoned, Cell},
    connect::ConnectError,
    error::{Error, SessionError},
    place::Place,
};

/// Large results that are read at a time. What each has on its way fits into the connection beside that of the others.
const READS: usize = 16;

/// How long the calls of a client that was closed may take to reach the scheduler.
const LINGER: Duration = Duration::from_secs(10);

/// What users hold. The session ends when nobody holds it any more.
#[derive(Clone, Debug)]
pub(crate) struct Session(Arc<Guard>);

#[derive(Debug)]
struct Guard(Arc<Shared>);

/// What users and the actor share.
#[derive(Debug)]
struct Shared {
    id: SessionId,
    state: Mutex<State>,
    /// There is something for the actor to do.
    wake: Notify,
    /// Something that users may wait for has changed.
    changed: watch::Sender<()>,
    bulk: Bulk,
    /// Of the actor. Bytes are read there: who waits for them may do something else before it has all of them, and what it
    /// leaves unread would hold up everybody else's.
    runtime: Handle,
    reading: Arc<Semaphore>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self) {
        let by = clock::now() + LINGER;
        let mut state = self.lock();
        state.leave_by.get_or_insert(by);
        drop(state);
        self.wake.notify_one();
    }

    /// Waits until `ready` finds something.
    async fn until<T>(&self, mut ready: impl FnMut(&State) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(found) = ready(&self.lock()) {
                return found;
            }
            // There is a sender in `self`.
            let _always = changed.changed().await;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Session {
    /// Opens a session, and waits until a scheduler has welcomed it.
    pub(crate) async fn open(
        place: Place,
        label: String,
        cancel_on_disconnect: bool,
        end: Time,
    ) -> Result<Self, ConnectError> {
        let random = || getrandom::u64().map_err(|error| std::io::Error::other(error.to_string()));
        let id = SessionId((u128::from(random()?) << 64) | u128::from(random()?));
        let name = place.name();
        let shared = Arc::new(Shared {
            id,
            state: Mutex::new(State::new(id, label, cancel_on_disconnect, random()?)),
            wake: Notify::new(),
            changed: watch::Sender::new(()),
            bulk: Bulk::default(),
            runtime: Handle::current(),
            reading: Arc::new(Semaphore::new(READS)),
        });
        let session = Self(Arc::new(Guard(Arc::clone(&shared))));
        spawn_detached(Actor::new(Arc::clone(&shared), Way::new(place)).run());
        let welcomed = shared.until(|state| match &state.ended {
            Some(error) => Some(Err(error.clone())),
            None => state.machine.is_attached().then_some(Ok(())),
        });
        match tokio::time::timeout_at(clock::instant(end), welcomed).await {
            Ok(welcomed) => welcomed.map(|()| session).map_err(ConnectError::Refused),
            Err(_) => {
                let problem = shared.lock().problem.clone();
                let problem = if problem.is_empty() { "no address answered".to_owned() } else { problem };
                Err(ConnectError::Unreachable { place: name, problem })
            }
        }
    }

    pub(crate) fn id(&self) -> SessionId {
        self.shared().id
    }

    /// Engines attached now, in order.
    pub(crate) fn engines(&self) -> Vec<Arc<paraply_core::session_link::EngineInfo>> {
        self.shared().lock().machine.engines().values().cloned().collect()
    }

    /// Waits until there are so many engines.
    pub(crate) async fn engines_are(&self, least: usize) -> Result<(), SessionError> {
        self.shared()
            .until(|state| match &state.ended {
                Some(error) => Some(Err(error.clone())),
                None => (state.machine.engines().len() >= least).then_some(Ok(())),
            })
            .await
    }

    /// Submits a call; its tasks, one a result, in order.
    pub(crate) fn submit(&self, call: Submission) -> Result<Vec<Arc<Cell>>, Error> {
        let cells = submit::submit(&mut self.shared().lock(), call)?;
        self.shared().wake.notify_one();
        Ok(cells)
    }

    pub(crate) fn cancel(&self, indexes: Vec<u64>, mode: CancelMode) {
        self.tell(Stimulus::Cancel { indexes, mode });
    }

    /// The handle of a task is gone, and with `cancel` nobody wants it to go on.
    pub(crate) fn abandon(&self, cell: &Cell, cancel: bool) {
        match cell.abandon() {
            Abandoned::Open if cancel => self.cancel(vec![cell.index], CancelMode::Interrupt { kill_after: None }),
            Abandoned::Unread(outcome) => self.release(outcome.blobs().map(|blob| blob.id).collect()),
            Abandoned::Open | Abandoned::Over => {}
        }
    }

    /// A payload with all its bytes, which may be at the cluster. They are released there.
    pub(crate) async fn fetch(&self, mut payload: Payload) -> Result<Payload, Error> {
        let blobs: Vec<BlobId> = payload.blobs().map(|blob| blob.id).collect();
        let _released = Release { session: self, blobs };
        let shared = self.shared();
        let ended = shared.until(|state| state.ended.clone());
        let (bulk, session, turns) = (shared.bulk.clone(), shared.id, Arc::clone(&shared.reading));
        let fetching = spawn_on(&shared.runtime, async move {
            let _turn = turns.acquire().await;
            if let Some(blob) = payload.data_blob.take() {
                payload.data = heap::reusable(bulk.read(blob, session).await?);
            }
            for buffer in &mut payload.buffers {
                if let Buffer::Blob(blob) = *buffer {
                    *buffer = Buffer::Inline(heap::reusable(bulk.read(blob, session).await?));
                }
            }
            Ok(payload)
        });
        tokio::select! {
            fetched = fetching => match fetched {
                Ok(fetched) => fetched.map_err(|error: TransferError| Error::Transfer(error.to_string())),
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime is gone.
                    Err(_) => Err(Error::Session(SessionError::Closed)),
                },
            },
            error = ended => Err(Error::Session(error)),
        }
    }

    /// Ends the session: tasks that are not finished are left to run, once the scheduler has all calls that were made.
    pub(crate) async fn close(&self) {
        self.shared().leave();
        self.end().wait().await;
    }

    /// Its end, which this keeps nobody from.
    pub(crate) fn end(&self) -> SessionEnd {
        SessionEnd(Arc::clone(&self.0.0))
    }

    fn release(&self, blobs: Vec<BlobId>) {
        if !blobs.is_empty() {
            self.tell(Stimulus::Release { blobs });
        }
    }

    fn tell(&self, stimulus: Stimulus) {
        self.shared().lock().machine.handle(clock::now(), stimulus);
        self.shared().wake.notify_one();
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }
}

/// The end of a session.
#[derive(Clone, Debug)]
pub(crate) struct SessionEnd(Arc<Shared>);

impl SessionEnd {
    /// Waits until it is over.
    pub(crate) async fn wait(&self) {
        self.0.until(|state| state.ended.is_some().then_some(())).await;
    }
}

/// Releases parts of a result when they were read, or nobody reads them any more.
struct Release<'a> {
    session: &'a Session,
    blobs: Vec<BlobId>,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.session.release(std::mem::take(&mut self.blobs));
    }
}
