//! A client's session as the scheduler holds it.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use super::{config::Config, indexed::Indexed, outbox::Outbox, task::Task};
use crate::{
    id::{BlobId, ConnectionId, Digest, EngineId},
    payload::BlobWant,
    session_link::{CloseReason, SubmitCredit},
};

/// A call whose tasks cannot be queued yet.
#[derive(Debug)]
pub(super) struct PendingCall {
    pub(super) first_index: u64,
    pub(super) tasks: u64,
    /// The engines of a direct call; empty for a balanced one.
    pub(super) engines: Vec<EngineId>,
    pub(super) function: Option<Digest>,
    pub(super) blobs: Vec<BlobId>,
}

/// One session.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) label: Bytes,
    pub(super) connection: Option<ConnectionId>,
    /// `Hello.stream` of the latest stream.
    pub(super) stream: u64,
    pub(super) line_free: bool,
    pub(super) cancel_on_disconnect: bool,
    /// The stream has not been given its welcome.
    pub(super) welcome_due: bool,
    /// The client was told to replay and has not finished doing so.
    pub(super) replaying: bool,
    /// Indexes below were replayed already: a repeat.
    pub(super) replayed_up_to: u64,
    /// ResumePoint.next_index of a replaying client.
    pub(super) resume_index: u64,
    /// Indexes below are accepted.
    pub(super) accepted: u64,
    /// Bytes of accepted submits in this epoch.
    pub(super) accepted_bytes: u64,
    /// Accepted, with the batch that must be persisted before the client is told.
    pub(super) unpersisted: VecDeque<(u64, u64)>,
    /// Indexes below are persisted.
    pub(super) persisted: u64,
    /// What the client was told last.
    pub(super) told_accepted: u64,
    pub(super) told_credit: SubmitCredit,
    /// Nothing came along to carry the news of what was accepted: say it now.
    pub(super) accept_notice: bool,
    /// What was accepted when the timer was set that looks whether the client was told.
    pub(super) accept_watch: Option<u64>,
    /// Functions to ask for.
    pub(super) need_functions: BTreeSet<Digest>,
    /// Accepted and not finished.
    pub(super) tasks: Indexed<Box<Task>>,
    /// Bytes of arguments of `tasks`.
    pub(super) task_bytes: u64,
    /// Calls with tasks in `State::Waiting`, in order.
    pub(super) pending: VecDeque<PendingCall>,
    pub(super) outbox: Outbox,
    /// Finished tasks whose events are in the outbox.
    pub(super) undelivered: u64,
    /// It has had no stream for `away_after`.
    pub(super) away: bool,
    /// Blobs that the client keeps and engines read, and those that engines have all of: due.
    pub(super) wanted_blobs: Vec<BlobWant>,
    pub(super) taken_blobs: Vec<BlobId>,
    /// Result blobs that the client has not released.
    pub(super) result_blobs: BTreeSet<BlobId>,
    /// Bytes of events that the client reads on this stream, and has been sent; `None`: no limit.
    pub(super) event_credit: Option<u64>,
    pub(super) event_bytes: u64,
    /// Why the stream is about to end.
    pub(super) closing: Option<(CloseReason, String, u64)>,
}

impl Session {
    /// Bytes that it keeps here.
    pub(super) fn held_bytes(&self) -> u64 {
        self.task_bytes + self.outbox.bytes()
    }

    /// What the client may have sent: indexes below `total_tasks`, and bytes up to `total_bytes`.
    pub(super) fn credit(&self, config: &Config) -> SubmitCredit {
        let tasks = self.tasks.len() as u64 + self.undelivered;
        let bytes = self.held_bytes();
        // Credit once given is never taken back.
        SubmitCredit {
            total_tasks: (self.accepted + config.session_tasks.saturating_sub(tasks)).max(self.told_credit.total_tasks),
            total_bytes: (self.accepted_bytes + config.session_bytes.saturating_sub(bytes))
                .max(self.told_credit.total_bytes),
        }
    }
}
