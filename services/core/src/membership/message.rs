//! What goes into the machine and what comes out.

use bytes::Bytes;

use super::{Endpoint, EngineLoad, EngineStatus, SchedulerInfo};
use crate::id::{ConnectionId, EngineId, Incarnation};

/// A call that waits for its answer. Never reused within a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RequestId(pub u64);

/// What happens to a cluster.
#[derive(Clone, PartialEq, Debug)]
pub enum Stimulus {
    /// An engine enters, or enters again.
    RegisterEngine {
        /// Answered with `Answer`.
        request: RequestId,
        /// Who.
        engine: NewEngine,
    },
    /// A scheduler enters, or enters again.
    RegisterScheduler {
        /// Answered with `Answer`.
        request: RequestId,
        /// Who.
        scheduler: NewScheduler,
    },
    /// A keep-alive stream was opened; its first message.
    KeepAliveOpened {
        /// The stream.
        connection: ConnectionId,
        /// Who says it is.
        member_id: u32,
        /// Which process of it.
        incarnation: Incarnation,
        /// From schedulers.
        report: SchedulerReport,
    },
    /// A later message of a keep-alive stream.
    KeepAlive {
        /// The stream.
        connection: ConnectionId,
        /// From schedulers.
        report: SchedulerReport,
    },
    /// Someone wants to know which engines there are.
    WatchOpened {
        /// The stream.
        connection: ConnectionId,
        /// How much of it.
        kind: WatchKind,
    },
    /// The transport took the stream's message and wants another.
    LineFree {
        /// The stream.
        connection: ConnectionId,
    },
    /// A stream ended.
    Broken {
        /// The stream.
        connection: ConnectionId,
    },
    /// A member leaves.
    Deregister {
        /// Who.
        member_id: u32,
        /// Which process of it.
        incarnation: Incarnation,
    },
    /// An engine is to exit.
    Remove {
        /// Which.
        engine: EngineId,
    },
    /// An engine is to finish what it has claimed, give back the rest, and leave.
    Drain {
        /// Which.
        engine: EngineId,
    },
    /// There are to be so many engines: whoever launches them is told, and those too many are drained. Where they are
    /// scaled here, within its bounds, and until it decides otherwise.
    Scale {
        /// How many.
        engines: u32,
    },
    /// A signal for engines that hold a lease.
    Signal {
        /// Which.
        engines: Vec<EngineId>,
        /// Its name, UTF-8.
        signal: Bytes,
    },
    /// All streams are to end.
    Shutdown,
    /// Time passed.
    Tick,
}

/// An engine that registers.
#[derive(Clone, PartialEq, Debug)]
pub struct NewEngine {
    /// Its process.
    pub incarnation: Incarnation,
    /// Encoded `PeerInfo`.
    pub peer: Bytes,
    /// Labels, sorted by key.
    pub labels: Vec<(Bytes, Bytes)>,
    /// The id held before, or the one wished for.
    pub id: Option<EngineId>,
    /// `id` was held before: the ticket for it and `incarnation` was checked.
    pub proven: bool,
    /// Wall clock, nanoseconds since the Unix epoch. For people.
    pub registered_unix_nanos: u64,
}

/// A scheduler that registers.
#[derive(Clone, PartialEq, Debug)]
pub struct NewScheduler {
    /// Itself.
    pub info: SchedulerInfo,
    /// One more than the highest engine id it has seen.
    pub next_engine_id: u32,
}

/// What a scheduler says of its engines, and of what waits for them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SchedulerReport {
    /// Engines attached to it, where anything changed since its last report.
    pub loads: Vec<(EngineId, EngineLoad)>,
    /// Engines it has lost.
    pub lost: Vec<EngineId>,
    /// Tasks that no engine has, and that any may run, one that is yet to come too.
    pub waiting: u64,
}

/// What the shell is to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Instruction {
    /// Keep this before anything that follows is carried out: ids below were given.
    Persist {
        /// One more than the highest id ever given.
        next_engine_id: u32,
    },
    /// Answer a registration.
    Answer {
        /// Which.
        request: RequestId,
        /// With what.
        answer: Result<Grant, Refusal>,
    },
    /// Send this on a keep-alive stream; occupies its line.
    ToMember {
        /// The stream.
        connection: ConnectionId,
        /// What.
        answer: KeepAliveAnswer,
    },
    /// Send this to a watcher; occupies its line.
    ToWatcher {
        /// The stream.
        connection: ConnectionId,
        /// What.
        event: WatchEvent,
    },
    /// End a stream after what was already given.
    Close {
        /// The stream.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// Calls for the scheduler go there from now on; nowhere if empty.
    SchedulerAt {
        /// Best first.
        endpoints: Vec<Endpoint>,
    },
}

/// A registration that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Who the member is.
    pub member_id: u32,
    /// Which process of it.
    pub incarnation: Incarnation,
    /// Where the scheduler is, best first; empty while there is none.
    pub scheduler_endpoints: Vec<Endpoint>,
}

/// Why a registration was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Ids in use are not known yet.
    #[error("no scheduler has registered yet, so the ids already in use are not known: try again in a moment")]
    NoScheduler,
    /// Too many wait already.
    #[error("{0} engines wait for a scheduler to register: try again in a moment")]
    TooManyWaiting(usize),
    /// Too many are there.
    #[error("{0} engines hold a lease, and that is the most: let some go, or start another cluster")]
    TooManyEngines(usize),
    /// A later call of the same engine waits in its place.
    #[error("a later call of the same engine has taken the place of this one")]
    Repeated,
    /// The ticket is for an id that another process holds, or was given since.
    #[error("engine id {0} is another process's: register without an id to get a new one")]
    IdHeld(EngineId),
    /// A wish out of reach.
    #[error("engine id {wish} is too far ahead: the highest that can be asked for now is {most}")]
    IdTooHigh {
        /// What was wished for.
        wish: EngineId,
        /// The highest there is to have.
        most: EngineId,
    },
    /// It says too much of itself.
    #[error("what it says of itself is {size} bytes, the most is {most}: use fewer or shorter labels or endpoints")]
    TooLarge {
        /// In bytes.
        size: usize,
        /// In bytes.
        most: usize,
    },
    /// A later scheduler process has taken over.
    #[error("another scheduler process has taken over this cluster: this one is to exit")]
    Superseded,
}

/// On a keep-alive stream, to the member.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeepAliveAnswer {
    /// Where the scheduler is, if that changed since the last answer (and in the first); else empty.
    pub scheduler_endpoints: Vec<Endpoint>,
    /// The member is to exit.
    pub exit: bool,
    /// The engine is to take no new work, and to leave when it has finished what it claimed.
    pub drain: bool,
    /// Signals for its process, by name: each is said once.
    pub signals: Vec<Bytes>,
}

/// What a watcher wants to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchKind {
    /// Who comes and goes.
    Members,
    /// That, and every change of state or load.
    Status,
    /// All that, and how many engines there are to be: for who launches them.
    Launcher,
}

/// What a watcher is told.
#[derive(Clone, PartialEq, Debug)]
pub enum WatchEvent {
    /// First: the engines that hold a lease, in order of id. Where they are too many for one message the rest follow as
    /// `Changed`.
    Snapshot(Vec<EngineStatus>),
    /// One that came or changed.
    Changed(EngineStatus),
    /// One that left.
    Removed(EngineId),
    /// To launchers, after every change that came before: how many engines there are to be.
    Scale(u32),
}

/// Why a stream is ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CloseReason {
    /// There is no such lease.
    #[error("the lease has run out: register again")]
    NoLease,
    /// The same member opened another.
    #[error("the member has opened another keep-alive stream")]
    Replaced,
    /// The service ends.
    #[error("the controller is shutting down: try again in a moment")]
    Shutdown,
}
