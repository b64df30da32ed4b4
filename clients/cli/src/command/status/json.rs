//! The status as JSON.

use paraply_common::{connection::ConnectionFile, wire::id};
use paraply_proto::{
    common::v1::PeerInfo,
    controller::v1::{Autoscaling, EngineStatus},
    scheduler::v1::RunningTask,
};
use serde_json::{Value, json};

use super::{answers::Answers, state};

pub(super) fn of(connection: &ConnectionFile, answers: &Answers) -> Value {
    let Answers { info, engines, scheduler } = answers;
    let scheduler = scheduler.as_ref();
    json!({
        "profile": connection.profile,
        "cluster_id": info.cluster_id,
        "controller": info.controller.as_ref().map(peer),
        "scheduler": info.scheduler.as_ref().map(peer),
        "autoscaling": info.autoscaling.as_ref().map(autoscaling),
        "queued_tasks": engines.iter().map(|engine| u64::from(engine.queued_tasks)).sum::<u64>(),
        "unassigned_tasks": scheduler.map(|status| status.unassigned_tasks),
        "completed_tasks": scheduler.map(|status| status.completed_tasks),
        "sessions": scheduler.map(|status| status.sessions),
        "held_bytes": scheduler.map(|status| status.held_bytes),
        "running_tasks": scheduler.map(|status| status.running_tasks.iter().map(running).collect::<Vec<_>>()),
        "engines": engines.iter().map(engine).collect::<Vec<_>>(),
    })
}

fn peer(peer: &PeerInfo) -> Value {
    json!({
        "version": peer.version,
        "protocol": {"min": peer.protocol_min, "max": peer.protocol_max},
        "hostname": peer.hostname,
        "pid": peer.pid,
    })
}

fn autoscaling(autoscaling: &Autoscaling) -> Value {
    json!({
        "min_engines": autoscaling.min_engines,
        "max_engines": autoscaling.max_engines,
        "wanted_engines": autoscaling.wanted_engines,
        "idle_seconds": autoscaling.idle_millis as f64 / 1e3,
    })
}

fn engine(status: &EngineStatus) -> Value {
    let engine = status.engine.clone().unwrap_or_default();
    let about = engine.peer.clone().unwrap_or_default();
    json!({
        "engine_id": engine.engine_id,
        "state": state(status),
        "queued_tasks": status.queued_tasks,
        "claimed_tasks": status.claimed_tasks,
        "completed_tasks": status.completed_tasks,
        "version": about.version,
        "python_version": about.python_version,
        "hostname": about.hostname,
        "pid": about.pid,
        "labels": engine.labels,
    })
}

fn running(task: &RunningTask) -> Value {
    json!({
        "task": id::attempt(task.attempt_id.as_ref()).ok().map(|attempt| attempt.task.to_string()),
        "engine_id": task.engine_id,
        "name": task.name,
        "label": task.label,
        "claimed_unix_seconds": task.claimed_unix_nanos as f64 / 1e9,
    })
}
