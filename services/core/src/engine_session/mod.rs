//! An engine's end of its stream to the scheduler.
//!
//! The shell gives stimuli, calls [`EngineSession::flush`], carries out the instructions in their order, and comes back
//! with [`Stimulus::Tick`] at [`EngineSession::next_timeout`].
//!
//! **Connection.** `Dial` asks for one stream; the answer is `Connected`, or `Broken` if it failed. `Broken` also says
//! that a stream ended. After `HangUp` the shell drops the stream (or the dial under way) and gives nothing more of it,
//! `Broken` included. The line starts free with `Connected`; each `Send` occupies it until `LineFree`; what becomes due
//! meanwhile is merged into the next message. The first message is the hello with all that is held; nothing else is
//! sent, and nothing is claimed, before the welcome. If nothing was heard for a lease, the machine hangs up.
//!
//! **Tasks.** An assigned task waits in one of two queues, direct and balanced, which take turns. Only the head of a
//! queue may be claimed, or one that may pass it: a task that lacks its function or bytes holds up only those that must
//! keep their order behind it. One that waits for the scheduler's yes (`start_once`) holds up its own queue and not the
//! other. When the runtime is idle and the engine is attached, one task is claimed, or tasks of
//! measured length up to `claim_ahead` together; the claim is put on the line before `Run`. A task assigned as claimed
//! needs no report, and, being the scheduler's own word, no yes either. While detached nothing is claimed: the
//! scheduler may have given it away.
//!
//! **Ends.** The runtime runs the tasks of a batch in their order, so the machine knows which one runs. One that has a
//! `run_timeout` is interrupted when it has run that long. One that was cancelled with `kill_after` and still runs then
//! has its outcome reported; once that is acknowledged, or a moment later, the engine exits.
//!
//! **Large bytes.** Arguments that blobs hold are fetched ahead (`Fetch`, answered by `Fetched` or `NotFetched`) and a task
//! is claimed only when it has them: nobody waits for a slow client but the calls that must not pass its own. `FetchNow`
//! says that nothing else keeps a task from starting. Results that the engine keeps as blobs (`BlobRef::kept`) are passed
//! on to whoever reads them, put into the store when the scheduler asks for it or the engine drains, and dropped when
//! their client has released them.
//!
//! **Reports** keep their order: a task's claim, then its output, then its outcome. Outcomes are kept until
//! acknowledged, output until its outcome is (the oldest goes first when `output_bytes` is reached); after every
//! welcome both are sent again, and the receiver drops what it has. Output that finds no room is counted in `dropped`
//! of the piece after it. Everything is fenced by attempt: what the machine does not hold is ignored.
//!
//! **Credit.** A task counts from its arrival until it is finished, given back or dropped: outcomes that wait for a
//! client must not keep other clients' tasks out. The totals are what arrived on this stream and what there is room for
//! beside what is held; none beyond `outcomes` that wait for their acknowledgement. They travel with any report, and alone when a quarter of the window is unannounced or a
//! heartbeat is due. Bytes are those of arguments; functions have a cap of their own. One task may be larger than the
//! byte window if it is alone. What was not granted is not taken, and the machine hangs up.

mod credit;
mod functions;
mod invariants;
mod large;
mod link;
mod machine;
mod outbox;
mod queue;
mod received;
mod runs;
mod task;
#[cfg(test)]
mod tests;
mod work;

use std::{sync::Arc, time::Duration};

pub use machine::EngineSession;

pub use crate::backoff::DialConfig;
use crate::{
    call::CallHead,
    engine_link::{Credit, ToEngine, ToScheduler},
    id::{AttemptId, BlobId},
    outcome::{Outcome, Output},
    payload::{BlobWant, Function, Payload},
    session_link::EngineInfo,
    transitions::transitions,
};

/// Limits and times. None is a constant of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// When to dial.
    pub dial: DialConfig,
    /// Unfinished tasks held at most.
    pub task_window: u64,
    /// Bytes of unfinished tasks' arguments held at most.
    pub byte_window: u64,
    /// Measured work that one claim may cover.
    pub claim_ahead: Duration,
    /// Bytes of functions kept for later tasks.
    pub function_cache_bytes: u64,
    /// Bytes of output kept.
    pub output_bytes: u64,
    /// Outcomes that wait for their acknowledgement before no new tasks are taken. More than a scheduler leaves, and few
    /// enough for a hello, which names all that is held in one message.
    pub outcomes: u64,
    /// Reports are cut at about this size, in bytes.
    pub message_bytes: u64,
    /// How long to look for a scheduler before giving up.
    pub orphan_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dial: DialConfig::default(),
            task_window: 1024,
            byte_window: 64 << 20,
            claim_ahead: Duration::from_millis(1),
            function_cache_bytes: 64 << 20,
            output_bytes: 8 << 20,
            outcomes: 20_000,
            message_bytes: 1 << 20,
            orphan_timeout: Duration::from_secs(600),
        }
    }
}

/// What happens to an engine.
#[derive(Clone, PartialEq, Debug)]
pub enum Stimulus {
    /// The controller gave it an id. Dialling starts; a different id or incarnation than before starts it over.
    Registered {
        /// Who it is from now on.
        info: Arc<EngineInfo>,
    },
    /// The dial succeeded.
    Connected,
    /// A message came.
    Received(ToEngine),
    /// The stream ended, or the dial failed.
    Broken,
    /// The transport took the message and wants another.
    LineFree,
    /// The runtime has nothing left to do. Also said once at the start.
    RuntimeIdle,
    /// A task wrote something.
    Output {
        /// Which.
        attempt: AttemptId,
        /// What.
        output: Output,
    },
    /// A task ended.
    Finished {
        /// Which.
        attempt: AttemptId,
        /// How.
        outcome: Outcome,
    },
    /// All bytes of a task's arguments are here.
    Fetched {
        /// Which.
        attempt: AttemptId,
        /// Without blobs.
        arguments: Payload,
    },
    /// They will never be.
    NotFetched {
        /// Which.
        attempt: AttemptId,
        /// What that makes of the task.
        outcome: Outcome,
    },
    /// The store has a blob that was kept here.
    BlobStored {
        /// Which.
        blob: BlobId,
    },
    /// The store did not take it.
    BlobNotStored {
        /// Which.
        blob: BlobId,
    },
    /// Take no new work and leave when done (SIGTERM).
    Drain,
    /// Time passed.
    Tick,
}

/// What the shell is to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Instruction {
    /// Open a stream.
    Dial,
    /// Send this; occupies the line.
    Send(ToScheduler),
    /// Drop the stream or the dial.
    HangUp,
    /// Run these, in order, then say `RuntimeIdle`.
    Run(Vec<RunTask>),
    /// Interrupt this task if it runs; end it as cancelled if it did not start.
    Interrupt {
        /// Which.
        attempt: AttemptId,
    },
    /// Fetch the bytes of a task's arguments, while there is room ahead of need.
    Fetch {
        /// Whose.
        attempt: AttemptId,
        /// What names them.
        arguments: Payload,
    },
    /// The runtime waits for these.
    FetchNow {
        /// Whose.
        attempt: AttemptId,
    },
    /// Nobody needs them any more, here already or not.
    GiveUpFetch {
        /// Whose.
        attempt: AttemptId,
    },
    /// Write a blob that is kept here to who reads it.
    PassOn(BlobWant),
    /// Write a blob that is kept here into the store; answer with `BlobStored` or `BlobNotStored`.
    StoreBlob {
        /// Which.
        blob: BlobId,
    },
    /// Nobody needs a blob that is kept here any more.
    DropBlob {
        /// Which.
        blob: BlobId,
    },
    /// Leave. Nothing follows.
    Exit {
        /// Why.
        reason: ExitReason,
    },
}

/// One task, as the runtime gets it.
#[derive(Clone, PartialEq, Debug)]
pub struct RunTask {
    /// Which run of which task.
    pub attempt: AttemptId,
    /// What it shares with its call.
    pub head: Arc<CallHead>,
    /// What to call; none for code.
    pub function: Option<Arc<Function>>,
    /// With what.
    pub arguments: Payload,
    /// As in `AssignedTask`.
    pub span: Option<u64>,
}

/// What a machine holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// Tasks that arrived and were not got rid of.
    pub tasks: usize,
    /// What the unfinished ones take of the windows.
    pub held: Credit,
    /// Functions that tasks wait for.
    pub functions_waited_for: usize,
    /// Bytes of functions kept for later tasks.
    pub function_bytes: u64,
    /// Bytes of output kept, with an allowance for each piece.
    pub output_bytes: u64,
    /// Parts of results kept.
    pub kept_blobs: usize,
}

/// Why an engine leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitReason {
    /// The scheduler said so: the engine was removed.
    Ordered,
    /// It was draining and has nothing left.
    Drained,
    /// No scheduler was found for `orphan_timeout`.
    Orphaned,
    /// A task that was cancelled did not stop in the time it was given: the process is to end at once.
    Killed,
}

transitions!(
    /// What an engine session can do.
    Transition {
        Dialled,
        Attached,
        AttachedToNewEpoch,
        Broke,
        WentSilent,
        Assigned,
        AssignedClaimed,
        Claimed,
        ClaimedSeveral,
        AskedToStart,
        Started,
        Finished,
        Acknowledged,
        GaveBack,
        RefusedRetract,
        CancelledQueued,
        Interrupted,
        TimedOut,
        Killed,
        DroppedQueued,
        DroppedRunning,
        DroppedFinished,
        ReportedAgain,
        NeededFunction,
        GotFunction,
        EvictedFunction,
        ForgotFunction,
        DroppedOutput,
        CutReports,
        Fetched,
        NotFetched,
        GaveUpFetch,
        Overtook,
        KeptBlob,
        PassedBlobOn,
        AskedToStoreBlob,
        StoredBlob,
        ReleasedBlob,
        SentHeartbeat,
        StartedDraining,
        Exited,
    }
);
