//! Scheduler to engine.

use std::{sync::Arc, time::Duration};

use paraply_core::{
    call::{Placement, Work},
    engine_link::{AssignedCall, AssignedTask, Orders, ToEngine, Welcome},
    id::AttemptId,
    session_link::CancelMode,
};
use paraply_proto::scheduler::v1 as proto;
use proto::attach_engine_response::Message;

use crate::wire::{
    ServerIdentity, call,
    error::{Inside as _, WireError, each, required},
    field::{millis_u32, nanos, text},
    id, payload,
    session_link::{decode_cancel_mode, encode_cancel_mode},
};

/// What the scheduler says to an engine. The rest of a welcome (cluster id, limits) is for the caller to look at.
///
/// # Errors
/// Names the field that is missing or malformed.
pub fn decode_response(message: proto::AttachEngineResponse) -> Result<ToEngine, WireError> {
    Ok(match required(message.message, "message")? {
        Message::Welcome(welcome) => ToEngine::Welcome(decode_welcome(welcome).inside("welcome")?),
        Message::Orders(orders) => ToEngine::Orders(decode_orders(orders).inside("orders")?),
        Message::Heartbeat(proto::SchedulerHeartbeat {}) => ToEngine::Heartbeat,
    })
}

/// The wire form of what the scheduler says to an engine.
#[must_use]
pub fn encode_response(message: ToEngine, identity: &ServerIdentity) -> proto::AttachEngineResponse {
    let message = match message {
        ToEngine::Welcome(welcome) => Message::Welcome(encode_welcome(welcome, identity.clone())),
        ToEngine::Orders(orders) => Message::Orders(encode_orders(orders)),
        ToEngine::Heartbeat => Message::Heartbeat(proto::SchedulerHeartbeat {}),
    };
    proto::AttachEngineResponse { message: Some(message) }
}

fn decode_welcome(welcome: proto::EngineWelcome) -> Result<Welcome, WireError> {
    Ok(Welcome {
        epoch: id::epoch(welcome.epoch, "epoch")?,
        lease: Duration::from_millis(welcome.lease_millis.into()),
        dropped: each(welcome.dropped, "dropped", id::listed_attempt)?,
    })
}

fn encode_welcome(welcome: Welcome, identity: ServerIdentity) -> proto::EngineWelcome {
    proto::EngineWelcome {
        cluster_id: identity.cluster_id,
        epoch: welcome.epoch.0,
        lease_millis: millis_u32(welcome.lease),
        scheduler: Some(identity.peer),
        limits: Some(identity.limits),
        dropped: id::encode_attempts(welcome.dropped),
    }
}

fn decode_orders(orders: proto::EngineOrders) -> Result<Orders, WireError> {
    Ok(Orders {
        functions: each(orders.functions, "functions", payload::decode_function)?,
        assigned: each(orders.assigned, "assigned", decode_assigned)?,
        retract: each(orders.retract, "retract", id::listed_attempt)?,
        cancel: each(orders.cancel, "cancel", decode_cancel)?,
        acked: each(orders.acked, "acked", id::listed_attempt)?,
        start: each(orders.start, "start", id::listed_attempt)?,
        forget_functions: id::digests(orders.forget_functions, "forget_functions")?,
        drain: orders.drain,
        exit: orders.exit,
        wanted_blobs: each(orders.wanted_blobs, "wanted_blobs", payload::blob_want)?,
        store_blobs: each(orders.store_blobs, "store_blobs", id::listed_blob)?,
        release_blobs: each(orders.release_blobs, "release_blobs", id::listed_blob)?,
    })
}

fn encode_orders(orders: Orders) -> proto::EngineOrders {
    proto::EngineOrders {
        functions: orders.functions.iter().map(|function| payload::encode_function(function)).collect(),
        assigned: orders.assigned.into_iter().map(encode_assigned).collect(),
        retract: id::encode_attempts(orders.retract),
        cancel: orders.cancel.into_iter().map(encode_cancel).collect(),
        acked: id::encode_attempts(orders.acked),
        start: id::encode_attempts(orders.start),
        forget_functions: id::encode_digests(orders.forget_functions),
        drain: orders.drain,
        exit: orders.exit,
        wanted_blobs: orders.wanted_blobs.into_iter().map(payload::encode_blob_want).collect(),
        store_blobs: id::encode_blobs(orders.store_blobs),
        release_blobs: id::encode_blobs(orders.release_blobs),
    }
}

/// An engine is not told a call's placement, only which of its queues the tasks go to: the head it gets has a placement
/// without engines.
fn decode_assigned(assigned: proto::AssignedCall) -> Result<AssignedCall, WireError> {
    let work = match required(assigned.work, "work")? {
        proto::assigned_call::Work::FunctionDigest(bytes) => Work::Function(id::digest(&bytes, "function_digest")?),
        proto::assigned_call::Work::Execute(code) => call::decode_code(code),
    };
    let placement = if assigned.direct {
        Placement::Direct { engines: Vec::new() }
    } else {
        Placement::Balanced { engines: Vec::new(), labels: Vec::new(), retries: 0, queue_timeout: None }
    };
    Ok(AssignedCall {
        head: Arc::new(call::decode_head(work, placement, assigned.options.unwrap_or_default())),
        session: id::session(&assigned.session_id, "session_id")?,
        direct: assigned.direct,
        several: assigned.several_engines,
        tasks: each(assigned.tasks, "tasks", decode_task)?,
    })
}

fn encode_assigned(assigned: AssignedCall) -> proto::AssignedCall {
    use proto::assigned_call::Work as Wire;
    let work = match &assigned.head.work {
        Work::Function(digest) => Wire::FunctionDigest(id::encode_digest(*digest)),
        Work::Execute { source, silent, filename } => {
            Wire::Execute(proto::ExecuteCode { source: text(source), silent: *silent, filename: text(filename) })
        }
    };
    proto::AssignedCall {
        work: Some(work),
        options: Some(call::encode_options(&assigned.head)),
        session_id: id::encode_id(assigned.session.to_bytes()),
        direct: assigned.direct,
        several_engines: assigned.several,
        tasks: assigned.tasks.into_iter().map(encode_task).collect(),
    }
}

fn decode_task(task: proto::AssignedTask) -> Result<AssignedTask, WireError> {
    let arguments = task.arguments.map(payload::decode).transpose().inside("arguments")?;
    Ok(AssignedTask {
        index: task.index,
        attempt: id::attempt_number(task.attempt, "attempt")?,
        claimed: task.claimed,
        arguments: arguments.unwrap_or_default(),
        expected: task.expected_nanos.map(Duration::from_nanos),
        span: task.span_id,
    })
}

fn encode_task(task: AssignedTask) -> proto::AssignedTask {
    proto::AssignedTask {
        index: task.index,
        attempt: task.attempt,
        claimed: task.claimed,
        arguments: Some(payload::encode(task.arguments)),
        expected_nanos: task.expected.map(nanos),
        span_id: task.span,
    }
}

fn decode_cancel(cancel: proto::CancelAttempt) -> Result<(AttemptId, CancelMode), WireError> {
    Ok((id::attempt(cancel.attempt_id.as_ref())?, decode_cancel_mode(cancel.mode, cancel.kill_after_millis)?))
}

fn encode_cancel((attempt, mode): (AttemptId, CancelMode)) -> proto::CancelAttempt {
    let (mode, kill_after_millis) = encode_cancel_mode(mode);
    proto::CancelAttempt { attempt_id: Some(id::encode_attempt(attempt)), mode: mode.into(), kill_after_millis }
}
