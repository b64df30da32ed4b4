//! Where tasks are, as it is shown.

use paraply_core::{
    id::TaskId,
    scheduler::{Place, TaskReport},
};
use paraply_proto::{
    common::v1::{self as proto, TaskState},
    scheduler::v1::{TaskStatus, TaskTimes},
};

use super::{
    error::{Problem, WireError, each},
    field::text,
    id, outcome,
};
use crate::transport::MESSAGE_BYTES;

/// Ids in one question.
const MOST: usize = 1000;

/// The tasks that somebody asks for.
///
/// # Errors
/// If they are too many, or one of them has no name.
pub fn decode_ids(task_ids: Vec<proto::TaskId>) -> Result<Vec<TaskId>, WireError> {
    let actual = task_ids.len();
    if actual > MOST {
        return Err(WireError::new("task_ids", Problem::TooMany { most: MOST, actual }));
    }
    each(task_ids, "task_ids", |task| id::task(&task))
}

/// The wire form of some reports, with as many outcomes as a message holds if they are wanted.
#[must_use]
pub fn encode(reports: Vec<TaskReport>, with_outcomes: bool) -> Vec<TaskStatus> {
    let mut room = if with_outcomes { MESSAGE_BYTES as u64 * 3 / 4 } else { 0 };
    let encode = |report: TaskReport| {
        let times = TaskTimes {
            accepted_unix_nanos: report.accepted_unix_nanos,
            claimed_unix_nanos: report.claimed_unix_nanos,
            started_unix_nanos: report.outcome.as_ref().map_or(0, |outcome| outcome.started_unix_nanos),
            finished_unix_nanos: report.outcome.as_ref().map_or(0, |outcome| outcome.finished_unix_nanos),
        };
        let failure = report.outcome.as_ref().and_then(|outcome| outcome.value.as_ref().err());
        let failure = failure.map(|failure| outcome::encode_failure_kind(failure.kind));
        let outcome = report.outcome.filter(|outcome| outcome.inline_size() <= room);
        room -= outcome.as_ref().map_or(0, |outcome| outcome.inline_size());
        TaskStatus {
            task_id: Some(id::encode_task(report.id)),
            state: state(report.place).into(),
            attempt: report.attempt,
            engine_id: report.engine.map(|engine| engine.0),
            outcome: outcome.filter(|_| with_outcomes).map(|outcome| outcome::encode(&outcome)),
            label: text(&report.label),
            name: text(&report.name),
            why: report.why,
            times: Some(times),
            failure: failure.map_or(0, i32::from),
        }
    };
    reports.into_iter().map(encode).collect()
}

fn state(place: Place) -> TaskState {
    match place {
        Place::Waiting => TaskState::Waiting,
        Place::Queued => TaskState::Queued,
        Place::Assigned => TaskState::Assigned,
        Place::Claimed => TaskState::Claimed,
        Place::Finished => TaskState::Finished,
        Place::Delivered => TaskState::Delivered,
    }
}
