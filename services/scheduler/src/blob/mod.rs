//! Large bytes, by `BlobService` on a thread of its own, so that bulk delays no task: stored in memory and files, or passed
//! on from the client or engine that keeps them to who reads them.

mod files;
mod service;
mod store;
mod thread;
mod transfers;

use std::sync::Arc;

use paraply_common::thread::Spawner;
use paraply_core::{
    id::{BlobId, SessionId, TransferId},
    scheduler,
    time::Time,
};

pub(crate) use self::{
    files::Files,
    service::Blobs as BlobCalls,
    store::{BlobStore, Held, Limits},
    thread::{OnBlobThread, start as start_thread},
    transfers::Transfers,
};
use self::{
    store::{Progress, Remains},
    transfers::Answer,
};

/// Store and transfers as the actor sees them.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    pub(crate) store: Arc<BlobStore>,
    pub(crate) transfers: Transfers,
    pub(crate) thread: Spawner,
}

impl Blobs {
    /// Whether what the blob thread has told is still so: the machine hears of it later, and may have dropped the blob, or
    /// hear first that its reader has left.
    pub(crate) fn confirm(&self, stimulus: &scheduler::Stimulus) -> bool {
        use scheduler::Stimulus as Machine;
        match stimulus {
            Machine::BlobReady { blob } => self.store.progress(*blob).is_ok_and(Progress::is_complete),
            Machine::BlobGone { blob } => self.store.progress(*blob).is_err(),
            Machine::BlobWanted { transfer, .. } => self.transfers.awaits(*transfer),
            _ => true,
        }
    }

    /// The session is there: its blobs stay as long as it does.
    pub(crate) fn open_session(&self, session: SessionId) {
        self.store.open_session(session);
    }

    /// Nothing names the blob any more.
    pub(crate) fn drop_blob(&self, blob: BlobId) {
        let remains = self.store.drop_blob(blob);
        self.clear(remains);
    }

    /// A reader finds its blob in the store.
    pub(crate) fn is_stored(&self, transfer: TransferId) {
        let _reader_has_left = self.transfers.answer(transfer, Answer::Stored);
    }

    /// A reader waits in vain.
    pub(crate) fn nobody_has(&self, transfer: TransferId, reason: &'static str) {
        let _reader_has_left = self.transfers.answer(transfer, Answer::Nobody(reason));
    }

    /// The session is gone; answers which blobs went with it.
    pub(crate) fn forget_session(&self, session: SessionId) -> Vec<BlobId> {
        let (blobs, remains) = self.store.forget_session(session);
        self.clear(remains);
        blobs
    }

    /// What nobody finishes or fetches is dropped; answers which blobs those are.
    pub(crate) fn sweep(&self, now: Time) -> Vec<BlobId> {
        let (blobs, remains) = self.store.sweep(now);
        self.clear(remains);
        blobs
    }

    /// Giving many pages back to the system takes milliseconds, which the actor does not have.
    fn clear(&self, remains: Remains) {
        let store = Arc::clone(&self.store);
        self.thread.spawn_blocking(move || store.clear(remains));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use paraply_common::mailbox::mailbox;
    use paraply_core::scheduler::Stimulus as Machine;

    use super::*;

    #[tokio::test]
    async fn what_is_over_before_the_machine_hears_of_it_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { total: 1000, memory: 1000, grace: Duration::from_secs(1) };
        let store = Arc::new(BlobStore::new(limits, Files::at(folder.path())));
        let (mailbox, _inbox) = mailbox(4);
        let blobs = Blobs { store, transfers: Transfers::new(mailbox), thread: Spawner::here() };
        let (blob, session, transfer) = (BlobId(1), SessionId(7), TransferId(1));

        let mut reading = Box::pin(blobs.transfers.read(blob, session, 0));
        assert!((&mut reading).now_or_never().is_none());
        let wanted = Machine::BlobWanted { transfer, blob, session, offset: 0 };
        assert!(blobs.confirm(&wanted));
        drop(reading);
        assert!(!blobs.confirm(&wanted), "its reader has left");

        let (ready, gone) = (Machine::BlobReady { blob }, Machine::BlobGone { blob });
        assert!(!blobs.confirm(&ready) && blobs.confirm(&gone));
        blobs.store.begin(blob, session, 1, false, Time(0)).await.unwrap();
        assert!(!blobs.confirm(&ready) && !blobs.confirm(&gone), "it was begun again");
        blobs.store.append(blob, 0, "a".into(), Time(0)).await.unwrap();
        assert!(blobs.confirm(&ready) && !blobs.confirm(&gone));
    }
}
