//! One who writes a blob, into the store or for a reader, and keeps no rule.

use bytes::Bytes;
use paraply_common::spawn::{Task, spawn};
use paraply_proto::blob::v1::{
    BlobChunk, BlobHeader, WriteBlobRequest, WriteBlobResponse, write_blob_request::Message,
};
use paraply_sim::Random;
use tonic::{Code, Status};

use super::calls::{Calls, Line, line};
use crate::names;

/// A stream that is open.
pub(super) struct Writer {
    /// `None` once its side is closed.
    pub(super) line: Option<Line>,
    /// What it says that it writes.
    size: u64,
    /// Where it would go on.
    next: u64,
    answer: Task<Result<WriteBlobResponse, Status>>,
}

impl Writer {
    pub(super) fn open(calls: Calls, size: u64, next: u64) -> Self {
        let (line, sent) = line();
        Self { line: Some(line), size, next, answer: spawn(calls.write(sent)) }
    }

    /// Its side is open, and nothing is on its way.
    pub(super) fn can_send(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.capacity() > 0)
    }

    pub(super) fn send(&self, message: Bytes) {
        if let Some(line) = &self.line {
            // The call may be over.
            let _lost = line.try_send(message);
        }
    }

    /// The next of its chunks, or another one.
    pub(super) fn chunk(&mut self, random: &mut Random) -> WriteBlobRequest {
        let most = random.pick(&[1, 20, 400, 6000, 70_000]).unwrap_or(1);
        let length = if random.chance(30) { 0 } else { random.between(1, most) };
        let offset = match random.below(20) {
            0 => self.next.saturating_add(random.between(1, 100)),
            1 => self.next.saturating_sub(random.below(400)),
            2 => random.pick(&[0, u64::MAX, self.size, self.size.saturating_add(1)]).unwrap_or_default(),
            _ => self.next,
        };
        let room = self.size.saturating_sub(offset);
        let length = if random.chance(20) { length } else { length.min(room) };
        self.next = offset.saturating_add(length);
        let data = Bytes::from(vec![0x5a; usize::try_from(length).unwrap_or_default()]);
        WriteBlobRequest { message: Some(Message::Chunk(BlobChunk { offset, data })) }
    }

    /// What came of it, once something has.
    pub(super) async fn ended(&mut self) -> Option<Result<(), String>> {
        if !self.answer.is_finished() {
            return None;
        }
        Some(match (&mut self.answer).await {
            Ok(Ok(answer)) if answer.committed_bytes <= self.size => Ok(()),
            Ok(Ok(answer)) => Err(format!("of {} bytes {answer:?} is committed", self.size)),
            Ok(Err(status)) => as_documented(&status),
            Err(panic) => Err(panic.to_string()),
        })
    }
}

/// The errors that a writer may get.
fn as_documented(status: &Status) -> Result<(), String> {
    let documented = [Code::InvalidArgument, Code::OutOfRange, Code::NotFound, Code::ResourceExhausted, Code::Aborted];
    if documented.contains(&status.code()) { Ok(()) } else { Err(format!("a writer was told {status}")) }
}

/// How large a blob of the few names is, as all agree who keep to anything.
pub(super) fn usual_size(blob: &[u8]) -> u64 {
    let sizes = [100, 5000, 0, 70_000, 200_000, 20_000];
    sizes[usize::from(blob.last().copied().unwrap_or_default()) % sizes.len()]
}

/// Whose it is.
pub(super) fn usual_session(blob: &[u8]) -> u128 {
    names::session(u64::from(blob.last().copied().unwrap_or_default()) % names::SESSIONS)
}

/// The start of a write.
pub(super) fn header(random: &mut Random, transfer_id: u64) -> BlobHeader {
    let blob_id = names::bytes(random, "blob_id").unwrap_or_default();
    let mut session_id = Bytes::copy_from_slice(&usual_session(&blob_id).to_be_bytes());
    if random.chance(60) {
        session_id = names::bytes(random, "session_id").unwrap_or_default();
    }
    let mut size_bytes = usual_size(&blob_id);
    if random.chance(60) {
        size_bytes = random.pick(&[0, 1, 300, 100_000, 1 << 30, u64::MAX]).unwrap_or_default();
    }
    BlobHeader { blob_id, size_bytes, session_id, transfer_id, only_copy: random.chance(200) }
}
