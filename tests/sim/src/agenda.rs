//! What happens when, in virtual time.

use std::collections::BTreeMap;

use paraply_core::{
    id::{AttemptId, BlobId, ConnectionId, Incarnation},
    membership,
    payload::BlobWant,
    time::Time,
};

use crate::{
    network::{Ending, Kind, Side},
    transfers::Reading,
};

/// One process. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pid(pub u64);

/// Which process a service or a person has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// The controller.
    Controller,
    /// The scheduler.
    Scheduler,
    /// An engine.
    Engine(usize),
    /// A client.
    Client(usize),
}

/// Something that is going to happen. What is addressed to a process that is gone does not happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// The next message of a stream arrives.
    Arrival { connection: ConnectionId, at: Side },
    /// The transport wants another message.
    LineFree { connection: ConnectionId, at: Side },
    /// The end of a stream is seen.
    Ended { connection: ConnectionId, at: Side },
    /// A dial reaches its service.
    Dial { from: Pid, kind: Kind, dial: u64 },
    /// A dial was answered.
    Connected { to: Pid, connection: ConnectionId, dial: u64 },
    /// A dial was refused.
    Refused { to: Pid, kind: Kind, dial: u64 },
    /// A timer of a machine or of its shell.
    Wake(Pid),
    /// The shell has drained its inbox.
    Flush(Pid),
    /// A unary call reaches the controller.
    Register { from: Pid },
    /// Its answer comes back.
    Registered { to: Pid, answer: Result<membership::Grant, membership::Refusal> },
    /// A member that goes says so to the controller.
    Deregister { member_id: u32, incarnation: Incarnation },
    /// A stream breaks in between.
    Cut { connection: ConnectionId, endings: [Ending; 2] },
    /// User code returns.
    TaskEnds { engine: Pid, attempt: AttemptId },
    /// The store has written a batch.
    Persisted { scheduler: Pid, up_to: u64 },
    /// A blob is complete, or lost.
    Blob { scheduler: Pid, blob: BlobId, ready: bool },
    /// Somebody asks for a blob.
    Read(Reading),
    /// Somebody has a blob, or will not have it.
    ReadDone { reading: Reading, whole: bool },
    /// A blob arrives from whoever keeps it.
    Passed { from: Pid, want: BlobWant },
    /// An engine has put a part of a result into the store.
    Stored { engine: Pid, blob: BlobId },
    /// A process starts.
    Start(Place),
    /// The driver does something.
    Act,
}

/// Events by time; those of one time in the order in which they were put down.
#[derive(Debug, Default)]
pub struct Agenda {
    events: BTreeMap<(Time, u64), Event>,
    next: u64,
}

impl Agenda {
    /// Puts an event down.
    pub fn at(&mut self, time: Time, event: Event) {
        self.events.insert((time, self.next), event);
        self.next += 1;
    }

    /// Takes the next event out.
    pub fn pop(&mut self) -> Option<(Time, Event)> {
        self.events.pop_first().map(|((time, _), event)| (time, event))
    }

    /// When the next event is.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        self.events.first_key_value().map(|((time, _), _)| *time)
    }
}
