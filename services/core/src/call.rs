//! Calls: what a client submits, and what of it the tasks of a call share.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    id::{Digest, EngineId},
    payload::Payload,
};

/// What a task does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Work {
    /// Call the function of this digest with the task's arguments.
    Function(Digest),
    /// Execute source code in the engine's namespace.
    Execute {
        /// The code, UTF-8.
        source: Bytes,
        /// No execute_result, no history, no count.
        silent: bool,
        /// What tracebacks call it, UTF-8; empty for a cell.
        filename: Bytes,
    },
}

/// Most labels that a call asks for.
pub const LABELS: usize = 16;
/// Most bytes of them, keys and values together.
pub const LABEL_BYTES: usize = 1024;

/// Where a call's tasks may run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Placement {
    /// One task on each of these, in this order.
    Direct {
        /// The engines; never empty in a call that was accepted.
        engines: Vec<EngineId>,
    },
    /// Any engine that may.
    Balanced {
        /// Only these; empty: any.
        engines: Vec<EngineId>,
        /// Only engines that carry each of these with this value, sorted by key.
        labels: Vec<(Bytes, Bytes)>,
        /// How often a task may run again after its engine was lost or it failed.
        retries: u32,
        /// How long a task may wait to be claimed.
        queue_timeout: Option<Duration>,
    },
}

impl Placement {
    /// Nothing of it will ever run on any but one engine.
    #[must_use]
    pub fn is_one_engine(&self) -> bool {
        matches!(self, Self::Direct { engines } if engines.len() == 1)
    }
}

/// What the tasks of a call share: stored once, however many they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallHead {
    /// What to do.
    pub work: Work,
    /// Where.
    pub placement: Placement,
    /// For people and queries, UTF-8.
    pub label: Bytes,
    /// What errors and logs call the work, UTF-8.
    pub name: Bytes,
    /// W3C traceparent where the caller's span is sampled, else empty.
    pub traceparent: Bytes,
    /// Reserved; anything but "" is refused.
    pub namespace: Bytes,
    /// Higher goes first.
    pub priority: i32,
    /// The engine waits for the scheduler's yes before it starts a task.
    pub start_once: bool,
    /// How long a task may run.
    pub run_timeout: Option<Duration>,
}

impl CallHead {
    /// Work at a place, and nothing else said about it.
    #[must_use]
    pub fn new(work: Work, placement: Placement) -> Self {
        Self {
            work,
            placement,
            label: Bytes::new(),
            name: Bytes::new(),
            traceparent: Bytes::new(),
            namespace: Bytes::new(),
            priority: 0,
            start_once: false,
            run_timeout: None,
        }
    }
}

/// One call: a task, a broadcast, a scatter or a stretch of a map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Index of its first task.
    pub first_index: u64,
    /// What its tasks share.
    pub head: Arc<CallHead>,
    /// Direct: one for all engines or one an engine. Balanced: one a task. Execute: none.
    pub arguments: Vec<Payload>,
}

impl Call {
    /// How many tasks the call is, and so how many indexes it takes.
    #[must_use]
    pub fn tasks(&self) -> u64 {
        match (&self.head.placement, &self.head.work) {
            (Placement::Direct { engines }, _) => engines.len() as u64,
            (Placement::Balanced { .. }, Work::Execute { .. }) => 1,
            (Placement::Balanced { .. }, Work::Function(_)) => self.arguments.len() as u64,
        }
    }

    /// Bytes that it brings: what credit counts.
    #[must_use]
    pub fn inline_size(&self) -> u64 {
        let code = if let Work::Execute { source, .. } = &self.head.work { source.len() as u64 } else { 0 };
        code + self.arguments.iter().map(Payload::inline_size).sum::<u64>()
    }

    /// The argument of the `nth` task; empty for code.
    #[must_use]
    pub fn argument(&self, nth: usize) -> Payload {
        let shared = self.arguments.len() == 1;
        self.arguments.get(if shared { 0 } else { nth }).cloned().unwrap_or_default()
    }

    fn keeps_blobs(&self) -> bool {
        self.arguments.iter().flat_map(Payload::blobs).any(|blob| blob.kept)
    }

    /// Why the call cannot be taken, if it cannot: the number of its arguments does not fit its placement.
    ///
    /// # Errors
    /// A sentence that names the rule.
    pub fn check(&self) -> Result<(), &'static str> {
        if !self.head.namespace.is_empty() {
            return Err("namespaces are not built yet: leave `namespace` empty");
        }
        if let Placement::Balanced { labels, .. } = &self.head.placement {
            if labels.len() > LABELS {
                return Err("a call asks for at most 16 labels");
            }
            if labels.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > LABEL_BYTES {
                return Err("the labels that a call asks for have at most 1024 bytes, keys and values together");
            }
        }
        let arguments = self.arguments.len();
        match (&self.head.placement, &self.head.work) {
            (Placement::Direct { engines }, _) if engines.is_empty() => Err("a direct call names no engine"),
            (_, Work::Execute { .. }) if arguments != 0 => Err("a call that executes code takes no arguments"),
            (_, Work::Execute { .. }) => Ok(()),
            (Placement::Direct { engines }, _) if arguments != 1 && arguments != engines.len() => {
                Err("a direct call takes one argument for all engines or one an engine")
            }
            (Placement::Balanced { .. }, _) if arguments == 0 => Err("a balanced call has no argument and so no task"),
            (placement, _) if self.keeps_blobs() && !placement.is_one_engine() => {
                Err("blobs can be kept by the client for a call to one engine only: others go into the store")
            }
            _ => Ok(()),
        }
    }
}
