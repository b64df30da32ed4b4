//! What an engine and the scheduler say to each other, in the machines' own words. `scheduler/v1/engine_link.proto`
//! says what each means; `services/common` converts.

use std::{sync::Arc, time::Duration};

use crate::{
    call::CallHead,
    id::{AttemptId, BlobId, Digest, Epoch, SessionId},
    outcome::{Outcome, Output},
    payload::{BlobWant, Function, Payload},
    session_link::{CancelMode, EngineInfo},
};

/// Engine to scheduler.
#[derive(Clone, PartialEq, Debug)]
pub enum ToScheduler {
    /// First on every stream.
    Hello(Hello),
    /// What happened.
    Reports(Reports),
    /// Nothing but that it lives.
    Heartbeat,
}

/// Scheduler to engine.
#[derive(Clone, PartialEq, Debug)]
pub enum ToEngine {
    /// First on every stream.
    Welcome(Welcome),
    /// What to do.
    Orders(Orders),
    /// Nothing but that it lives.
    Heartbeat,
}

/// An engine that attaches. Its ticket was checked before this reaches the machine.
#[derive(Clone, PartialEq, Debug)]
pub struct Hello {
    /// Who.
    pub info: Arc<EngineInfo>,
    /// The scheduler it was attached to last.
    pub last_epoch: Option<Epoch>,
    /// All that it holds.
    pub held: Vec<Held>,
    /// What it takes.
    pub credit: Credit,
    /// Counts this process's streams from 1; 0: not said.
    pub stream: u64,
    /// Parts of results that it keeps, and of which.
    pub kept_blobs: Vec<(AttemptId, BlobId)>,
}

/// A task that an attaching engine holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Which run of which task.
    pub attempt: AttemptId,
    /// How far it is.
    pub state: HeldState,
}

/// How far a held task is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeldState {
    /// Not claimed.
    Queued,
    /// Claimed, perhaps running.
    Claimed,
    /// Finished; its outcome was not acknowledged.
    Finished,
}

/// The scheduler's answer to a hello.
#[derive(Clone, PartialEq, Debug)]
pub struct Welcome {
    /// This scheduler process.
    pub epoch: Epoch,
    /// How long either side may be silent.
    pub lease: Duration,
    /// Of what the engine holds: what it is to drop.
    pub dropped: Vec<AttemptId>,
}

/// Reports: claims before output before outcomes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reports {
    /// Can no longer be taken back.
    pub claimed: Vec<AttemptId>,
    /// What tasks wrote.
    pub output: Vec<(AttemptId, Output)>,
    /// What tasks came to.
    pub finished: Vec<(AttemptId, Arc<Outcome>)>,
    /// Answers to retracts: whether the task was given back.
    pub retracted: Vec<(AttemptId, bool)>,
    /// What the engine takes, where that grew.
    pub credit: Option<Credit>,
    /// Functions it lacks.
    pub need_functions: Vec<Digest>,
    /// It takes no new work.
    pub draining: bool,
    /// All bytes of these tasks' arguments are there.
    pub fetched: Vec<AttemptId>,
}

/// What the scheduler may have sent in total on this stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Credit {
    /// Tasks, cumulative.
    pub total_tasks: u64,
    /// Bytes of arguments, cumulative. A larger task may go alone.
    pub total_bytes: u64,
}

/// Orders, in the order of the fields.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Orders {
    /// Functions that the engine has not had on this stream.
    pub functions: Vec<Arc<Function>>,
    /// Tasks, grouped by call.
    pub assigned: Vec<AssignedCall>,
    /// Give back if not claimed.
    pub retract: Vec<AttemptId>,
    /// Stop.
    pub cancel: Vec<(AttemptId, CancelMode)>,
    /// Outcomes that the scheduler holds.
    pub acked: Vec<AttemptId>,
    /// Yes to the claims of `start_once` tasks.
    pub start: Vec<AttemptId>,
    /// Functions that the scheduler has dropped.
    pub forget_functions: Vec<Digest>,
    /// Take no new work, give back what is not claimed, exit when done.
    pub drain: bool,
    /// Leave now.
    pub exit: bool,
    /// Blobs that it keeps and somebody reads.
    pub wanted_blobs: Vec<BlobWant>,
    /// Blobs that it keeps and is to put into the store.
    pub store_blobs: Vec<BlobId>,
    /// Blobs that it keeps and nobody wants any more.
    pub release_blobs: Vec<BlobId>,
}

/// Tasks of one call that go to one engine together.
#[derive(Clone, PartialEq, Debug)]
pub struct AssignedCall {
    /// What they share.
    pub head: Arc<CallHead>,
    /// Whose they are.
    pub session: SessionId,
    /// They go to the engine's direct queue.
    pub direct: bool,
    /// The call has tasks on other engines too.
    pub several: bool,
    /// The tasks.
    pub tasks: Vec<AssignedTask>,
}

/// One task, as its engine gets it.
#[derive(Clone, PartialEq, Debug)]
pub struct AssignedTask {
    /// Index within the session.
    pub index: u64,
    /// Which run.
    pub attempt: u32,
    /// Counts as claimed already: the engine had nothing else.
    pub claimed: bool,
    /// Its arguments.
    pub arguments: Payload,
    /// How long tasks of this function took of late, if measured.
    pub expected: Option<Duration>,
    /// Filled in by the scheduler's shell where it traces: the span that the engine's is a child of, or 0 for a task that
    /// is not sampled. `None`: the caller's, of the call's `traceparent`.
    pub span: Option<u64>,
}

impl Orders {
    /// Nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Reports {
    /// Nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
