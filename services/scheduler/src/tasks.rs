//! Where tasks are, as it is shown.

use paraply_common::{
    transport::MESSAGE_BYTES,
    wire::{field::text, id::encode_task, outcome},
};
use paraply_core::scheduler::{Place, TaskReport};
use paraply_proto::{common::v1::TaskState, scheduler::v1::TaskStatus};

/// Ids in one question.
pub(crate) const MOST: usize = 1000;

/// The wire form of some reports, with as many outcomes as a message holds if they are wanted.
pub(crate) fn encode(reports: Vec<TaskReport>, with_outcomes: bool) -> Vec<TaskStatus> {
    let mut room = if with_outcomes { MESSAGE_BYTES as u64 * 3 / 4 } else { 0 };
    let encode = |report: TaskReport| {
        let outcome = report.outcome.filter(|outcome| outcome.inline_size() <= room);
        room -= outcome.as_ref().map_or(0, |outcome| outcome.inline_size());
        TaskStatus {
            task_id: Some(encode_task(report.id)),
            state: state(report.place).into(),
            attempt: report.attempt,
            engine_id: report.engine.map(|engine| engine.0),
            outcome: outcome.filter(|_| with_outcomes).map(|outcome| outcome::encode((*outcome).clone())),
            label: text(&report.label),
            name: text(&report.name),
            why: report.why,
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
