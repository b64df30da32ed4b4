//! Results that are too large for a message: stored, and named in the outcome instead.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use paraply_core::{
    id::{AttemptId, BlobId, EngineId, Epoch},
    outcome::{FailureKind, Outcome},
    payload::{BlobRef, Buffer},
};

use super::{Bulk, TransferError};
use crate::config::random;

/// What an outcome may keep inline in total, so that it fits into a message with what is around it.
const OUTCOME_BYTES: u64 = 512 << 10;

/// An outcome whose large parts are in the store of one scheduler.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) attempt: AttemptId,
    pub(crate) outcome: Box<Outcome>,
    /// Kept until the outcome is acknowledged: a scheduler that takes over has an empty store.
    pub(crate) blobs: Vec<(BlobId, Bytes)>,
    pub(crate) epoch: Option<Epoch>,
}

/// Takes what is over `inline_bytes` out of an outcome. Nothing is stored yet.
fn take_out(outcome: &mut Outcome, inline_bytes: u64) -> std::io::Result<Vec<(BlobId, Bytes)>> {
    let Ok(payload) = &mut outcome.value else { return Ok(Vec::new()) };
    let mut taken = Vec::new();
    let mut name = |data: &Bytes| -> std::io::Result<BlobRef> {
        let id = BlobId(random()?);
        taken.push((id, data.clone()));
        Ok(BlobRef { id, size: data.len() as u64 })
    };
    if payload.data.len() as u64 > inline_bytes {
        payload.data_blob = Some(name(&payload.data)?);
        payload.data = Bytes::new();
    }
    let mut room = OUTCOME_BYTES.saturating_sub(payload.data.len() as u64);
    let mut by_size: Vec<&mut Buffer> = payload.buffers.iter_mut().collect();
    by_size.sort_by_key(|buffer| inline_size(buffer));
    for buffer in by_size {
        let size = inline_size(buffer);
        if size <= inline_bytes && size <= room {
            room -= size;
        } else if let Buffer::Inline(data) = buffer {
            *buffer = Buffer::Blob(name(data)?);
        }
    }
    Ok(taken)
}

fn inline_size(buffer: &Buffer) -> u64 {
    if let Buffer::Inline(data) = buffer { data.len() as u64 } else { 0 }
}

/// Whether anything of `outcome` has to be stored.
fn fits(outcome: &Outcome, inline_bytes: u64) -> bool {
    let Ok(payload) = &outcome.value else { return true };
    payload.data.len() as u64 <= inline_bytes
        && payload.inline_size() <= OUTCOME_BYTES
        && payload.buffers.iter().all(|buffer| inline_size(buffer) <= inline_bytes)
}

/// The outcome as it is, if it fits into a message; else what will store its large parts. What the store refuses becomes
/// the task's failure.
pub(crate) fn store(
    attempt: AttemptId,
    mut outcome: Box<Outcome>,
    inline_bytes: u64,
    engine: Option<EngineId>,
    epoch: Option<Epoch>,
    bulk: &Bulk,
) -> Result<Box<Outcome>, BoxFuture<'static, Stored>> {
    if fits(&outcome, inline_bytes) {
        return Ok(outcome);
    }
    let bulk = bulk.clone();
    Err(Box::pin(async move {
        let stored = match take_out(&mut outcome, inline_bytes) {
            Ok(blobs) => write_all(&blobs, attempt, &bulk).await.map(|()| blobs).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let blobs = stored.unwrap_or_else(|error| {
            let message = format!("the result could not be stored for its client: {error}");
            let failure = Outcome::failed(FailureKind::Refused, "ResultNotStored", message, engine);
            outcome.value = failure.value;
            Vec::new()
        });
        Stored { attempt, outcome, blobs, epoch }
    }))
}

/// Stores blobs under the names they have.
pub(crate) async fn write_all(blobs: &[(BlobId, Bytes)], attempt: AttemptId, bulk: &Bulk) -> Result<(), TransferError> {
    for (id, data) in blobs {
        bulk.write(*id, attempt.task.session, data.clone()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use paraply_core::payload::Payload;

    use super::*;

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
        assert!(take_out(&mut small, 100).unwrap().is_empty());
    }

    #[test]
    fn what_is_large_is_named_and_the_rest_stays_in_place() {
        let mut large = outcome(101, &[100, 101]);
        assert!(!fits(&large, 100));
        let taken = take_out(&mut large, 100).unwrap();
        let payload = large.value.unwrap();
        assert!(payload.data.is_empty() && payload.data_blob == Some(BlobRef { id: taken[0].0, size: 101 }));
        assert!(matches!(&payload.buffers[0], Buffer::Inline(data) if data.len() == 100));
        assert_eq!(payload.buffers[1], Buffer::Blob(BlobRef { id: taken[1].0, size: 101 }));
        assert_eq!(taken.iter().map(|(_, data)| data.len()).collect::<Vec<_>>(), [101, 101]);
    }

    #[test]
    fn many_small_buffers_never_make_a_message_too_large() {
        for (count, step) in [(10, 6000), (100, 600), (1000, 60), (100, 0)] {
            let sizes: Vec<usize> = (0..count).map(|nth| 5000 + nth * step).collect();
            let mut many = outcome(2000, &sizes);
            let total: usize = sizes.iter().sum();
            let taken = take_out(&mut many, 64 << 10).unwrap();
            let payload = many.value.unwrap();
            assert!(payload.inline_size() <= OUTCOME_BYTES, "{count}: {}", payload.inline_size());
            let stored: usize = taken.iter().map(|(_, data)| data.len()).sum();
            assert_eq!(payload.inline_size() as usize + stored, 2000 + total);
        }
    }
}
