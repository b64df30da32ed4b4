//! Readers of blobs that clients and engines keep: each waits for its writer, and then the two are joined by a channel that
//! holds one chunk. Nothing is stored: who keeps a blob keeps it until its reader has all of it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use paraply_common::mailbox::Mailbox;
use paraply_core::{
    id::{BlobId, SessionId, TransferId},
    mutant::{Mutant, forgets},
    scheduler,
};
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use super::store::BlobError;
use crate::shell::Stimulus;

/// A reader that takes nothing for so long is not waited for: it asks again when it goes on. Its writer has others to
/// serve.
const STALL: Duration = Duration::from_secs(5);

/// A writer that sends nothing for so long is given up: its reader asks again.
const SILENCE: Duration = Duration::from_secs(60);

/// Readers that wait, by the name of their transfer.
#[derive(Clone, Debug)]
pub(crate) struct Transfers {
    waiting: Arc<Mutex<HashMap<TransferId, Reader>>>,
    last: Arc<AtomicU64>,
    mailbox: Mailbox<Stimulus>,
}

/// Who waits for which blob.
#[derive(Debug)]
struct Reader {
    blob: BlobId,
    answer: oneshot::Sender<Answer>,
}

/// What becomes of a reader.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Its writer has come.
    Writer(Incoming),
    /// The store has it by now.
    Stored,
    /// Nobody has it, and why.
    Nobody(&'static str),
}

/// The reader's end.
#[derive(Debug)]
pub(crate) struct Incoming {
    size: u64,
    chunks: mpsc::Receiver<(u64, Bytes)>,
    /// The reader has everything up to here.
    taken: Arc<AtomicU64>,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Outgoing {
    size: u64,
    chunks: mpsc::Sender<(u64, Bytes)>,
    taken: Arc<AtomicU64>,
}

/// Takes a reader that has left, or is answered, off the books.
struct Waiting {
    transfer: TransferId,
    transfers: Transfers,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.transfers.lock().remove(&self.transfer);
        let settled = scheduler::Stimulus::TransferSettled { transfer: self.transfer };
        self.transfers.mailbox.notice(Stimulus::Machine(settled));
    }
}

impl Transfers {
    pub(crate) fn new(mailbox: Mailbox<Stimulus>) -> Self {
        Self { waiting: Arc::default(), last: Arc::default(), mailbox }
    }

    /// Has whoever keeps the blob asked for it, and waits for what comes of that.
    pub(crate) async fn read(&self, blob: BlobId, session: SessionId, offset: u64) -> Result<Answer, Status> {
        let transfer = TransferId(1 + self.last.fetch_add(1, Ordering::Relaxed));
        let (answer, answered) = oneshot::channel();
        self.lock().insert(transfer, Reader { blob, answer });
        let _waiting = Waiting { transfer, transfers: self.clone() };
        let wanted = scheduler::Stimulus::BlobWanted { transfer, blob, session, offset };
        let shutting_down = || Status::unavailable("the scheduler is shutting down");
        self.mailbox.send(Stimulus::Machine(wanted)).await.map_err(|_| shutting_down())?;
        answered.await.map_err(|_| shutting_down())
    }

    /// A writer of this blob has come for a reader, who may have left. Transfers are numbered, and numbers can be guessed:
    /// nobody writes to a reader who does not know which blob it waits for.
    pub(crate) fn begin(&self, transfer: TransferId, blob: BlobId, size: u64) -> Result<Outgoing, Status> {
        if self.lock().get(&transfer).is_none_or(|reader| reader.blob != blob && !forgets(Mutant::TransferUnchecked)) {
            return Err(left());
        }
        let (chunks, arriving) = mpsc::channel(1);
        let taken = Arc::new(AtomicU64::new(0));
        let incoming = Incoming { size, chunks: arriving, taken: Arc::clone(&taken) };
        self.answer(transfer, Answer::Writer(incoming)).map_err(|()| left())?;
        Ok(Outgoing { size, chunks, taken })
    }

    /// Tells a reader what becomes of it, if it is still there.
    pub(crate) fn answer(&self, transfer: TransferId, answer: Answer) -> Result<(), ()> {
        let reader = self.lock().remove(&transfer);
        reader.ok_or(())?.answer.send(answer).map_err(drop)
    }

    /// Whether the reader is still there.
    pub(crate) fn awaits(&self, transfer: TransferId) -> bool {
        self.lock().contains_key(&transfer)
    }

    /// How many readers wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TransferId, Reader>> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outgoing {
    /// Passes a chunk on when the reader has room for it.
    pub(crate) async fn pass(&self, offset: u64, data: Bytes) -> Result<(), Status> {
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= self.size);
        if end.is_none() {
            return Err(Status::out_of_range(format!("the blob has {} bytes, and there is nothing beyond", self.size)));
        }
        match self.chunks.send_timeout((offset, data), STALL).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(left()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                Err(Status::aborted("the reader does not read; it asks again when it goes on"))
            }
        }
    }

    /// Waits until the reader has taken everything up to `end`, or has left.
    pub(crate) async fn finish(self, end: u64) -> Result<(), Status> {
        // There is room for another chunk when the last one is taken; a reader who has all of them leaves.
        let _room = tokio::time::timeout(STALL, self.chunks.reserve()).await;
        if self.taken.load(Ordering::Acquire) == end { Ok(()) } else { Err(left()) }
    }
}

impl Incoming {
    /// The chunk at `offset`; `None` at the end of the blob.
    pub(crate) async fn next(&mut self, offset: u64) -> Result<Option<Bytes>, Status> {
        if offset >= self.size {
            let beyond = BlobError::Beyond { size: self.size };
            return if offset == self.size { Ok(None) } else { Err(beyond.into()) };
        }
        match tokio::time::timeout(SILENCE, self.chunks.recv()).await {
            Ok(Some((start, data))) if start == offset && !data.is_empty() => {
                self.taken.store(offset + data.len() as u64, Ordering::Release);
                Ok(Some(data))
            }
            Ok(Some((start, _))) => Err(Status::unavailable(format!(
                "whoever keeps the blob wrote bytes at {start} where {offset} was due; read on from there"
            ))),
            Ok(None) => Err(Status::unavailable(format!("whoever keeps the blob broke off; read on from {offset}"))),
            Err(_) => Err(Status::unavailable(format!("whoever keeps the blob is silent; read on from {offset}"))),
        }
    }
}

fn left() -> Status {
    Status::aborted("the reader has left; it asks again if it needs to")
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use paraply_common::mailbox::{Inbox, mailbox};

    use super::*;

    const ID: TransferId = TransferId(1);
    const BLOB: BlobId = BlobId(9);

    fn transfers() -> (Transfers, Inbox<Stimulus>) {
        let (mailbox, inbox) = mailbox(4);
        (Transfers::new(mailbox), inbox)
    }

    /// A reader and its writer.
    async fn joined(transfers: &Transfers, size: u64) -> (Incoming, Outgoing) {
        let reading = transfers.read(BLOB, SessionId(7), 0);
        let mut reading = std::pin::pin!(reading);
        assert!((&mut reading).now_or_never().is_none());
        let outgoing = transfers.begin(ID, BLOB, size).unwrap();
        let Answer::Writer(incoming) = reading.await.unwrap() else { panic!() };
        (incoming, outgoing)
    }

    #[tokio::test]
    async fn one_chunk_waits_and_no_more() {
        let (transfers, _inbox) = transfers();
        let (mut incoming, outgoing) = joined(&transfers, 4).await;
        outgoing.pass(0, "ab".into()).await.unwrap();
        assert!(outgoing.pass(2, "cd".into()).now_or_never().is_none(), "there is room for one");
        assert_eq!(incoming.next(0).await.unwrap().unwrap(), "ab");
        outgoing.pass(2, "cd".into()).await.unwrap();
        assert_eq!(incoming.next(2).await.unwrap().unwrap(), "cd");
        assert_eq!(incoming.next(4).await.unwrap(), None);
        drop(incoming);
        outgoing.finish(4).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_does_not_read_is_not_waited_for_long() {
        let (transfers, _inbox) = transfers();
        let (mut incoming, outgoing) = joined(&transfers, 4).await;
        outgoing.pass(0, "ab".into()).await.unwrap();
        let stalled = outgoing.pass(2, "cd".into()).await.unwrap_err();
        assert_eq!(stalled.code(), tonic::Code::Aborted);
        drop(outgoing);
        assert_eq!(incoming.next(0).await.unwrap().unwrap(), "ab");
        assert_eq!(incoming.next(2).await.unwrap_err().code(), tonic::Code::Unavailable, "it asks again");
    }

    #[tokio::test]
    async fn what_is_wrong_ends_it() {
        let (transfers, _inbox) = transfers();
        let (mut incoming, outgoing) = joined(&transfers, 4).await;
        assert_eq!(outgoing.pass(2, "cde".into()).await.unwrap_err().code(), tonic::Code::OutOfRange);
        assert_eq!(outgoing.pass(u64::MAX, "c".into()).await.unwrap_err().code(), tonic::Code::OutOfRange);
        outgoing.pass(2, "cd".into()).await.unwrap();
        assert_eq!(incoming.next(0).await.unwrap_err().code(), tonic::Code::Unavailable, "a gap");
        assert_eq!(outgoing.finish(4).await.unwrap_err().code(), tonic::Code::Aborted);
    }

    #[tokio::test]
    async fn a_reader_that_leaves_is_off_the_books() {
        let (transfers, _inbox) = transfers();
        drop(transfers.read(BLOB, SessionId(7), 0).now_or_never());
        assert!(transfers.lock().is_empty());
        assert_eq!(transfers.begin(ID, BLOB, 4).unwrap_err().code(), tonic::Code::Aborted);
    }

    #[tokio::test]
    async fn who_guesses_a_transfer_and_not_its_blob_writes_nothing() {
        let (transfers, _inbox) = transfers();
        let mut reading = std::pin::pin!(transfers.read(BLOB, SessionId(7), 0));
        assert!((&mut reading).now_or_never().is_none());
        let guessed = transfers.begin(ID, BlobId(8), 4).unwrap_err();
        assert_eq!(guessed.code(), tonic::Code::Aborted);
        let _keeper = transfers.begin(ID, BLOB, 4).unwrap();
        assert!(matches!(reading.await, Ok(Answer::Writer(_))), "it waits on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_that_is_silent_and_one_of_less_than_was_asked_for_end_it() {
        let (transfers, _inbox) = transfers();
        let (mut incoming, _outgoing) = joined(&transfers, 4).await;
        assert_eq!(incoming.next(0).await.unwrap_err().code(), tonic::Code::Unavailable);
        assert_eq!(incoming.next(5).await.unwrap_err().code(), tonic::Code::OutOfRange);
    }
}
