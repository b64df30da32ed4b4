//! Results that are too large for a message: stored, and named in the outcome instead.

use futures_util::future::BoxFuture;
use paraply_common::transfer::Source as _;
use paraply_core::{
    id::{AttemptId, BlobId, EngineId, Epoch},
    outcome::{FailureKind, Outcome},
    payload::{BlobRef, Buffer, Payload},
};

use super::{Bulk, Held, Kept, TransferError};
use crate::{
    config::random,
    runtime::{Finished, LentBuffer},
};

/// What an outcome may keep inline in total, so that it fits into a message with what is around it.
const OUTCOME_BYTES: u64 = 512 << 10;

/// What a buffer costs in its message beside its bytes: the name, length and framing of a blob.
const BUFFER_BYTES: u64 = 32;

/// The most buffers of one result: each is stored by a call of its own.
const MOST_BUFFERS: usize = 8192;

/// An outcome whose large parts are in the store of one scheduler.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) attempt: AttemptId,
    pub(crate) outcome: Box<Outcome>,
    blobs: Vec<(BlobId, Held)>,
    pub(crate) epoch: Option<Epoch>,
}

/// Takes what is lent, and what is over `inline_bytes`, out of an outcome, which from then on says where it is: here
/// (`kept`), or in the store.
fn take_out(
    outcome: &mut Outcome,
    lent: Vec<LentBuffer>,
    inline_bytes: u64,
    kept: bool,
) -> std::io::Result<Vec<(BlobId, Held)>> {
    let Ok(payload) = &mut outcome.value else { return Ok(Vec::new()) };
    let mut taken = Vec::new();
    let mut name = |data: Held| -> std::io::Result<BlobRef> {
        let (id, size) = (BlobId(random()?), data.size() as u64);
        taken.push((id, data));
        Ok(BlobRef { id, size, kept })
    };
    for LentBuffer { position, bytes } in lent {
        if let Some(buffer) = payload.buffers.get_mut(position) {
            *buffer = Buffer::Blob(name(Held::Lent(bytes))?);
        }
    }
    if payload.data.len() as u64 > inline_bytes {
        payload.data_blob = Some(name(Held::Bytes(std::mem::take(&mut payload.data)))?);
    }
    let mut room = OUTCOME_BYTES.saturating_sub(payload.data.len() as u64 + framing(payload));
    let mut by_size: Vec<&mut Buffer> = payload.buffers.iter_mut().collect();
    by_size.sort_by_key(|buffer| inline_size(buffer));
    for buffer in by_size {
        let size = inline_size(buffer);
        if size <= inline_bytes && size <= room {
            room -= size;
        } else if let Buffer::Inline(data) = buffer {
            *buffer = Buffer::Blob(name(Held::Bytes(std::mem::take(data)))?);
        }
    }
    Ok(taken)
}

fn framing(payload: &Payload) -> u64 {
    payload.buffers.len() as u64 * BUFFER_BYTES
}

fn inline_size(buffer: &Buffer) -> u64 {
    if let Buffer::Inline(data) = buffer { data.len() as u64 } else { 0 }
}

/// Whether anything of `outcome` has to be stored.
fn fits(outcome: &Outcome, inline_bytes: u64) -> bool {
    let Ok(payload) = &outcome.value else { return true };
    payload.data.len() as u64 <= inline_bytes
        && payload.inline_size() + framing(payload) <= OUTCOME_BYTES
        && payload.buffers.iter().all(|buffer| inline_size(buffer) <= inline_bytes)
}

/// The outcome as it is reported now: as it is if it fits into a message, else with its large parts kept here. Where there
/// is no room for these: what will put them into the store, which may refuse them, and so make a failure of it.
pub(crate) fn place(
    finished: Finished,
    inline_bytes: u64,
    engine: Option<EngineId>,
    epoch: Option<Epoch>,
    kept: &mut Kept,
    bulk: &Bulk,
) -> Result<Box<Outcome>, BoxFuture<'static, Stored>> {
    let Finished { attempt, mut outcome, lent } = finished;
    if let Some(error) = too_many_buffers(&outcome) {
        not_stored(&mut outcome, &error, engine);
    }
    if lent.is_empty() && fits(&outcome, inline_bytes) {
        return Ok(outcome);
    }
    let lent_bytes: u64 = lent.iter().map(|lent| lent.bytes.size() as u64).sum();
    let has_room = kept.has_room(outcome.inline_size() + lent_bytes);
    let blobs = match take_out(&mut outcome, lent, inline_bytes, has_room) {
        Ok(blobs) => blobs,
        Err(error) => {
            not_stored(&mut outcome, &error.to_string(), engine);
            return Ok(outcome);
        }
    };
    if has_room {
        kept.keep(attempt.task.session, blobs);
        return Ok(outcome);
    }
    let stored = Stored { attempt, outcome, blobs, epoch };
    Err(Box::pin(stored.again(epoch, engine, bulk.clone())))
}

impl Stored {
    /// Puts it into the store of the present scheduler: it may have taken over meanwhile.
    pub(crate) async fn again(mut self, epoch: Option<Epoch>, engine: Option<EngineId>, bulk: Bulk) -> Self {
        self.epoch = epoch;
        if let Err(error) = write_all(&self.blobs, self.attempt, &bulk).await {
            not_stored(&mut self.outcome, &error.to_string(), engine);
            self.blobs.clear();
        }
        self
    }
}

/// Makes a failure of an outcome whose bytes its client could not have.
fn not_stored(outcome: &mut Outcome, error: &str, engine: Option<EngineId>) {
    let message = format!("the result could not be stored for its client: {error}");
    outcome.value = Outcome::failed(FailureKind::Refused, "ResultNotStored", message, engine).value;
}

fn too_many_buffers(outcome: &Outcome) -> Option<String> {
    let count = outcome.value.as_ref().ok()?.buffers.len();
    (count > MOST_BUFFERS).then(|| {
        format!(
            "it has {count} separate buffers, and a result has at most {MOST_BUFFERS}: concatenate the arrays that it \
             holds, or return fewer at a time"
        )
    })
}

/// Stores blobs under the names they have.
async fn write_all(blobs: &[(BlobId, Held)], attempt: AttemptId, bulk: &Bulk) -> Result<(), TransferError> {
    for (id, data) in blobs {
        bulk.write(*id, attempt.task.session, data.clone(), true).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        ops::Range,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering::SeqCst},
        },
    };

    use bytes::Bytes;
    use paraply_core::id::{SessionId, TaskId};

    use super::*;
    use crate::runtime::Lent;

    fn outcome(data: usize, buffers: &[usize]) -> Outcome {
        let bytes = |length: &usize| Bytes::from(vec![7; *length]);
        let buffers = buffers.iter().map(|length| Buffer::Inline(bytes(length))).collect();
        let payload = Payload { data: bytes(&data), buffers, ..Payload::default() };
        let mut outcome = Outcome::failed(FailureKind::Refused, "", String::new(), None);
        outcome.value = Ok(payload);
        outcome
    }

    #[test]
    fn what_is_small_stays() {
        let mut small = outcome(100, &[100, 100]);
        assert!(fits(&small, 100));
        assert!(take_out(&mut small, Vec::new(), 100, true).unwrap().is_empty());
    }

    #[test]
    fn what_is_large_is_named_and_the_rest_stays_in_place() {
        let mut large = outcome(101, &[100, 101]);
        assert!(!fits(&large, 100));
        let taken = take_out(&mut large, Vec::new(), 100, true).unwrap();
        let payload = large.value.unwrap();
        assert!(
            payload.data.is_empty() && payload.data_blob == Some(BlobRef { id: taken[0].0, size: 101, kept: true })
        );
        assert!(matches!(&payload.buffers[0], Buffer::Inline(data) if data.len() == 100));
        assert_eq!(payload.buffers[1], Buffer::Blob(BlobRef { id: taken[1].0, size: 101, kept: true }));
        assert_eq!(taken.iter().map(|(_, data)| data.size()).collect::<Vec<_>>(), [101, 101]);
    }

    #[test]
    fn many_small_buffers_never_make_a_message_too_large() {
        for (count, step) in [(10, 6000), (100, 600), (1000, 60), (100, 0), (MOST_BUFFERS, 0)] {
            let sizes: Vec<usize> = (0..count).map(|nth| 5000 + nth * step).collect();
            let mut many = outcome(2000, &sizes);
            let total: usize = sizes.iter().sum();
            let taken = take_out(&mut many, Vec::new(), 64 << 10, false).unwrap();
            let payload = many.value.unwrap();
            let size = payload.inline_size() + framing(&payload);
            assert!(size <= OUTCOME_BYTES, "{count}: {size}");
            let stored: usize = taken.iter().map(|(_, data)| data.size()).sum();
            assert_eq!(payload.inline_size() as usize + stored, 2000 + total);
        }
    }

    /// So many sevens, let go when asked to.
    #[derive(Debug, Default)]
    struct Sevens(usize, AtomicBool);

    impl Lent for Sevens {
        fn size(&self) -> usize {
            self.0
        }

        fn piece(&self, range: Range<usize>) -> Option<Bytes> {
            (!self.1.load(SeqCst)).then(|| vec![7; range.len()].into())
        }

        fn let_go(&self) {
            self.1.store(true, SeqCst);
        }
    }

    /// An outcome of a small buffer, one that is lent, and a large one.
    fn lending(sevens: &Arc<Sevens>) -> Finished {
        let attempt = AttemptId { task: TaskId { session: SessionId(1), index: 0 }, attempt: 1 };
        let bytes: Arc<dyn Lent> = Arc::<Sevens>::clone(sevens);
        Finished { lent: vec![LentBuffer { position: 1, bytes }], ..Finished::new(attempt, outcome(10, &[10, 0, 200])) }
    }

    fn sizes(outcome: &Outcome) -> Vec<Result<usize, u64>> {
        let size = |buffer: &Buffer| match buffer {
            Buffer::Inline(data) => Ok(data.len()),
            Buffer::Blob(blob) => Err(blob.size),
        };
        outcome.value.as_ref().unwrap().buffers.iter().map(size).collect()
    }

    #[test]
    fn what_is_lent_is_kept_where_it_is_and_let_go_with_its_blob() {
        let (sevens, mut kept) = (Arc::new(Sevens(500, AtomicBool::default())), Kept::new(720));
        let placed = place(lending(&sevens), 100, None, None, &mut kept, &Bulk::default());
        let outcome = placed.unwrap_or_else(|_| unreachable!("there is room"));
        assert_eq!(sizes(&outcome), [Ok(10), Err(500), Err(200)]);
        let blobs: Vec<BlobRef> = outcome.value.as_ref().unwrap().blobs().collect();
        assert!(blobs.iter().all(|blob| blob.kept) && !kept.has_room(21), "{blobs:?}");
        let lent = Held::Lent(Arc::<Sevens>::clone(&sevens));
        assert_eq!(lent.piece(1..3).unwrap(), [7, 7][..]);
        blobs.iter().for_each(|blob| kept.drop_blob(blob.id));
        assert!(lent.is_gone() && kept.has_room(720));
    }

    #[test]
    fn what_is_lent_counts_as_what_is_kept() {
        let (sevens, mut kept) = (Arc::new(Sevens(500, AtomicBool::default())), Kept::new(719));
        assert!(place(lending(&sevens), 100, None, None, &mut kept, &Bulk::default()).is_err(), "it is to be stored");
        assert!(kept.has_room(719));
    }

    #[test]
    fn a_failure_lends_nothing() {
        let (sevens, mut kept) = (Arc::new(Sevens(500, AtomicBool::default())), Kept::new(720));
        let mut finished = lending(&sevens);
        finished.outcome.value = Outcome::failed(FailureKind::Refused, "", String::new(), None).value;
        let placed = place(finished, 100, None, None, &mut kept, &Bulk::default());
        assert!(placed.is_ok_and(|outcome| outcome.value.is_err()) && kept.has_room(720));
        assert_eq!(Arc::strong_count(&sevens), 1);
    }

    #[tokio::test]
    async fn what_was_let_go_is_not_stored() {
        let sevens = Arc::new(Sevens(500, AtomicBool::new(true)));
        let written = Bulk::default().write(BlobId(1), SessionId(1), Held::Lent(sevens), true).await;
        assert!(matches!(written, Err(TransferError::Unneeded(BlobId(1)))), "{written:?}");
    }

    #[test]
    fn names_count_too() {
        let many = outcome(0, &[100; 6000]);
        assert!(!fits(&many, 64 << 10), "6000 buffers of 100 bytes and what they cost around them");
        assert!(fits(&outcome(0, &[50; 6000]), 64 << 10));
    }

    #[test]
    fn more_buffers_than_anyone_can_store_are_refused_with_advice() {
        let refused = outcome(0, &[1; MOST_BUFFERS + 1]);
        let attempt = AttemptId { task: TaskId { session: SessionId(1), index: 0 }, attempt: 1 };
        let mut kept = Kept::new(1 << 20);
        let placed = place(Finished::new(attempt, refused), 100, Some(EngineId(3)), None, &mut kept, &Bulk::default());
        let failure = placed.unwrap_or_else(|_| unreachable!("nothing is stored")).value.unwrap_err();
        let message = String::from_utf8_lossy(&failure.message).into_owned();
        assert!(message.contains("8193 separate buffers") && message.contains("concatenate"), "{message}");
        assert_eq!((failure.kind, failure.engine), (FailureKind::Refused, Some(EngineId(3))));
    }
}
