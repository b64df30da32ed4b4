//! Scheduler to client.

use paraply_core::session_link::{CancelMode, CloseReason, Event, EventKind, SubmitCredit, ToClient, Update, Welcome};
use paraply_proto::scheduler::v1 as proto;
use proto::{open_session_response::Message, session_closed::Reason};

use crate::wire::{ServerIdentity, field::millis, id, outcome, payload, peer};

/// The wire form of what the scheduler says to a client.
#[must_use]
pub fn encode_response(message: ToClient, identity: &ServerIdentity) -> proto::OpenSessionResponse {
    let message = match message {
        ToClient::Welcome(welcome) => Message::Welcome(encode_welcome(welcome, identity.clone())),
        ToClient::Update(update) => Message::Update(encode_update(update)),
        ToClient::Closed { reason, message, expected_index } => {
            Message::Closed(proto::SessionClosed { reason: encode_reason(reason).into(), message, expected_index })
        }
    };
    proto::OpenSessionResponse { message: Some(message) }
}

fn encode_welcome(welcome: Welcome, identity: ServerIdentity) -> proto::SessionWelcome {
    proto::SessionWelcome {
        cluster_id: identity.cluster_id,
        epoch: welcome.epoch.0,
        accepted_up_to: welcome.accepted_up_to,
        replay: welcome.replay,
        limits: Some(identity.limits),
        scheduler: Some(identity.peer),
        engines: welcome.engines.iter().map(|engine| peer::encode_engine(engine)).collect(),
        credit: Some(encode_credit(welcome.credit)),
        session_grace_millis: millis(welcome.session_grace),
    }
}

fn encode_update(update: Update) -> proto::SessionUpdate {
    proto::SessionUpdate {
        accepted_up_to: update.accepted_up_to,
        credit: update.credit.map(encode_credit),
        need_functions: id::encode_digests(update.need_functions),
        events: update.events.into_iter().map(encode_event).collect(),
        wanted_blobs: update.wanted_blobs.into_iter().map(payload::encode_blob_want).collect(),
        taken_blobs: id::encode_blobs(update.taken_blobs),
    }
}

fn encode_credit(credit: SubmitCredit) -> proto::SubmitCredit {
    proto::SubmitCredit { total_tasks: credit.total_tasks, total_bytes: credit.total_bytes }
}

fn encode_event(event: Event) -> proto::Event {
    use proto::event::Event as Wire;
    let kind = match event.kind {
        EventKind::Claimed(claim) => Wire::Claimed(proto::TaskClaimed {
            index: claim.index,
            attempt: claim.attempt,
            engine_id: claim.engine.0,
            incarnation: id::encode_id(claim.incarnation.to_bytes()),
        }),
        EventKind::Output { index, attempt, engine, output } => Wire::Output(proto::TaskOutput {
            index,
            attempt,
            engine_id: engine.0,
            output: Some(outcome::encode_output(output)),
        }),
        EventKind::Finished { index, attempt, engine, accepted_unix_nanos, outcome } => {
            Wire::Finished(proto::TaskFinished {
                index,
                attempt,
                engine_id: engine.map(|engine| engine.0),
                outcome: Some(outcome::encode(&outcome)),
                accepted_unix_nanos,
            })
        }
        EventKind::EngineJoined(info) => Wire::EngineJoined(peer::encode_engine(&info)),
        EventKind::EngineLeft { engine, reason } => {
            Wire::EngineLeft(proto::EngineLeft { engine_id: engine.0, reason: reason.into_owned() })
        }
        EventKind::Unknown => return proto::Event { sequence: event.sequence, event: None },
    };
    proto::Event { sequence: event.sequence, event: Some(kind) }
}

fn encode_reason(reason: CloseReason) -> Reason {
    match reason {
        CloseReason::Closed => Reason::Closed,
        CloseReason::Superseded => Reason::Superseded,
        CloseReason::Expired => Reason::Expired,
        CloseReason::OutOfOrder => Reason::OutOfOrder,
        CloseReason::ProtocolError => Reason::ProtocolError,
        CloseReason::Limit => Reason::Limit,
        CloseReason::Shutdown => Reason::Shutdown,
    }
}

/// The mode, and after how many milliseconds the engine's process ends.
pub(crate) fn encode_cancel_mode(mode: CancelMode) -> (proto::CancelMode, Option<u64>) {
    match mode {
        CancelMode::Abort => (proto::CancelMode::Abort, None),
        CancelMode::Interrupt { kill_after } => (proto::CancelMode::Interrupt, kill_after.map(millis)),
    }
}
