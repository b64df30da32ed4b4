//! What peers say: no-op tasks with a hundred bytes of arguments.

use std::sync::Arc;

use bytes::Bytes;
use paraply_core::{
    call::{Call, CallHead, Placement, Work},
    engine_link::{self, AssignedCall, AssignedTask, Orders, Reports, ToEngine},
    id::{AttemptId, Digest, TaskId},
    outcome::Outcome,
    payload::{Function, Payload},
    session_link::{Event, EventKind, ToClient, ToScheduler, Update},
};
use sha2::{Digest as _, Sha256};

use crate::stack::{ENGINE_ID, SESSION};

/// Bytes of the argument of a task, and of its result.
const ARGUMENT: usize = 100;
const RESULT: usize = 8;
/// Nanoseconds that a task takes, from when.
const TAKES: u64 = 10_000;
const STARTED: u64 = 1_700_000_000_000_000_000;

/// How tasks are called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Kind {
    /// A balanced call of many tasks, one a message.
    Map,
    /// Balanced calls of a task, many a message.
    Balanced,
    /// Direct calls of a task, many a message.
    Direct,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Map, Self::Balanced, Self::Direct];

    /// What the command line calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Balanced => "balanced",
            Self::Direct => "direct",
        }
    }

    fn head(self, function: &Function) -> Arc<CallHead> {
        let placement = match self {
            Self::Map | Self::Balanced => {
                Placement::Balanced { engines: Vec::new(), labels: Vec::new(), retries: 0, queue_timeout: None }
            }
            Self::Direct => Placement::Direct { engines: vec![ENGINE_ID] },
        };
        let work = Work::Function(function.digest);
        Arc::new(CallHead { name: Bytes::from_static(b"noop"), ..CallHead::new(work, placement) })
    }
}

/// A client submits so many tasks, from an index on.
#[must_use]
pub fn submit(kind: Kind, first_index: u64, tasks: u64) -> ToScheduler {
    let function = function();
    let head = kind.head(&function);
    let call = |first_index, tasks| Call {
        first_index,
        head: head.clone(),
        arguments: (0..tasks).map(|_| bytes(ARGUMENT)).collect(),
    };
    let calls = match kind {
        Kind::Map => vec![call(first_index, tasks)],
        Kind::Balanced | Kind::Direct => (first_index..first_index + tasks).map(|index| call(index, 1)).collect(),
    };
    ToScheduler::Submit { calls, functions: vec![function], ack: None }
}

/// An engine is told to run so many tasks of a map.
#[must_use]
pub fn orders(tasks: u64) -> ToEngine {
    let task = |index| AssignedTask {
        index,
        attempt: 1,
        claimed: false,
        arguments: bytes(ARGUMENT),
        expected: None,
        span: None,
    };
    let call = AssignedCall {
        head: Kind::Map.head(&function()),
        session: SESSION,
        direct: false,
        several: false,
        tasks: (0..tasks).map(task).collect(),
    };
    ToEngine::Orders(Orders { assigned: vec![call], ..Orders::default() })
}

/// An engine has finished so many tasks, the first ones of the session.
#[must_use]
pub fn reports(tasks: u64) -> engine_link::ToScheduler {
    let attempt = |index| AttemptId { task: TaskId { session: SESSION, index }, attempt: 1 };
    let finished = (0..tasks).map(|index| (attempt(index), outcome().into())).collect();
    engine_link::ToScheduler::Reports(Reports { finished, ..Reports::default() })
}

/// A client is told of so many results.
#[must_use]
pub fn update(tasks: u64) -> ToClient {
    let event = |index| Event {
        sequence: index + 1,
        kind: EventKind::Finished {
            index,
            attempt: 1,
            engine: Some(ENGINE_ID),
            accepted_unix_nanos: 1,
            outcome: Arc::new(outcome()),
        },
    };
    ToClient::Update(Update { events: (0..tasks).map(event).collect(), ..Update::default() })
}

/// A task ended well.
pub(crate) fn outcome() -> Outcome {
    Outcome {
        claimed_unix_nanos: 1,
        value: Ok(bytes(RESULT)),
        started_unix_nanos: STARTED,
        finished_unix_nanos: STARTED + TAKES,
        stdout_bytes: 0,
        stderr_bytes: 0,
        records: 0,
    }
}

fn function() -> Arc<Function> {
    let code = Bytes::from_static(b"f");
    let digest = Digest(Sha256::digest(&code).into());
    Arc::new(Function { digest, payload: Payload { data: code, ..Payload::default() }, name: Bytes::new() })
}

/// With an allocation of their own, as they are after decoding.
fn bytes(size: usize) -> Payload {
    Payload { data: Bytes::from(vec![1; size]), ..Payload::default() }
}
