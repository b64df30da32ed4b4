//! A client's end of its session stream.
//!
//! The shell calls [`ClientSession::submit`] and [`ClientSession::handle`], then [`ClientSession::flush`], carries out
//! the instructions in their order, and comes back with [`Stimulus::Tick`] at [`ClientSession::next_timeout`].
//!
//! **Connection.** `Dial` asks for one stream; the answer is `Connected`, or `Broken` if it failed. `Broken` also says
//! that a stream ended. After `HangUp` the shell drops the stream (or the dial under way) and gives nothing more of it.
//! The line starts free with `Connected`; each `Send` occupies it until `LineFree`. The first message is the hello;
//! nothing else is sent before the welcome. A hello carries a resume point from the first welcome on; its `next_index` is
//! that of the next call to be sent for the first time. After `Ended` nothing follows: results that were not delivered
//! will not come.
//!
//! **Calls.** `submit` gives a call its indexes, dense from 0. A balanced call over `call_tasks` tasks or `call_bytes`
//! bytes is cut into several. Each is kept, arguments and all, until the result of each of its tasks is held. A call
//! is sent once credit allows all of it: its indexes are below `total_tasks`, and its bytes (source code and the inline
//! bytes of `arguments`, each argument once) with those of all calls submitted in this epoch are at most `total_bytes`. A call
//! counts once an epoch, when it is first submitted in it; the first welcome of an epoch sets the count to zero. Credit
//! never shrinks within an epoch. Replays need no credit and do not count.
//!
//! **Resume.** A welcome of the epoch known: calls from `accepted_up_to` on are sent again. A welcome that asks for a
//! replay: every call with an open task below the hello's `next_index` is replayed, in order, the last message with
//! `complete` (one is sent even if there is nothing to replay), then the rest is submitted. A new epoch without replay is a scheduler that read its store: as in the epoch known, but event sequences start over.
//! Cancels of open tasks are sent again on every stream.
//!
//! **Close** is said first of all where there is a stream, and the session is over with the answer or the end of the
//! stream; where there is none it is over at once, and the scheduler forgets it after its grace time.
//!
//! **Functions** go with the first call that names them in an epoch, and again whenever the scheduler needs them.
//!
//! **Large arguments** that the client keeps (`BlobRef::kept`) are passed on when an engine reads them, and need not be
//! kept once an engine has all of them, or their task was claimed or is finished.
//!
//! **Events** are delivered once, in order of sequence: what came before is dropped, a gap hangs up so that the resume
//! fills it. A second result of a task is dropped and its blobs are released; output is trimmed by its offsets, per
//! attempt. The engines of a welcome are delivered as joins and leaves. Delivered events are acknowledged with the next
//! submit, or alone after `ack_events`, `ack_bytes` or `ack_delay`.
//!
//! **Order on the line** where several are due: close; cancels; replay; releases; submit (with functions and ack); ack.

mod calls;
mod events;
mod functions;
mod invariants;
mod link;
mod machine;
mod outbox;
mod output;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use machine::ClientSession;

pub use crate::backoff::DialConfig;
use crate::{
    id::{BlobId, SessionId},
    payload::BlobWant,
    session_link::{CancelMode, Event, ToClient, ToScheduler},
    transitions::transitions,
};

/// Limits and times. None is a constant of the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Which session: 16 random bytes.
    pub session: SessionId,
    /// For people, UTF-8.
    pub label: bytes::Bytes,
    /// Queued tasks are aborted when the stream ends.
    pub cancel_on_disconnect: bool,
    /// When to dial.
    pub dial: DialConfig,
    /// Tasks in one balanced call at most.
    pub call_tasks: usize,
    /// Bytes of arguments in one balanced call of several tasks at most.
    pub call_bytes: u64,
    /// Submits and replays are cut at about this size, in bytes.
    pub message_bytes: u64,
    /// Events that may go unacknowledged.
    pub ack_events: u64,
    /// Bytes of events that may go unacknowledged.
    pub ack_bytes: u64,
    /// How long an event may go unacknowledged.
    pub ack_delay: Duration,
    /// How many functions are remembered as sent; those beyond are sent again.
    pub functions_remembered: usize,
}

impl Config {
    /// The defaults for a session.
    #[must_use]
    pub fn new(session: SessionId) -> Self {
        Self {
            session,
            label: bytes::Bytes::new(),
            cancel_on_disconnect: false,
            dial: DialConfig::default(),
            call_tasks: 256,
            call_bytes: 256 << 10,
            message_bytes: 1 << 20,
            ack_events: 256,
            ack_bytes: 1 << 20,
            ack_delay: Duration::from_millis(50),
            functions_remembered: 4096,
        }
    }
}

/// What happens to a client.
#[derive(Clone, PartialEq, Debug)]
pub enum Stimulus {
    /// The dial succeeded.
    Connected,
    /// A message came.
    Received(ToClient),
    /// The stream ended, or the dial failed.
    Broken,
    /// The transport took the message and wants another.
    LineFree,
    /// Cancel tasks. Those that are unknown or finished are left out.
    Cancel {
        /// Which.
        indexes: Vec<u64>,
        /// How.
        mode: CancelMode,
    },
    /// Result blobs that were read or are not wanted.
    Release {
        /// Which.
        blobs: Vec<BlobId>,
    },
    /// End the session now.
    Close,
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
    /// Write a blob that the client keeps to who reads it; say `Release` where it does not have it any more.
    PassOn(BlobWant),
    /// An engine has all of a blob: it need not be kept any more.
    BlobTaken {
        /// Which.
        blob: BlobId,
    },
    /// Tell the user; the machine counts these as held.
    Deliver(Vec<Event>),
    /// The session is over. Nothing follows.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// Why a session is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EndReason {
    /// The client closed it.
    Closed,
    /// Another stream took it over.
    Superseded,
    /// The scheduler has forgotten it.
    Expired,
    /// The client broke a rule, which this names.
    ProtocolError(String),
    /// A limit was passed, which this names with its setting.
    Limit(String),
}

/// Why a call was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubmitError {
    /// Its arguments do not fit its placement.
    #[error("{0}")]
    Refused(&'static str),
    /// It names a function and brings another, or none.
    #[error("the call names function {0} and does not bring it")]
    FunctionMissing(crate::id::Digest),
    /// The session is over.
    #[error("the session is closed")]
    Closed,
}

/// What a machine holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// The index that the next task gets.
    pub next_index: u64,
    /// Indexes below are held by the scheduler.
    pub accepted_up_to: u64,
    /// Tasks without a result.
    pub open_tasks: u64,
    /// Calls kept.
    pub calls: usize,
    /// Functions kept.
    pub functions: usize,
    /// Events delivered and not acknowledged.
    pub unacknowledged: u64,
    /// Tasks that are cancelled and have no result.
    pub cancelled: usize,
    /// Whether the scheduler holds every call and was told of every cancel, on the stream there is.
    pub all_said: bool,
}

transitions!(
    /// What a client session can do.
    Transition {
        Dialled,
        Welcomed,
        Resumed,
        ResumedFromStore,
        Replayed,
        CutReplay,
        Broke,
        WentUnanswered,
        Submitted,
        SubmittedAgain,
        CutCall,
        WaitedForCredit,
        SentFunction,
        SentFunctionAgain,
        Cancelled,
        CancelledAgain,
        Acknowledged,
        AcknowledgedWithSubmit,
        Released,
        Finished,
        DroppedEvent,
        FoundGap,
        TrimmedOutput,
        EngineJoined,
        EngineLeft,
        Closed,
        Ended,
    }
);
