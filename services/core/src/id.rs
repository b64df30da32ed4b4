//! Names of things. Each is a type of its own, so that one cannot stand for another.

use std::{fmt, str::FromStr};

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u128);

        impl $name {
            /// Reads the 16 bytes of the wire form; `None` for any other length.
            #[must_use]
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Some(Self(u128::from_be_bytes(bytes.try_into().ok()?)))
            }

            /// The 16 bytes of the wire form.
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:x}", self.0)
            }
        }
    };
}

random_id!(
    /// A client's session, chosen by the client.
    SessionId
);
random_id!(
    /// One process of an engine or a scheduler.
    Incarnation
);
random_id!(
    /// Large bytes in the blob store.
    BlobId
);

/// An engine. Never reused while its cluster lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EngineId(pub u32);

impl EngineId {
    /// The highest: ids above are those of other members.
    pub const MOST: Self = Self((1 << 31) - 1);
}

/// One scheduler process. Random, never 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Epoch(pub u64);

/// One stream as its server knows it. Never reused within a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionId(pub u64);

/// One reading of a blob that somebody keeps. Never reused within a scheduler process; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TransferId(pub u64);

/// SHA-256 of a function's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// A task: a session and an index that is dense from 0 within it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// Who submitted it.
    pub session: SessionId,
    /// Dense from 0.
    pub index: u64,
}

/// One run of a task; attempts count from 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId {
    /// The task.
    pub task: TaskId,
    /// From 1. A report of an older attempt is dropped: this is the fence.
    pub attempt: u32,
}

/// It is not a session in 32 hexadecimal digits, an underscore and an index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotATask;

impl FromStr for TaskId {
    type Err = NotATask;

    /// Reads what `Display` writes.
    fn from_str(name: &str) -> Result<Self, NotATask> {
        let (session, index) = name.rsplit_once('_').ok_or(NotATask)?;
        if session.len() != 32 {
            return Err(NotATask);
        }
        let session = u128::from_str_radix(session, 16).map_err(|_| NotATask)?;
        Ok(Self { session: SessionId(session), index: index.parse().map_err(|_| NotATask)? })
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.session, self.index)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}_{}", self.session, self.index)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.task, self.attempt)
    }
}

impl fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.task, self.attempt)
    }
}
