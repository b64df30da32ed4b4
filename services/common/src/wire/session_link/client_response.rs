//! Scheduler to client, as a client reads it: also what a later release may say within a revision of the protocol
//! (`docs/protocol.md`, "What is stable").

use std::{sync::Arc, time::Duration};

use paraply_core::{
    id::EngineId,
    session_link::{CloseReason, EngineInfo, Event, EventKind, KnownClaim, SubmitCredit, ToClient, Update, Welcome},
};
use paraply_proto::{
    common::v1::{Engine, OutputKind},
    scheduler::v1 as proto,
};
use proto::open_session_response::Message;

use crate::wire::{
    error::{Inside as _, WireError, each, required},
    id, outcome, payload, peer,
};

/// What the scheduler says to a client. The rest of a welcome (cluster id, limits) is for the caller to look at.
///
/// # Errors
/// Names the field that is missing or malformed.
pub fn decode_response(message: proto::OpenSessionResponse) -> Result<ToClient, WireError> {
    Ok(match required(message.message, "message")? {
        Message::Welcome(welcome) => ToClient::Welcome(decode_welcome(welcome).inside("welcome")?),
        Message::Update(update) => ToClient::Update(decode_update(update).inside("update")?),
        Message::Closed(closed) => ToClient::Closed {
            reason: decode_reason(closed.reason),
            message: closed.message,
            expected_index: closed.expected_index,
        },
    })
}

fn decode_welcome(welcome: proto::SessionWelcome) -> Result<Welcome, WireError> {
    Ok(Welcome {
        epoch: id::epoch(welcome.epoch, "epoch")?,
        accepted_up_to: welcome.accepted_up_to,
        replay: welcome.replay,
        engines: each(welcome.engines, "engines", decode_engine)?,
        credit: decode_credit(required(welcome.credit, "credit")?),
        session_grace: Duration::from_millis(welcome.session_grace_millis),
    })
}

fn decode_update(update: proto::SessionUpdate) -> Result<Update, WireError> {
    Ok(Update {
        accepted_up_to: update.accepted_up_to,
        credit: update.credit.map(decode_credit),
        need_functions: id::digests(update.need_functions, "need_functions")?,
        events: each(update.events, "events", decode_event)?,
        wanted_blobs: each(update.wanted_blobs, "wanted_blobs", payload::blob_want)?,
        taken_blobs: each(update.taken_blobs, "taken_blobs", id::listed_blob)?,
    })
}

fn decode_credit(credit: proto::SubmitCredit) -> SubmitCredit {
    SubmitCredit { total_tasks: credit.total_tasks, total_bytes: credit.total_bytes }
}

fn decode_engine(engine: Engine) -> Result<Arc<EngineInfo>, WireError> {
    let incarnation = id::incarnation(&engine.incarnation, "incarnation")?;
    Ok(Arc::new(peer::engine_info(EngineId(engine.engine_id), incarnation, engine.peer, engine.labels)))
}

fn decode_event(event: proto::Event) -> Result<Event, WireError> {
    use proto::event::Event as Wire;
    let kind = match event.event {
        Some(Wire::Claimed(claim)) => EventKind::Claimed(decode_claim(claim).inside("claimed")?),
        Some(Wire::Output(output)) => decode_output(output).inside("output")?,
        Some(Wire::Finished(finished)) => decode_finished(finished).inside("finished")?,
        Some(Wire::EngineJoined(engine)) => EventKind::EngineJoined(decode_engine(engine).inside("engine_joined")?),
        Some(Wire::EngineLeft(left)) => {
            EventKind::EngineLeft { engine: EngineId(left.engine_id), reason: left.reason.into() }
        }
        None => EventKind::Unknown,
    };
    Ok(Event { sequence: event.sequence, kind })
}

fn decode_claim(claim: proto::TaskClaimed) -> Result<KnownClaim, WireError> {
    Ok(KnownClaim {
        index: claim.index,
        attempt: id::attempt_number(claim.attempt, "attempt")?,
        engine: EngineId(claim.engine_id),
        incarnation: id::incarnation(&claim.incarnation, "incarnation")?,
    })
}

fn decode_output(output: proto::TaskOutput) -> Result<EventKind, WireError> {
    let piece = required(output.output, "output")?;
    if OutputKind::try_from(piece.kind).is_err() {
        return Ok(EventKind::Unknown);
    }
    Ok(EventKind::Output {
        index: output.index,
        attempt: output.attempt,
        engine: EngineId(output.engine_id),
        output: outcome::decode_output(piece).inside("output")?,
    })
}

fn decode_finished(finished: proto::TaskFinished) -> Result<EventKind, WireError> {
    let outcome = outcome::decode_for_client(required(finished.outcome, "outcome")?).inside("outcome")?;
    Ok(EventKind::Finished {
        index: finished.index,
        attempt: finished.attempt,
        engine: finished.engine_id.map(EngineId),
        accepted_unix_nanos: outcome::unix_nanos(finished.accepted_unix_nanos, "accepted_unix_nanos")?,
        outcome: Arc::new(outcome),
    })
}

/// Why a session is over; also where nobody here knows the reason.
fn decode_reason(value: i32) -> CloseReason {
    use proto::session_closed::Reason as Wire;
    match Wire::try_from(value) {
        Ok(Wire::Closed) => CloseReason::Closed,
        Ok(Wire::Superseded) => CloseReason::Superseded,
        Ok(Wire::Expired) => CloseReason::Expired,
        Ok(Wire::OutOfOrder) => CloseReason::OutOfOrder,
        Ok(Wire::Limit) => CloseReason::Limit,
        Ok(Wire::Shutdown) => CloseReason::Shutdown,
        Ok(Wire::ProtocolError | Wire::Unspecified) | Err(_) => CloseReason::ProtocolError,
    }
}
