//! How tasks end, and what they write.

use paraply_core::{
    id::EngineId,
    outcome::{Failure, FailureKind, Outcome, Output, OutputKind},
    payload::Payload,
};
use paraply_proto::common::v1 as proto;

use super::{
    error::{Inside as _, Problem, WireError, required},
    field::{detach, text},
    payload,
};

/// A result or a failure.
///
/// # Errors
/// If it is neither, or a part of it is malformed.
pub fn decode(message: proto::Outcome) -> Result<Outcome, WireError> {
    decode_with(message, payload::decode)
}

/// The same as a client reads it, also from a later release: a failure of a kind that this one does not know is a failure
/// all the same, and a value in an encoding that it does not know is for its reader to refuse.
///
/// # Errors
/// If it is neither, or a part of it is malformed.
pub(super) fn decode_for_client(mut message: proto::Outcome) -> Result<Outcome, WireError> {
    if let Some(proto::outcome::Outcome::Failure(failure)) = &mut message.outcome
        && proto::FailureKind::try_from(failure.kind).is_err()
    {
        if failure.type_name.is_empty() {
            failure.type_name = format!("FailureKind{}", failure.kind);
        }
        failure.kind = proto::FailureKind::Exception.into();
    }
    decode_with(message, payload::decode_any)
}

/// How a value is read.
type Read = fn(proto::Payload) -> Result<Payload, WireError>;

fn decode_with(message: proto::Outcome, read: Read) -> Result<Outcome, WireError> {
    use proto::outcome::Outcome as Wire;
    let value = match required(message.outcome, "outcome")? {
        Wire::Result(result) => Ok(read(result).inside("result")?),
        Wire::Failure(failure) => Err(decode_failure(*failure, read).inside("failure")?.into()),
    };
    Ok(Outcome {
        value,
        claimed_unix_nanos: unix_nanos(message.claimed_unix_nanos, "claimed_unix_nanos")?,
        started_unix_nanos: unix_nanos(message.started_unix_nanos, "started_unix_nanos")?,
        finished_unix_nanos: unix_nanos(message.finished_unix_nanos, "finished_unix_nanos")?,
        stdout_bytes: message.stdout_bytes,
        stderr_bytes: message.stderr_bytes,
        records: message.records,
    })
}

/// The wire form of a result or a failure.
#[must_use]
pub fn encode(outcome: &Outcome) -> proto::Outcome {
    use proto::outcome::Outcome as Wire;
    proto::Outcome {
        outcome: Some(match &outcome.value {
            Ok(result) => Wire::Result(payload::encode(result.clone())),
            Err(failure) => Wire::Failure(Box::new(encode_failure((**failure).clone()))),
        }),
        claimed_unix_nanos: outcome.claimed_unix_nanos,
        started_unix_nanos: outcome.started_unix_nanos,
        finished_unix_nanos: outcome.finished_unix_nanos,
        stdout_bytes: outcome.stdout_bytes,
        stderr_bytes: outcome.stderr_bytes,
        records: outcome.records,
    }
}

/// A piece of output.
///
/// # Errors
/// If its kind is not known.
pub fn decode_output(message: proto::Output) -> Result<Output, WireError> {
    Ok(Output {
        kind: output_kind(message.kind)?,
        offset: message.offset,
        data: detach(message.data),
        dropped: message.dropped_bytes,
    })
}

/// The wire form of a piece of output.
#[must_use]
pub fn encode_output(output: Output) -> proto::Output {
    let kind = match output.kind {
        OutputKind::Stdout => proto::OutputKind::Stdout,
        OutputKind::Stderr => proto::OutputKind::Stderr,
        OutputKind::DisplayData => proto::OutputKind::DisplayData,
        OutputKind::ExecuteResult => proto::OutputKind::ExecuteResult,
        OutputKind::ExecuteInput => proto::OutputKind::ExecuteInput,
        OutputKind::Published => proto::OutputKind::Published,
        OutputKind::PublishedPortable => proto::OutputKind::PublishedPortable,
    };
    proto::Output { kind: kind.into(), offset: output.offset, data: output.data, dropped_bytes: output.dropped }
}

/// Clients in most languages keep such times in signed 64 bits.
pub(super) fn unix_nanos(value: u64, field: &str) -> Result<u64, WireError> {
    let late = Problem::Rule("is after the year 2262: nanoseconds since the Unix epoch are expected");
    if value > i64::MAX as u64 { Err(WireError::new(field, late)) } else { Ok(value) }
}

fn output_kind(value: i32) -> Result<OutputKind, WireError> {
    use proto::OutputKind as Wire;
    match Wire::try_from(value) {
        Ok(Wire::Stdout) => Ok(OutputKind::Stdout),
        Ok(Wire::Stderr) => Ok(OutputKind::Stderr),
        Ok(Wire::DisplayData) => Ok(OutputKind::DisplayData),
        Ok(Wire::ExecuteResult) => Ok(OutputKind::ExecuteResult),
        Ok(Wire::ExecuteInput) => Ok(OutputKind::ExecuteInput),
        Ok(Wire::Published) => Ok(OutputKind::Published),
        Ok(Wire::PublishedPortable) => Ok(OutputKind::PublishedPortable),
        Ok(Wire::Unspecified) | Err(_) => {
            Err(WireError::new("kind", Problem::UnknownValue { name: "OutputKind", value }))
        }
    }
}

fn failure_kind(value: i32) -> Result<FailureKind, WireError> {
    use proto::FailureKind as Wire;
    match Wire::try_from(value) {
        Ok(Wire::Exception) => Ok(FailureKind::Exception),
        Ok(Wire::EngineLost) => Ok(FailureKind::EngineLost),
        Ok(Wire::Aborted) => Ok(FailureKind::Aborted),
        Ok(Wire::QueueTimeout) => Ok(FailureKind::QueueTimeout),
        Ok(Wire::RunTimeout) => Ok(FailureKind::RunTimeout),
        Ok(Wire::Unreadable) => Ok(FailureKind::Unreadable),
        Ok(Wire::Refused) => Ok(FailureKind::Refused),
        Ok(Wire::Cancelled) => Ok(FailureKind::Cancelled),
        Ok(Wire::Unspecified) | Err(_) => {
            Err(WireError::new("kind", Problem::UnknownValue { name: "FailureKind", value }))
        }
    }
}

/// The wire form of why a task has no result.
#[must_use]
pub fn encode_failure_kind(kind: FailureKind) -> proto::FailureKind {
    match kind {
        FailureKind::Exception => proto::FailureKind::Exception,
        FailureKind::EngineLost => proto::FailureKind::EngineLost,
        FailureKind::Aborted => proto::FailureKind::Aborted,
        FailureKind::QueueTimeout => proto::FailureKind::QueueTimeout,
        FailureKind::RunTimeout => proto::FailureKind::RunTimeout,
        FailureKind::Unreadable => proto::FailureKind::Unreadable,
        FailureKind::Refused => proto::FailureKind::Refused,
        FailureKind::Cancelled => proto::FailureKind::Cancelled,
    }
}

fn decode_failure(message: proto::Failure, read: Read) -> Result<Failure, WireError> {
    Ok(Failure {
        kind: failure_kind(message.kind)?,
        type_name: message.type_name.into(),
        message: message.message.into(),
        traceback: message.traceback.into(),
        exception: message.exception.map(read).transpose().inside("exception")?,
        engine: message.engine_id.map(EngineId),
    })
}

/// The wire form of a failure.
#[must_use]
pub fn encode_failure(failure: Failure) -> proto::Failure {
    proto::Failure {
        kind: encode_failure_kind(failure.kind).into(),
        type_name: text(&failure.type_name),
        message: text(&failure.message),
        traceback: text(&failure.traceback),
        exception: failure.exception.map(payload::encode),
        engine_id: failure.engine.map(|engine| engine.0),
    }
}
