//! Client to scheduler.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use paraply_core::{
    call::{Call, CallHead},
    id::EngineId,
    session_link::{CancelMode, Hello, KnownClaim, ResumePoint, ToScheduler},
};
use paraply_proto::scheduler::v1 as proto;
use proto::open_session_request::Message;

use crate::wire::{
    call,
    error::{Inside as _, Problem, WireError, each, required},
    id, payload,
};

/// Heads of calls that the following ones are compared with: a loop may go round some engines, or some functions.
const HEADS: usize = 16;

/// What a client says.
///
/// # Errors
/// Names the field that is missing or malformed.
pub fn decode_request(message: proto::OpenSessionRequest) -> Result<ToScheduler, WireError> {
    Ok(match required(message.message, "message")? {
        Message::Hello(hello) => ToScheduler::Hello(decode_hello(hello).inside("hello")?),
        Message::Submit(submit) => decode_submit(submit).inside("submit")?,
        Message::Replay(replay) => decode_replay(replay).inside("replay")?,
        Message::Cancel(cancel) => {
            let mode = decode_cancel_mode(cancel.mode, cancel.kill_after_millis).inside("cancel")?;
            ToScheduler::Cancel { indexes: cancel.indexes, mode }
        }
        Message::Ack(ack) => ToScheduler::Ack { sequence: ack.sequence },
        Message::Credit(credit) => ToScheduler::Credit { total_bytes: credit.total_bytes },
        Message::Close(proto::CloseSession {}) => ToScheduler::Close,
        Message::Release(release) => ToScheduler::Release {
            blobs: each(release.blob_ids, "blob_ids", |bytes| id::blob(&bytes, "")).inside("release")?,
        },
    })
}

/// The first message of a stream. The peer's protocol range is for the caller to check.
///
/// # Errors
/// Names the field that is missing or malformed.
pub fn decode_hello(hello: proto::SessionHello) -> Result<Hello, WireError> {
    use proto::DisconnectPolicy as Policy;
    let cancel_on_disconnect = match Policy::try_from(hello.on_disconnect) {
        Ok(Policy::Cancel) => true,
        Ok(Policy::Keep | Policy::Unspecified) => false,
        Err(_) => {
            let unknown = Problem::UnknownValue { name: "DisconnectPolicy", value: hello.on_disconnect };
            return Err(WireError::new("on_disconnect", unknown));
        }
    };
    Ok(Hello {
        session: id::session(&hello.session_id, "session_id")?,
        resume: hello.resume.map(decode_resume).transpose().inside("resume")?,
        cancel_on_disconnect,
        label: hello.label.into(),
        stream: hello.stream,
    })
}

fn decode_resume(resume: proto::ResumePoint) -> Result<ResumePoint, WireError> {
    let epoch = id::epoch(resume.epoch, "epoch")?;
    Ok(ResumePoint { epoch, sequence: resume.sequence, next_index: resume.next_index })
}

fn decode_submit(submit: proto::Submit) -> Result<ToScheduler, WireError> {
    Ok(ToScheduler::Submit {
        functions: each(submit.functions, "functions", payload::decode_function)?,
        calls: decode_calls(submit.calls)?,
        ack: submit.ack_sequence,
    })
}

fn decode_replay(replay: proto::Replay) -> Result<ToScheduler, WireError> {
    Ok(ToScheduler::Replay {
        functions: each(replay.functions, "functions", payload::decode_function)?,
        calls: decode_calls(replay.calls)?,
        finished: replay.finished_indexes,
        claims: each(replay.claims, "claims", decode_claim)?,
        complete: replay.complete,
    })
}

/// Calls, of which those that have all but their arguments in common share it: a loop over `apply` makes very many.
fn decode_calls(calls: Vec<proto::Call>) -> Result<Vec<Call>, WireError> {
    let mut calls = each(calls, "calls", call::decode)?;
    let mut recent: VecDeque<Arc<CallHead>> = VecDeque::with_capacity(HEADS);
    for call in &mut calls {
        if let Some(same) = recent.iter().find(|head| **head == call.head) {
            call.head = Arc::clone(same);
        } else {
            recent.truncate(HEADS - 1);
            recent.push_front(Arc::clone(&call.head));
        }
    }
    Ok(calls)
}

fn decode_claim(claim: proto::KnownClaim) -> Result<KnownClaim, WireError> {
    Ok(KnownClaim {
        index: claim.index,
        attempt: id::attempt_number(claim.attempt, "attempt")?,
        engine: EngineId(claim.engine_id),
        incarnation: id::incarnation(&claim.incarnation, "incarnation")?,
    })
}

pub(crate) fn decode_cancel_mode(value: i32, kill_after_millis: Option<u64>) -> Result<CancelMode, WireError> {
    match proto::CancelMode::try_from(value) {
        Ok(proto::CancelMode::Abort) => Ok(CancelMode::Abort),
        Ok(proto::CancelMode::Interrupt) => {
            Ok(CancelMode::Interrupt { kill_after: kill_after_millis.map(Duration::from_millis) })
        }
        Ok(proto::CancelMode::Unspecified) | Err(_) => {
            Err(WireError::new("mode", Problem::UnknownValue { name: "CancelMode", value }))
        }
    }
}
