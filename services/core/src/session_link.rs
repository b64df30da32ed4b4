//! What a client and the scheduler say to each other, in the machines' own words. `scheduler/v1/session.proto` says
//! what each means; `services/common` converts.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    call::Call,
    id::{BlobId, Digest, EngineId, Epoch, Incarnation, SessionId},
    outcome::{Outcome, Output},
    payload::{BlobWant, Function},
};

/// Client to scheduler.
#[derive(Clone, PartialEq, Debug)]
pub enum ToScheduler {
    /// First on every stream.
    Hello(Hello),
    /// New calls, with functions the scheduler has not had from this client in this epoch.
    Submit {
        /// In order of index, without gaps.
        calls: Vec<Call>,
        /// Come before the calls.
        functions: Vec<Arc<Function>>,
        /// The same as an `Ack` just before.
        ack: Option<u64>,
    },
    /// After a scheduler restart: calls whose results the client does not have.
    Replay {
        /// In order of index; gaps are finished tasks.
        calls: Vec<Call>,
        /// Come before the calls.
        functions: Vec<Arc<Function>>,
        /// Tasks within `calls` that are finished.
        finished: Vec<u64>,
        /// Where tasks had been claimed, as far as the client was told.
        claims: Vec<KnownClaim>,
        /// No more follows.
        complete: bool,
    },
    /// Cancel tasks of this session.
    Cancel {
        /// Which.
        indexes: Vec<u64>,
        /// How.
        mode: CancelMode,
    },
    /// The client holds every event up to this one.
    Ack {
        /// Inclusive.
        sequence: u64,
    },
    /// How many bytes of events the client reads in total on this stream.
    Credit {
        /// Cumulative.
        total_bytes: u64,
    },
    /// Result blobs that the client has read or does not want.
    Release {
        /// Which.
        blobs: Vec<BlobId>,
    },
    /// End the session now.
    Close,
}

/// Scheduler to client.
#[derive(Clone, PartialEq, Debug)]
pub enum ToClient {
    /// First on every stream.
    Welcome(Welcome),
    /// All that is due, in one message.
    Update(Update),
    /// The stream ends, and why.
    Closed {
        /// What the client should make of it.
        reason: CloseReason,
        /// For people.
        message: String,
        /// For `OutOfOrder`: the index expected.
        expected_index: u64,
    },
}

/// All that is due to a client: whatever came up while the line was busy.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Update {
    /// Indexes below are held by the scheduler.
    pub accepted_up_to: Option<u64>,
    /// What the client may have sent in total.
    pub credit: Option<SubmitCredit>,
    /// Functions that calls name and the scheduler lacks.
    pub need_functions: Vec<Digest>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Blobs that the client keeps and an engine reads.
    pub wanted_blobs: Vec<BlobWant>,
    /// Blobs that an engine has all of.
    pub taken_blobs: Vec<BlobId>,
}

/// A session to open or to resume.
#[derive(Clone, PartialEq, Debug)]
pub struct Hello {
    /// Which session.
    pub session: SessionId,
    /// Absent for a new one.
    pub resume: Option<ResumePoint>,
    /// Queued tasks are aborted when the stream ends (`on_disconnect="cancel"`).
    pub cancel_on_disconnect: bool,
    /// For people, UTF-8.
    pub label: Bytes,
    /// Counts the client's streams from 1; 0: not said.
    pub stream: u64,
}

/// How far the client had come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResumePoint {
    /// The scheduler it knew.
    pub epoch: Epoch,
    /// The last event it received.
    pub sequence: u64,
    /// The index it will send next for the first time.
    pub next_index: u64,
}

/// The scheduler's answer to a hello.
#[derive(Clone, PartialEq, Debug)]
pub struct Welcome {
    /// This scheduler process.
    pub epoch: Epoch,
    /// Indexes below are accepted; meaningless while `replay` is set.
    pub accepted_up_to: u64,
    /// The client is to replay.
    pub replay: bool,
    /// All engines attached now.
    pub engines: Vec<Arc<EngineInfo>>,
    /// What may be sent.
    pub credit: SubmitCredit,
    /// How long the session outlives its stream.
    pub session_grace: Duration,
}

/// What a client may have sent in total in this epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SubmitCredit {
    /// Tasks, cumulative.
    pub total_tasks: u64,
    /// Bytes of arguments, cumulative.
    pub total_bytes: u64,
}

/// An engine as others see it. `describe` is opaque to the machines: the shell's encoded peer information.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineInfo {
    /// Its id.
    pub id: EngineId,
    /// Its process.
    pub incarnation: Incarnation,
    /// Encoded `PeerInfo`.
    pub peer: Bytes,
    /// Labels, sorted by key.
    pub labels: Vec<(Bytes, Bytes)>,
}

/// Something that happened. `sequence` is 0 for what is not kept: membership.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// Dense from 1 within session and epoch; 0 for membership.
    pub sequence: u64,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum EventKind {
    /// An engine said it would start a task (told only if the task does not finish at once).
    Claimed(KnownClaim),
    /// A task wrote something.
    Output {
        /// Task.
        index: u64,
        /// Which run of it.
        attempt: u32,
        /// Where.
        engine: EngineId,
        /// What.
        output: Output,
    },
    /// A task has its outcome.
    Finished {
        /// Task.
        index: u64,
        /// Which run of it; 0 if it never ran.
        attempt: u32,
        /// The engine that ran it or that it was addressed to.
        engine: Option<EngineId>,
        /// Wall clock of the scheduler when it accepted the task, nanoseconds since the Unix epoch.
        accepted_unix_nanos: u64,
        /// What it came to.
        outcome: Arc<Outcome>,
    },
    /// An engine attached.
    EngineJoined(Arc<EngineInfo>),
    /// An engine is gone.
    EngineLeft {
        /// Which.
        engine: EngineId,
        /// For people.
        reason: Cow<'static, str>,
    },
    /// What a later release of the scheduler tells, and this one has no words for: its sequence counts.
    Unknown,
}

/// A claim that a client was told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownClaim {
    /// Task.
    pub index: u64,
    /// Which run of it.
    pub attempt: u32,
    /// Where.
    pub engine: EngineId,
    /// Which process of that id.
    pub incarnation: Incarnation,
}

/// What cancelling does to a task that runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CancelMode {
    /// Nothing: only queued tasks are aborted.
    Abort,
    /// It is interrupted.
    Interrupt {
        /// Its engine's process is ended if it still runs this long afterwards.
        kill_after: Option<Duration>,
    },
}

impl CancelMode {
    /// Whether it does more to a task than another, or does it sooner.
    #[must_use]
    pub fn is_harder_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Interrupt { .. }, Self::Abort)
            | (Self::Interrupt { kill_after: Some(_) }, Self::Interrupt { kill_after: None }) => true,
            (Self::Interrupt { kill_after: Some(sooner) }, Self::Interrupt { kill_after: Some(later) }) => {
                sooner < later
            }
            _ => false,
        }
    }
}

/// Why the scheduler ended a session stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum CloseReason {
    Closed,
    Superseded,
    Expired,
    OutOfOrder,
    ProtocolError,
    Limit,
    Shutdown,
}
