//! Engine to scheduler.

use std::sync::Arc;

use bytes::Bytes;
use paraply_core::{
    engine_link::{Credit, Held, HeldState, Hello, Reports, ToScheduler},
    id::{AttemptId, BlobId, EngineId, Epoch},
    outcome::{Outcome, Output},
};
use paraply_proto::scheduler::v1 as proto;
use proto::attach_engine_request::Message;

use crate::wire::{
    error::{Inside as _, Problem, WireError, each, required},
    id, outcome, peer,
};

/// What an engine says.
///
/// # Errors
/// Names the field that is missing or malformed.
pub fn decode_request(message: proto::AttachEngineRequest) -> Result<ToScheduler, WireError> {
    Ok(match required(message.message, "message")? {
        Message::Hello(hello) => ToScheduler::Hello(decode_hello(hello).inside("hello")?),
        Message::Reports(reports) => ToScheduler::Reports(decode_reports(reports).inside("reports")?),
        Message::Heartbeat(proto::EngineHeartbeat {}) => ToScheduler::Heartbeat,
    })
}

/// The wire form of what an engine says. `ticket`, from its registration, goes into a hello.
#[must_use]
pub fn encode_request(message: ToScheduler, ticket: &Bytes) -> proto::AttachEngineRequest {
    let message = match message {
        ToScheduler::Hello(hello) => Message::Hello(encode_hello(hello, ticket.clone())),
        ToScheduler::Reports(reports) => Message::Reports(encode_reports(reports)),
        ToScheduler::Heartbeat => Message::Heartbeat(proto::EngineHeartbeat {}),
    };
    proto::AttachEngineRequest { message: Some(message) }
}

/// The first message of a stream. Its ticket and the peer's protocol range are for the caller to check.
///
/// # Errors
/// Names the field that is missing or malformed.
pub fn decode_hello(hello: proto::EngineHello) -> Result<Hello, WireError> {
    let incarnation = id::incarnation(&hello.incarnation, "incarnation")?;
    if hello.engine_id > EngineId::MOST.0 {
        return Err(WireError::new("engine_id", Problem::Rule("is beyond the highest that an engine can have")));
    }
    Ok(Hello {
        info: peer::engine_info(EngineId(hello.engine_id), incarnation, hello.peer, hello.labels).into(),
        last_epoch: (hello.last_epoch != 0).then_some(Epoch(hello.last_epoch)),
        held: each(hello.held, "held", decode_held)?,
        credit: decode_credit(required(hello.credit, "credit")?),
        stream: hello.stream,
        kept_blobs: each(hello.kept_blobs, "kept_blobs", decode_kept_blob)?,
    })
}

fn encode_hello(hello: Hello, ticket: Bytes) -> proto::EngineHello {
    proto::EngineHello {
        engine_id: hello.info.id.0,
        incarnation: id::encode_id(hello.info.incarnation.to_bytes()),
        ticket,
        peer: Some(peer::peer_info(&hello.info)),
        labels: peer::encode_labels(&hello.info.labels),
        last_epoch: hello.last_epoch.map_or(0, |epoch| epoch.0),
        held: hello.held.into_iter().map(encode_held).collect(),
        credit: Some(encode_credit(hello.credit)),
        stream: hello.stream,
        kept_blobs: hello.kept_blobs.into_iter().map(encode_kept_blob).collect(),
    }
}

fn decode_kept_blob(kept: proto::KeptBlob) -> Result<(AttemptId, BlobId), WireError> {
    Ok((id::attempt(kept.attempt_id.as_ref())?, id::blob(&kept.blob_id, "blob_id")?))
}

fn encode_kept_blob((attempt, blob): (AttemptId, BlobId)) -> proto::KeptBlob {
    proto::KeptBlob { attempt_id: Some(id::encode_attempt(attempt)), blob_id: id::encode_id(blob.to_bytes()) }
}

fn decode_held(held: proto::HeldTask) -> Result<Held, WireError> {
    let state = match proto::HeldState::try_from(held.state) {
        Ok(proto::HeldState::Queued) => HeldState::Queued,
        Ok(proto::HeldState::Claimed) => HeldState::Claimed,
        Ok(proto::HeldState::Finished) => HeldState::Finished,
        Ok(proto::HeldState::Unspecified) | Err(_) => {
            return Err(WireError::new("state", Problem::UnknownValue { name: "HeldState", value: held.state }));
        }
    };
    Ok(Held { attempt: id::attempt(held.attempt_id.as_ref())?, state })
}

fn encode_held(held: Held) -> proto::HeldTask {
    let state = match held.state {
        HeldState::Queued => proto::HeldState::Queued,
        HeldState::Claimed => proto::HeldState::Claimed,
        HeldState::Finished => proto::HeldState::Finished,
    };
    proto::HeldTask { attempt_id: Some(id::encode_attempt(held.attempt)), state: state.into() }
}

fn decode_reports(reports: proto::EngineReports) -> Result<Reports, WireError> {
    Ok(Reports {
        claimed: each(reports.claimed, "claimed", id::listed_attempt)?,
        output: each(reports.output, "output", decode_output)?,
        finished: each(reports.finished, "finished", decode_finished)?,
        retracted: each(reports.retracted, "retracted", |answer| {
            Ok((id::attempt(answer.attempt_id.as_ref())?, answer.given_back))
        })?,
        credit: reports.credit.map(decode_credit),
        need_functions: id::digests(reports.need_functions, "need_functions")?,
        draining: reports.draining,
        fetched: each(reports.fetched, "fetched", id::listed_attempt)?,
    })
}

fn encode_reports(reports: Reports) -> proto::EngineReports {
    let retracted =
        |(attempt, given_back)| proto::RetractAnswer { attempt_id: Some(id::encode_attempt(attempt)), given_back };
    let mut sessions = id::Sessions::default();
    proto::EngineReports {
        claimed: id::encode_attempts(reports.claimed),
        output: reports.output.into_iter().map(encode_output).collect(),
        finished: reports.finished.into_iter().map(|finished| encode_finished(finished, &mut sessions)).collect(),
        retracted: reports.retracted.into_iter().map(retracted).collect(),
        credit: reports.credit.map(encode_credit),
        need_functions: id::encode_digests(reports.need_functions),
        draining: reports.draining,
        fetched: id::encode_attempts(reports.fetched),
    }
}

fn decode_output(output: proto::AttemptOutput) -> Result<(AttemptId, Output), WireError> {
    let attempt = id::attempt(output.attempt_id.as_ref())?;
    Ok((attempt, outcome::decode_output(required(output.output, "output")?).inside("output")?))
}

fn encode_output((attempt, output): (AttemptId, Output)) -> proto::AttemptOutput {
    proto::AttemptOutput { attempt_id: Some(id::encode_attempt(attempt)), output: Some(outcome::encode_output(output)) }
}

fn decode_finished(finished: proto::AttemptFinished) -> Result<(AttemptId, Arc<Outcome>), WireError> {
    let attempt = id::attempt(finished.attempt_id.as_ref())?;
    Ok((attempt, outcome::decode(required(finished.outcome, "outcome")?).inside("outcome")?.into()))
}

fn encode_finished(
    (attempt, outcome): (AttemptId, Arc<Outcome>),
    sessions: &mut id::Sessions,
) -> proto::AttemptFinished {
    proto::AttemptFinished { attempt_id: Some(sessions.encode(attempt)), outcome: Some(outcome::encode(&outcome)) }
}

fn decode_credit(credit: proto::EngineCredit) -> Credit {
    Credit { total_tasks: credit.total_tasks, total_bytes: credit.total_bytes }
}

fn encode_credit(credit: Credit) -> proto::EngineCredit {
    proto::EngineCredit { total_tasks: credit.total_tasks, total_bytes: credit.total_bytes }
}
