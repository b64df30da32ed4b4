//! What the scheduler holds, as it is shown.

use paraply_core::scheduler::{EngineStatus, RunningTask, SessionStatus, Status};
use paraply_proto::{
    common::v1::Engine,
    controller::v1::EngineLoad,
    scheduler::v1::{self as proto, EngineQueue, GetSchedulerStatusResponse},
};

use super::{
    field::text,
    id::{encode_attempt, encode_id},
    peer::{ServerIdentity, encode_engine},
};

/// Rows of sessions in one answer, which has to fit into a message.
const SESSION_ROWS: usize = 1000;

/// Tasks in one answer to who asks for those that have run for longest.
pub const RUNNING_ROWS: usize = 100;

/// The wire form of a task that runs.
#[must_use]
pub fn encode_running(task: RunningTask) -> proto::RunningTask {
    proto::RunningTask {
        attempt_id: Some(encode_attempt(task.attempt)),
        engine_id: task.engine.0,
        label: text(&task.label),
        name: text(&task.name),
        claimed_unix_nanos: task.claimed_unix_nanos,
    }
}

/// The wire form of a status.
#[must_use]
pub fn encode(status: Status, identity: &ServerIdentity, with_sessions: bool) -> GetSchedulerStatusResponse {
    let sessions = status.sessions.len() as u64;
    let rows = if with_sessions { status.sessions } else { Vec::new() };
    GetSchedulerStatusResponse {
        scheduler: Some(identity.peer.clone()),
        epoch: status.epoch.0,
        recovering: status.recovering,
        engines: status.engines.iter().map(encode_queue).collect(),
        unassigned_tasks: status.unassigned,
        sessions,
        session_rows: rows.into_iter().take(SESSION_ROWS).map(encode_session).collect(),
        completed_tasks: status.completed,
        held_bytes: status.held_bytes,
        limits: Some(identity.limits),
        running_tasks: Vec::new(),
    }
}

/// What the controller is told of an engine.
#[must_use]
pub fn encode_load(engine: &EngineStatus) -> EngineLoad {
    EngineLoad {
        engine_id: engine.info.id.0,
        queued_tasks: count(engine.queued),
        claimed_tasks: count(engine.claimed),
        completed_tasks: engine.completed,
        draining: engine.draining,
    }
}

fn encode_queue(engine: &EngineStatus) -> EngineQueue {
    EngineQueue {
        engine: Some(Engine { draining: engine.draining, ..encode_engine(&engine.info) }),
        queued_tasks: count(engine.queued),
        claimed_tasks: count(engine.claimed),
        completed_tasks: engine.completed,
    }
}

fn encode_session(session: SessionStatus) -> proto::SessionStatus {
    proto::SessionStatus {
        session_id: encode_id(session.id.to_bytes()),
        label: text(&session.label),
        connected: session.connected,
        outstanding_tasks: session.outstanding,
        held_bytes: session.held_bytes,
    }
}

fn count(tasks: usize) -> u32 {
    u32::try_from(tasks).unwrap_or(u32::MAX)
}
