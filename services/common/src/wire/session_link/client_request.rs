//! Client to scheduler, as a client writes it.

use std::sync::Arc;

use paraply_core::{
    call::{Call, Placement, Work},
    id::EngineId,
    payload::Function,
    session_link::{Hello, KnownClaim, ToScheduler},
};
use paraply_proto::scheduler::v1 as proto;
use proto::open_session_request::Message;

use super::response::encode_cancel_mode;
use crate::wire::{
    call,
    field::{millis, text},
    id, payload, peer,
};

/// The wire form of what a client says. The peer's description goes into a hello.
#[must_use]
pub fn encode_request(message: ToScheduler) -> proto::OpenSessionRequest {
    let message = match message {
        ToScheduler::Hello(hello) => Message::Hello(encode_hello(&hello)),
        ToScheduler::Submit { calls, functions, ack } => Message::Submit(proto::Submit {
            calls: calls.into_iter().map(encode_call).collect(),
            functions: encode_functions(&functions),
            ack_sequence: ack,
        }),
        ToScheduler::Replay { calls, functions, finished, claims, complete } => Message::Replay(proto::Replay {
            calls: calls.into_iter().map(encode_call).collect(),
            functions: encode_functions(&functions),
            finished_indexes: finished,
            claims: claims.into_iter().map(encode_claim).collect(),
            complete,
        }),
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
    };
    proto::OpenSessionRequest { message: Some(message) }
}

fn encode_hello(hello: &Hello) -> proto::SessionHello {
    use proto::DisconnectPolicy as Policy;
    let policy = if hello.cancel_on_disconnect { Policy::Cancel } else { Policy::Keep };
    proto::SessionHello {
        session_id: id::encode_id(hello.session.to_bytes()),
        peer: None,
        resume: hello.resume.map(|resume| proto::ResumePoint {
            epoch: resume.epoch.0,
            sequence: resume.sequence,
            next_index: resume.next_index,
        }),
        on_disconnect: policy.into(),
        label: text(&hello.label),
        stream: hello.stream,
    }
}

fn encode_functions(functions: &[Arc<Function>]) -> Vec<paraply_proto::common::v1::Function> {
    functions.iter().map(|function| payload::encode_function(function)).collect()
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
                source: text(source),
                silent: *silent,
                filename: text(filename),
            }),
        }),
        placement: Some(match &call.head.placement {
            Placement::Direct { engines } => WirePlacement::Direct(proto::DirectPlacement { engine_ids: ids(engines) }),
            Placement::Balanced { engines, labels, retries, queue_timeout } => {
                WirePlacement::Balanced(proto::BalancedPlacement {
                    engine_ids: ids(engines),
                    retries: *retries,
                    queue_timeout_millis: queue_timeout.map(millis),
                    labels: peer::encode_labels(labels),
                })
            }
        }),
        options: Some(call::encode_options(&call.head)),
        arguments: call.arguments.into_iter().map(payload::encode).collect(),
    }
}
