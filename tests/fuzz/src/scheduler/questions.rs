//! What is asked of the scheduler, and answered from what it holds.

use std::collections::BTreeSet;

use paraply_common::{
    transport::MESSAGE_BYTES,
    wire::{ServerIdentity, status, tasks},
};
use paraply_proto::scheduler::v1::{
    GetSchedulerStatusRequest, GetSchedulerStatusResponse, GetTasksRequest, GetTasksResponse,
};
use prost::Message;

use super::World;

impl World {
    /// Somebody asks.
    pub(super) fn ask(&mut self) -> Result<(), String> {
        if self.peers.random.chance(200) { self.get_status() } else { self.get_tasks() }
    }

    fn get_tasks(&mut self) -> Result<(), String> {
        let Some(request) = self.peers.message::<GetTasksRequest>("paraply.scheduler.v1.GetTasksRequest") else {
            return Ok(());
        };
        let Some(ids) = self.peers.understood(tasks::decode_ids(request.task_ids)) else { return Ok(()) };
        let reports = self.scheduler.tasks(&ids);
        self.peers.tally.done += reports.len() as u64;
        let asked: BTreeSet<_> = ids.into_iter().collect();
        let told: BTreeSet<_> = reports.iter().map(|report| report.id).collect();
        if told.len() != reports.len() {
            return Err(format!("of {} tasks there are {} reports", told.len(), reports.len()));
        }
        if let Some(unasked) = told.difference(&asked).next() {
            return Err(format!("nobody asked for {unasked:?}"));
        }
        if let Some(silent) = reports.iter().find(|report| report.why.is_empty()) {
            return Err(format!("{:?} is not explained", silent.id));
        }
        sized(&GetTasksResponse { tasks: tasks::encode(reports, request.with_outcomes) })
    }

    fn get_status(&mut self) -> Result<(), String> {
        let name = "paraply.scheduler.v1.GetSchedulerStatusRequest";
        let Some(request) = self.peers.message::<GetSchedulerStatusRequest>(name) else { return Ok(()) };
        let status = self.scheduler.status();
        let sessions = status.sessions.len() as u64;
        let answer: GetSchedulerStatusResponse =
            status::encode(status, &ServerIdentity::default(), request.with_sessions);
        if answer.sessions != sessions {
            return Err(format!("there are {sessions} sessions, and {} are told of", answer.sessions));
        }
        sized(&answer)
    }
}

/// An answer has to fit into a message.
fn sized(answer: &impl Message) -> Result<(), String> {
    let size = answer.encoded_len();
    if size <= MESSAGE_BYTES { Ok(()) } else { Err(format!("an answer has {size} bytes")) }
}
