//! What goes into the scheduler machine and what comes out.

use std::sync::Arc;

use crate::{
    call::{Call, CallHead},
    engine_link,
    id::{AttemptId, BlobId, ConnectionId, EngineId, Epoch, Incarnation, SessionId, TransferId},
    outcome::Outcome,
    session_link::{self, EngineInfo},
    time::Time,
};

/// Something that happened outside.
#[derive(Clone, Debug)]
pub enum Stimulus {
    /// A client opened a stream and said hello. The line is free.
    SessionOpened {
        /// The stream.
        connection: ConnectionId,
        /// Its first message.
        hello: session_link::Hello,
    },
    /// A client said something else.
    SessionMessage {
        /// The stream.
        connection: ConnectionId,
        /// What.
        message: session_link::ToScheduler,
    },
    /// An engine opened a stream and said hello; its ticket is good. The line is free.
    EngineOpened {
        /// The stream.
        connection: ConnectionId,
        /// Its first message.
        hello: engine_link::Hello,
    },
    /// An engine said something else.
    EngineMessage {
        /// The stream.
        connection: ConnectionId,
        /// What.
        message: engine_link::ToScheduler,
    },
    /// The transport took the last message given for this stream and asks for more.
    LineFree {
        /// The stream.
        connection: ConnectionId,
    },
    /// The stream ended, whoever ended it.
    Broken {
        /// The stream.
        connection: ConnectionId,
    },
    /// The engines that hold a lease at the controller: these may hold tasks of an earlier epoch.
    MembersKnown {
        /// Who.
        engines: Vec<(EngineId, Incarnation)>,
    },
    /// The controller removed an engine.
    MemberRemoved {
        /// Which.
        engine: EngineId,
    },
    /// The store holds every batch up to this one.
    Persisted {
        /// Inclusive.
        up_to: u64,
    },
    /// All bytes of a blob are in the store.
    BlobReady {
        /// Which.
        blob: BlobId,
    },
    /// A blob that was ready or on its way is lost: its writer gave up, or it did not fit.
    BlobGone {
        /// Which.
        blob: BlobId,
    },
    /// Somebody reads a blob that the store does not have.
    BlobWanted {
        /// What the answer is to be called.
        transfer: TransferId,
        /// Which.
        blob: BlobId,
        /// Of the task whose argument or result it is.
        session: SessionId,
        /// From where on.
        offset: u64,
    },
    /// Whoever keeps the blob has begun to write, or the reader has left.
    TransferSettled {
        /// Which.
        transfer: TransferId,
    },
    /// Time passed.
    Tick,
    /// End every stream, say why, and take nothing new.
    Shutdown,
}

/// Something to do outside.
#[derive(Clone, PartialEq, Debug)]
pub enum Instruction {
    /// Write to a client. The line is taken until `LineFree`.
    ToSession {
        /// The stream.
        connection: ConnectionId,
        /// What.
        message: session_link::ToClient,
    },
    /// Write to an engine. The line is taken until `LineFree`.
    ToEngine {
        /// The stream.
        connection: ConnectionId,
        /// What.
        message: engine_link::ToEngine,
    },
    /// End a stream after the messages already given. No `Broken` is awaited for it.
    Close {
        /// The stream.
        connection: ConnectionId,
        /// Its gRPC status.
        status: CloseStatus,
    },
    /// Append to the store; answer with `Persisted`.
    Persist {
        /// Dense from 1.
        sequence: u64,
        /// What.
        records: Vec<Record>,
    },
    /// Nothing names this blob any more.
    DropBlob {
        /// Which.
        blob: BlobId,
    },
    /// Tell a reader that the store has its blob.
    BlobIsStored {
        /// Which reading.
        transfer: TransferId,
    },
    /// Tell a reader that nobody has its blob.
    NobodyHasBlob {
        /// Which reading.
        transfer: TransferId,
        /// For people.
        reason: &'static str,
    },
    /// The session is gone: drop what else it has in the blob store.
    SessionForgotten {
        /// Which.
        session: SessionId,
    },
    /// Tell the controller: an engine takes tasks.
    EngineAttached {
        /// Who.
        info: Arc<EngineInfo>,
    },
    /// Tell the controller: an engine is gone.
    EngineLost {
        /// Which.
        engine: EngineId,
        /// For people.
        reason: &'static str,
    },
}

/// How a stream ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CloseStatus {
    /// Nothing is wrong.
    Ok,
    /// Another incarnation holds the engine id.
    AlreadyExists(&'static str),
    /// A limit; names the setting.
    ResourceExhausted(String),
    /// The peer broke a rule.
    InvalidArgument(String),
    /// Shutting down, or the peer was silent for too long: connect again.
    Unavailable(&'static str),
}

/// A line of the journal.
#[derive(Clone, PartialEq, Debug)]
pub enum Record {
    /// A call was accepted.
    Accepted {
        /// Whose.
        session: SessionId,
        /// What.
        call: Arc<Call>,
    },
    /// An engine claimed an attempt.
    Claimed {
        /// Which.
        attempt: AttemptId,
        /// Where.
        engine: EngineId,
    },
    /// A task has its outcome.
    Finished {
        /// Which run; attempt 0 if it never ran.
        attempt: AttemptId,
        /// Sequence of the event that tells its client.
        event: u64,
        /// What it shared with its call.
        head: Arc<CallHead>,
        /// The engine that ran it, or that it was addressed to.
        engine: Option<EngineId>,
        /// When it was accepted.
        accepted: Time,
        /// What it came to.
        outcome: Arc<Outcome>,
    },
    /// The client holds every outcome up to an event.
    Delivered {
        /// Whose.
        session: SessionId,
        /// Inclusive.
        sequence: u64,
    },
    /// A session ended.
    Forgotten {
        /// Whose.
        session: SessionId,
    },
}

/// What the scheduler holds, for people and the controller.
#[derive(Clone, PartialEq, Debug)]
pub struct Status {
    /// This process.
    pub epoch: Epoch,
    /// Engines of an earlier epoch have not all come back yet.
    pub recovering: bool,
    /// Attached engines, by id.
    pub engines: Vec<EngineStatus>,
    /// Balanced tasks in the queue.
    pub unassigned: u64,
    /// Of these, those that any engine may run: one that came now would have something to do.
    pub waiting_for_any: u64,
    /// Sessions, by id.
    pub sessions: Vec<SessionStatus>,
    /// Blobs that are named, kept or read.
    pub blobs: usize,
    /// Tasks finished in this process.
    pub completed: u64,
    /// Bytes of arguments, results, output and functions.
    pub held_bytes: u64,
}

/// One engine's row.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineStatus {
    /// Who.
    pub info: Arc<EngineInfo>,
    /// In its direct queue, or sent and not claimed.
    pub queued: usize,
    /// Claimed.
    pub claimed: usize,
    /// Finished in this process.
    pub completed: u64,
    /// Takes no new work.
    pub draining: bool,
}

/// One session's row.
#[derive(Clone, PartialEq, Debug)]
pub struct SessionStatus {
    /// Who.
    pub id: SessionId,
    /// For people.
    pub label: bytes::Bytes,
    /// It has a stream.
    pub connected: bool,
    /// Unfinished tasks.
    pub outstanding: u64,
    /// Bytes of arguments, results and output.
    pub held_bytes: u64,
}
