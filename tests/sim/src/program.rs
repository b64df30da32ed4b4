//! What a simulated task does: it is written into its arguments, or its source code, and read by the engine.

use std::time::Duration;

use bytes::Bytes;
use paraply_core::{
    call::Work,
    engine_session::RunTask,
    id::{AttemptId, EngineId, Incarnation},
    outcome::{Failure, FailureKind, Outcome, Output, OutputKind},
    payload::{BlobRef, Payload},
    time::Time,
};

use crate::random::Random;

/// What a task does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Program {
    /// How long it runs.
    pub runs: Duration,
    /// It raises.
    pub raises: bool,
    /// Pieces that it writes.
    pub writes: u8,
    /// Its result is large.
    pub large: bool,
    /// It does not stop when it is interrupted.
    pub stubborn: bool,
}

impl Program {
    /// Draws one. Most are short.
    pub fn draw(random: &mut Random) -> Self {
        let runs = match random.below(100) {
            0..=59 => random.micros(5, 900),
            60..=94 => random.micros(900, 30_000),
            95..=98 => random.micros(30_000, 1_000_000),
            _ => random.micros(1_000_000, 12_000_000),
        };
        let writes = if random.chance(200) { random.between(1, 4) } else { 0 };
        Self {
            runs,
            raises: random.chance(120),
            writes: u8::try_from(writes).unwrap_or_default(),
            large: random.chance(120),
            stubborn: random.chance(350),
        }
    }

    /// As bytes, with some more after them.
    #[must_use]
    pub fn encode(self, padding: usize) -> Bytes {
        let micros = u32::try_from(self.runs.as_micros()).unwrap_or(u32::MAX);
        let mut bytes = micros.to_be_bytes().to_vec();
        bytes.extend([u8::from(self.raises), self.writes, u8::from(self.large), u8::from(self.stubborn)]);
        bytes.resize(bytes.len() + padding, b'.');
        bytes.into()
    }

    /// What a task does that an engine was given.
    #[must_use]
    pub fn of(task: &RunTask) -> Option<Self> {
        if task.arguments.blobs().next().is_some() {
            return None;
        }
        let bytes = match &task.head.work {
            Work::Function(_) => &task.arguments.data,
            Work::Execute { source, .. } => source,
        };
        let [a, b, c, d, raises, writes, large, stubborn, ..] = **bytes else { return None };
        let runs = Duration::from_micros(u32::from_be_bytes([a, b, c, d]).into());
        Some(Self { runs, raises: raises == 1, writes, large: large == 1, stubborn: stubborn == 1 })
    }

    /// What it writes.
    #[must_use]
    pub fn output(self) -> Vec<Output> {
        let piece = |n: u8| {
            let kind = if n % 3 == 2 { OutputKind::DisplayData } else { OutputKind::Stdout };
            let offset = if kind == OutputKind::Stdout { u64::from(n - n / 3) * 20 } else { u64::from(n / 3) };
            Output { kind, offset, data: Bytes::from(vec![b'a' + n; 20]), dropped: 0 }
        };
        (0..self.writes).map(piece).collect()
    }
}

/// A run of a task, as its result names it: no two runs have the same result.
#[must_use]
pub fn signature(attempt: AttemptId, incarnation: Incarnation, started: Time) -> Bytes {
    format!("{attempt}@{incarnation}+{}", started.0).into()
}

/// What a run came to.
#[must_use]
pub fn outcome(signature: Bytes, value: Ending, engine: EngineId, started: Time, now: Time) -> Outcome {
    let failure = |kind, message| {
        let type_name = Bytes::from_static(b"E");
        Failure { kind, type_name, message, traceback: Bytes::new(), exception: None, engine: Some(engine) }.into()
    };
    let value = match value {
        Ending::Returned { blob: None } => Ok(Payload { data: signature, ..Payload::default() }),
        Ending::Returned { blob } => Ok(Payload { python_version: signature, data_blob: blob, ..Payload::default() }),
        Ending::Raised => Err(failure(FailureKind::Exception, signature)),
        Ending::Interrupted => Err(failure(FailureKind::Cancelled, signature)),
    };
    Outcome {
        value,
        claimed_unix_nanos: started.0 + 1,
        started_unix_nanos: started.0 + 1,
        finished_unix_nanos: now.0 + 1,
        stdout_bytes: 0,
        stderr_bytes: 0,
        records: 0,
    }
}

/// How a run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Ending {
    Returned { blob: Option<BlobRef> },
    Raised,
    Interrupted,
}

/// The signature that an outcome carries, if user code made it.
#[must_use]
pub fn signature_of(outcome: &Outcome) -> Option<&Bytes> {
    match &outcome.value {
        Ok(payload) if payload.data_blob.is_some() => Some(&payload.python_version),
        Ok(payload) => Some(&payload.data),
        Err(failure) if matches!(failure.kind, FailureKind::Exception | FailureKind::Cancelled) => {
            (outcome.started_unix_nanos > 0).then_some(&failure.message)
        }
        Err(_) => None,
    }
}
