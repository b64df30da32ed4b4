//! What the running task writes, as reports with offsets: two streams of bytes, and records between them.

use bytes::Bytes;
use paraply_core::{
    id::AttemptId,
    outcome::{Output, OutputKind},
};

use crate::{
    runtime::{Report, Reporter},
    stream::{Piece, Stream},
};

/// The largest record, in bytes. It goes into one message whole, with what else that message carries.
const RECORD_BYTES: usize = 512 << 10;

/// One of the two streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Std {
    Out,
    Err,
}

/// The output of one task after the other.
#[derive(Debug)]
pub struct TaskOutput {
    reporter: Reporter,
    attempt: Option<AttemptId>,
    streams: [Stream; 2],
    records: u32,
    record_bytes: u64,
    limit: u64,
}

/// How much a task wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Bytes.
    pub stdout: u64,
    /// Bytes.
    pub stderr: u64,
    /// How many.
    pub records: u32,
}

/// A record did not fit into what a task may send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Between two tasks.
    #[error("no task is running, so nobody would receive it")]
    NoTask,
    /// Too many.
    #[error("the task has sent {limit} bytes of displays and data, which is the limit (task_output_bytes)")]
    Limit {
        /// In bytes.
        limit: u64,
    },
    /// Too large.
    #[error(
        "it has {size} bytes, and a display or published value has at most {RECORD_BYTES}: return it, or write a file"
    )]
    Size {
        /// In bytes.
        size: usize,
    },
}

impl TaskOutput {
    /// Of each stream of a task, and of its records, at most `limit` bytes are passed on.
    #[must_use]
    pub fn new(reporter: Reporter, limit: u64) -> Self {
        let streams = [Stream::default(), Stream::default()];
        Self { reporter, attempt: None, streams, records: 0, record_bytes: 0, limit }
    }

    /// What is written from now on is this task's.
    pub fn begin(&mut self, attempt: AttemptId) {
        self.attempt = Some(attempt);
    }

    /// What is written from now on is nobody's. The task that ran reports no more.
    pub fn abandon(&mut self) {
        self.attempt = None;
    }

    /// Takes what the task wrote. The session reads it when it is woken. False while no task runs.
    pub fn write(&mut self, std: Std, data: &[u8]) -> bool {
        let Some(attempt) = self.attempt else { return false };
        if let Some(piece) = self.streams[std as usize].take(data, self.limit) {
            self.leave(attempt, std, piece);
        }
        true
    }

    /// Sends a display, a result or published data of the task.
    ///
    /// # Errors
    /// If it is too much, or no task runs.
    pub fn record(&mut self, kind: OutputKind, data: Bytes) -> Result<(), RecordError> {
        if data.len() > RECORD_BYTES {
            return Err(RecordError::Size { size: data.len() });
        }
        let attempt = self.attempt.ok_or(RecordError::NoTask)?;
        if self.record_bytes + data.len() as u64 > self.limit {
            return Err(RecordError::Limit { limit: self.limit });
        }
        self.record_bytes += data.len() as u64;
        let offset = u64::from(self.records);
        self.records += 1;
        self.reporter.send(Report::Output(attempt, Output { kind, offset, data, dropped: 0 }));
        Ok(())
    }

    /// The task has ended: how much it wrote.
    pub fn finish(&mut self) -> Written {
        let attempt = self.attempt.take();
        let total = [Std::Out, Std::Err].map(|std| {
            let (total, last) = self.streams[std as usize].finish();
            if let (Some(attempt), Some(piece)) = (attempt, last) {
                self.leave(attempt, std, piece);
            }
            total
        });
        self.record_bytes = 0;
        Written { stdout: total[0], stderr: total[1], records: std::mem::take(&mut self.records) }
    }

    /// Passes on at most this much from now on.
    pub fn limit(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    fn leave(&self, attempt: AttemptId, std: Std, piece: Piece) {
        let kind = match std {
            Std::Out => OutputKind::Stdout,
            Std::Err => OutputKind::Stderr,
        };
        let output = Output { kind, offset: piece.offset, data: piece.data, dropped: piece.dropped };
        self.reporter.leave(Report::Output(attempt, output));
    }
}
