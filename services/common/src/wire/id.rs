//! Names of things.

use bytes::Bytes;
use paraply_core::id::{AttemptId, BlobId, Digest, Epoch, Incarnation, SessionId, TaskId, TransferId};
use paraply_proto::common::v1 as proto;

use super::error::{Inside as _, Problem, WireError, required};

fn fixed<const N: usize>(bytes: &[u8], field: &str) -> Result<[u8; N], WireError> {
    let length = Problem::Length { expected: N, actual: bytes.len() };
    bytes.try_into().map_err(|_| WireError::new(field, length))
}

/// Runs of one task.
const MOST_ATTEMPTS: u32 = 1 << 31;

/// A session id.
///
/// # Errors
/// If it is not 16 bytes.
pub fn session(bytes: &[u8], field: &str) -> Result<SessionId, WireError> {
    fixed(bytes, field).map(|bytes| SessionId(u128::from_be_bytes(bytes)))
}

/// An incarnation.
///
/// # Errors
/// If it is not 16 bytes.
pub fn incarnation(bytes: &[u8], field: &str) -> Result<Incarnation, WireError> {
    fixed(bytes, field).map(|bytes| Incarnation(u128::from_be_bytes(bytes)))
}

/// A blob's id.
///
/// # Errors
/// If it is not 16 bytes.
pub fn blob(bytes: &[u8], field: &str) -> Result<BlobId, WireError> {
    fixed(bytes, field).map(|bytes| BlobId(u128::from_be_bytes(bytes)))
}

/// What a reading of a blob is called.
///
/// # Errors
/// If it is 0, which is none.
pub fn transfer(value: u64, field: &str) -> Result<TransferId, WireError> {
    let zero = || WireError::new(field, Problem::Rule("0 is no transfer"));
    if value == 0 { Err(zero()) } else { Ok(TransferId(value)) }
}

/// A blob's id in a repeated field.
pub(crate) fn listed_blob(bytes: Bytes) -> Result<BlobId, WireError> {
    blob(&bytes, "")
}

pub(crate) fn encode_blobs(blobs: Vec<BlobId>) -> Vec<Bytes> {
    blobs.into_iter().map(|blob| encode_id(blob.to_bytes())).collect()
}

/// A function's digest.
///
/// # Errors
/// If it is not 32 bytes.
pub fn digest(bytes: &[u8], field: &str) -> Result<Digest, WireError> {
    fixed(bytes, field).map(Digest)
}

/// The epoch of a scheduler that the peer has known.
pub(crate) fn epoch(value: u64, field: &str) -> Result<Epoch, WireError> {
    let zero =
        || WireError::new(field, Problem::Rule("0 is no epoch: leave it out where there was no scheduler before"));
    if value == 0 { Err(zero()) } else { Ok(Epoch(value)) }
}

/// A task's name.
///
/// # Errors
/// If its session is not 16 bytes.
pub fn task(message: &proto::TaskId) -> Result<TaskId, WireError> {
    Ok(TaskId { session: session(&message.session_id, "session_id")?, index: message.index })
}

/// One run of a task; the field must be set and the attempt at least 1.
///
/// # Errors
/// Names what is missing or malformed.
pub fn attempt(message: Option<&proto::AttemptId>) -> Result<AttemptId, WireError> {
    let message = required(message, "attempt_id")?;
    let task = task(required(message.task_id.as_ref(), "attempt_id.task_id")?).inside("attempt_id.task_id")?;
    Ok(AttemptId { task, attempt: attempt_number(message.attempt, "attempt_id.attempt")? })
}

/// Which run of a task it is. Far from where counting on would begin at 0 again.
pub(crate) fn attempt_number(number: u32, field: &str) -> Result<u32, WireError> {
    match number {
        0 => Err(WireError::new(field, Problem::Rule("attempts count from 1"))),
        1..=MOST_ATTEMPTS => Ok(number),
        _ => Err(WireError::new(field, Problem::Rule("no task runs so often"))),
    }
}

/// An attempt in a repeated field.
pub(crate) fn listed_attempt(message: proto::AttemptId) -> Result<AttemptId, WireError> {
    attempt(Some(&message))
}

/// The wire form of a 16-byte id.
#[must_use]
pub fn encode_id(id: [u8; 16]) -> Bytes {
    Bytes::copy_from_slice(&id)
}

/// The wire form of a digest.
#[must_use]
pub fn encode_digest(digest: Digest) -> Bytes {
    Bytes::copy_from_slice(&digest.0)
}

/// The wire form of a task's name.
#[must_use]
pub fn encode_task(id: TaskId) -> proto::TaskId {
    proto::TaskId { session_id: encode_id(id.session.to_bytes()), index: id.index }
}

/// The wire form of one run of a task.
#[must_use]
pub fn encode_attempt(id: AttemptId) -> proto::AttemptId {
    proto::AttemptId { task_id: Some(encode_task(id.task)), attempt: id.attempt }
}

pub(crate) fn encode_attempts(ids: Vec<AttemptId>) -> Vec<proto::AttemptId> {
    let mut sessions = Sessions::default();
    ids.into_iter().map(|id| sessions.encode(id)).collect()
}

/// Encodes attempts of which neighbours are mostly of one session: its bytes are shared.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Option<(SessionId, Bytes)>);

impl Sessions {
    pub(crate) fn encode(&mut self, id: AttemptId) -> proto::AttemptId {
        let TaskId { session, index } = id.task;
        let known = self.0.take().filter(|(known, _)| *known == session);
        let (_, bytes) = self.0.insert(known.unwrap_or_else(|| (session, encode_id(session.to_bytes()))));
        let task_id = proto::TaskId { session_id: bytes.clone(), index };
        proto::AttemptId { task_id: Some(task_id), attempt: id.attempt }
    }
}

pub(crate) fn digests(messages: Vec<Bytes>, field: &str) -> Result<Vec<Digest>, WireError> {
    super::error::each(messages, field, |bytes| digest(&bytes, ""))
}

pub(crate) fn encode_digests(digests: Vec<Digest>) -> Vec<Bytes> {
    digests.into_iter().map(encode_digest).collect()
}
