//! How tasks end, and what they write on the way.

use bytes::Bytes;

use crate::{
    id::EngineId,
    payload::{BlobRef, Payload},
};

/// Why a task has no result. The wire names of these say what each means.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum FailureKind {
    Exception,
    EngineLost,
    Aborted,
    QueueTimeout,
    RunTimeout,
    Unreadable,
    Refused,
    Cancelled,
}

/// A task's failure: data, like a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What sort of failure.
    pub kind: FailureKind,
    /// The exception's class name, UTF-8.
    pub type_name: Bytes,
    /// UTF-8.
    pub message: Bytes,
    /// UTF-8, without colour.
    pub traceback: Bytes,
    /// The exception object, where it could be pickled.
    pub exception: Option<Payload>,
    /// Where it happened.
    pub engine: Option<EngineId>,
}

/// A result or a failure, with its times and how much output belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What the task came to. Failures are few and large: results are not moved about with room for one.
    pub value: Result<Payload, Box<Failure>>,
    /// Engine's wall clock when it claimed the task, nanoseconds since the Unix epoch; 0 where none did.
    pub claimed_unix_nanos: u64,
    /// The same, when user code started; 0 where it never did.
    pub started_unix_nanos: u64,
    /// The same, at the end.
    pub finished_unix_nanos: u64,
    /// Bytes written to stdout by the end.
    pub stdout_bytes: u64,
    /// Bytes written to stderr by the end.
    pub stderr_bytes: u64,
    /// Structured outputs sent by the end.
    pub records: u32,
}

impl Failure {
    /// What happened, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let (name, message) = (String::from_utf8_lossy(&self.type_name), String::from_utf8_lossy(&self.message));
        let line = message.lines().next().unwrap_or_default();
        if line.is_empty() { name.into_owned() } else { format!("{name}: {line}") }
    }
}

impl Outcome {
    /// A failure that no engine reported: user code did not run, or nobody saw it end.
    #[must_use]
    pub fn failed(kind: FailureKind, type_name: &'static str, message: String, engine: Option<EngineId>) -> Self {
        Self {
            value: Err(Box::new(Failure {
                kind,
                type_name: Bytes::from_static(type_name.as_bytes()),
                message: message.into(),
                traceback: Bytes::new(),
                exception: None,
                engine,
            })),
            claimed_unix_nanos: 0,
            started_unix_nanos: 0,
            finished_unix_nanos: 0,
            stdout_bytes: 0,
            stderr_bytes: 0,
            records: 0,
        }
    }

    /// The blobs that it names.
    pub fn blobs(&self) -> impl Iterator<Item = BlobRef> + '_ {
        let payload = match &self.value {
            Ok(payload) => Some(payload),
            Err(failure) => failure.exception.as_ref(),
        };
        payload.into_iter().flat_map(Payload::blobs)
    }

    /// Bytes that it keeps in memory, blobs not counted.
    #[must_use]
    pub fn inline_size(&self) -> u64 {
        match &self.value {
            Ok(payload) => payload.inline_size(),
            Err(failure) => {
                let exception = failure.exception.as_ref().map_or(0, Payload::inline_size);
                (failure.message.len() + failure.traceback.len()) as u64 + exception
            }
        }
    }
}

/// What a piece of output is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum OutputKind {
    Stdout,
    Stderr,
    DisplayData,
    ExecuteResult,
    ExecuteInput,
    Published,
    PublishedPortable,
}

/// A piece of what a task wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    /// Which stream or what sort of record.
    pub kind: OutputKind,
    /// Byte offset in its stream; for records their number.
    pub offset: u64,
    /// The bytes.
    pub data: Bytes,
    /// Bytes dropped just before `offset` because a limit was reached.
    pub dropped: u64,
}
