//! A client's end of the session link, which in production is written in other languages.

use std::{sync::Arc, time::Duration};

use paraply_core::{
    call::{Call, Placement, Work},
    id::{EngineId, Epoch},
    session_link::{CloseReason, Event, EventKind, KnownClaim, SubmitCredit, ToClient, ToScheduler, Update, Welcome},
};
use paraply_proto::{common::v1::Engine, scheduler::v1 as proto};
use proto::{open_session_request::Message, open_session_response::Message as Answer};

use crate::wire::{call, field, id, outcome, payload, peer, session_link::encode_cancel_mode};

pub(super) const REASON: &str = "connection closed";

pub(super) fn encode(message: ToScheduler) -> proto::OpenSessionRequest {
    let functions = |functions: Vec<Arc<_>>| functions.iter().map(|f| payload::encode_function(f)).collect();
    let calls = |calls: Vec<Call>| calls.into_iter().map(encode_call).collect();
    proto::OpenSessionRequest {
        message: Some(match message {
            ToScheduler::Hello(hello) => Message::Hello(proto::SessionHello {
                session_id: id::encode_id(hello.session.to_bytes()),
                peer: None,
                resume: hello.resume.map(|resume| proto::ResumePoint {
                    epoch: resume.epoch.0,
                    sequence: resume.sequence,
                    next_index: resume.next_index,
                }),
                on_disconnect: if hello.cancel_on_disconnect { 2 } else { 1 },
                label: field::text(&hello.label),
                stream: hello.stream,
            }),
            ToScheduler::Submit { calls: list, functions: sent, ack } => {
                Message::Submit(proto::Submit { calls: calls(list), functions: functions(sent), ack_sequence: ack })
            }
            ToScheduler::Replay { calls: list, functions: sent, finished, claims, complete } => {
                Message::Replay(proto::Replay {
                    calls: calls(list),
                    functions: functions(sent),
                    finished_indexes: finished,
                    claims: claims.into_iter().map(encode_claim).collect(),
                    complete,
                })
            }
            ToScheduler::Cancel { indexes, mode } => {
                let (mode, kill_after_millis) = encode_cancel_mode(mode);
                Message::Cancel(proto::CancelIndexes { indexes, mode: mode.into(), kill_after_millis })
            }
            ToScheduler::Ack { sequence } => Message::Ack(proto::EventAck { sequence }),
            ToScheduler::Credit { total_bytes } => Message::Credit(proto::EventCredit { total_bytes }),
            ToScheduler::Release { blobs } => Message::Release(proto::ReleaseBlobs {
                blob_ids: blobs.into_iter().map(|blob| id::encode_id(blob.to_bytes())).collect(),
            }),
            ToScheduler::Close => Message::Close(proto::CloseSession {}),
        }),
    }
}

fn encode_claim(claim: KnownClaim) -> proto::KnownClaim {
    proto::KnownClaim {
        index: claim.index,
        attempt: claim.attempt,
        engine_id: claim.engine.0,
        incarnation: id::encode_id(claim.incarnation.to_bytes()),
    }
}

fn encode_call(call: Call) -> proto::Call {
    use proto::call::{Placement as WirePlacement, Work as WireWork};
    let ids = |engines: &[EngineId]| engines.iter().map(|engine| engine.0).collect();
    proto::Call {
        first_index: call.first_index,
        work: Some(match &call.head.work {
            Work::Function(digest) => WireWork::FunctionDigest(id::encode_digest(*digest)),
            Work::Execute { source, silent, filename } => WireWork::Execute(proto::ExecuteCode {
                source: field::text(source),
                silent: *silent,
                filename: field::text(filename),
            }),
        }),
        placement: Some(match &call.head.placement {
            Placement::Direct { engines } => WirePlacement::Direct(proto::DirectPlacement { engine_ids: ids(engines) }),
            Placement::Balanced { engines, retries, queue_timeout } => {
                WirePlacement::Balanced(proto::BalancedPlacement {
                    engine_ids: ids(engines),
                    retries: *retries,
                    queue_timeout_millis: queue_timeout.map(field::millis),
                })
            }
        }),
        options: Some(call::encode_options(&call.head)),
        arguments: call.arguments.into_iter().map(payload::encode).collect(),
    }
}

pub(super) fn decode(message: proto::OpenSessionResponse) -> ToClient {
    match message.message.unwrap() {
        Answer::Welcome(welcome) => ToClient::Welcome(Welcome {
            epoch: Epoch(welcome.epoch),
            accepted_up_to: welcome.accepted_up_to,
            replay: welcome.replay,
            engines: welcome.engines.into_iter().map(|engine| Arc::new(decode_engine(engine))).collect(),
            credit: decode_credit(welcome.credit.unwrap()),
            session_grace: Duration::from_millis(welcome.session_grace_millis),
        }),
        Answer::Update(update) => ToClient::Update(Update {
            accepted_up_to: update.accepted_up_to,
            credit: update.credit.map(decode_credit),
            need_functions: id::digests(update.need_functions, "need_functions").unwrap(),
            events: update.events.into_iter().map(decode_event).collect(),
        }),
        Answer::Closed(closed) => ToClient::Closed {
            reason: decode_reason(closed.reason()),
            message: closed.message,
            expected_index: closed.expected_index,
        },
    }
}

fn decode_engine(engine: Engine) -> paraply_core::session_link::EngineInfo {
    let incarnation = id::incarnation(&engine.incarnation, "incarnation").unwrap();
    peer::engine_info(EngineId(engine.engine_id), incarnation, engine.peer, engine.labels)
}

fn decode_credit(credit: proto::SubmitCredit) -> SubmitCredit {
    SubmitCredit { total_tasks: credit.total_tasks, total_bytes: credit.total_bytes }
}

fn decode_event(event: proto::Event) -> Event {
    use proto::event::Event as Wire;
    let kind = match event.event.unwrap() {
        Wire::Claimed(claim) => EventKind::Claimed(KnownClaim {
            index: claim.index,
            attempt: claim.attempt,
            engine: EngineId(claim.engine_id),
            incarnation: id::incarnation(&claim.incarnation, "incarnation").unwrap(),
        }),
        Wire::Output(output) => EventKind::Output {
            index: output.index,
            attempt: output.attempt,
            engine: EngineId(output.engine_id),
            output: outcome::decode_output(output.output.unwrap()).unwrap(),
        },
        Wire::Finished(finished) => EventKind::Finished {
            index: finished.index,
            attempt: finished.attempt,
            engine: finished.engine_id.map(EngineId),
            outcome: Arc::new(outcome::decode(finished.outcome.unwrap()).unwrap()),
        },
        Wire::EngineJoined(engine) => EventKind::EngineJoined(Arc::new(decode_engine(engine))),
        Wire::EngineLeft(left) => {
            assert_eq!(left.reason, REASON);
            EventKind::EngineLeft { engine: EngineId(left.engine_id), reason: REASON }
        }
    };
    Event { sequence: event.sequence, kind }
}

fn decode_reason(reason: proto::session_closed::Reason) -> CloseReason {
    use proto::session_closed::Reason;
    match reason {
        Reason::Unspecified => unreachable!("the scheduler always gives a reason"),
        Reason::Closed => CloseReason::Closed,
        Reason::Superseded => CloseReason::Superseded,
        Reason::Expired => CloseReason::Expired,
        Reason::OutOfOrder => CloseReason::OutOfOrder,
        Reason::ProtocolError => CloseReason::ProtocolError,
        Reason::Limit => CloseReason::Limit,
        Reason::Shutdown => CloseReason::Shutdown,
    }
}
