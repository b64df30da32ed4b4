//! Everything that a supervisor reacts to.

use paraply_core::time::Time;
use rustix::process::Signal;
use tokio::sync::oneshot;

use super::{cluster::Stage, engines::SetNumber, service::Role};
use crate::control::{Reply, Request};

/// What comes from outside to a supervisor of any kind.
#[derive(Debug)]
pub(super) enum Outside {
    Asked(Request, oneshot::Sender<Reply>),
    /// A signal asks to stop; the text says which.
    Stop(&'static str),
    /// A signal that engines are to have.
    Relay(Signal),
    /// The process that wanted this cluster is gone.
    ParentGone,
}

#[derive(Debug)]
pub(super) enum Event {
    Outside(Outside),
    /// A request for an engine that had not joined when it came. It is answered now if it cannot wait any longer.
    AskedAgain {
        request: Request,
        reply: oneshot::Sender<Reply>,
        until: Time,
    },
    /// A service's process has ended and waits to be reaped.
    ServiceEnded(Role),
    /// The time to start a service again has come.
    StartService(Role),
    /// An engine's process, by its pid, has ended and waits to be reaped.
    EngineEnded(u32),
    /// The controller answers; what it knows of engines follows.
    ControllerAnswers,
    /// An engine takes tasks.
    EngineJoined {
        engine_id: u32,
        pid: u32,
    },
    /// An engine takes no new tasks, and ends when it has finished those it has.
    EngineDrains {
        pid: u32,
    },
    /// So many engines are to be there. Those that take tasks now: the pids of those on this machine, and how many are
    /// elsewhere.
    Scale {
        engines: u32,
        here: Vec<u32>,
        elsewhere: usize,
    },
    /// Engines of this set that have not joined by now hang.
    SetOverdue(SetNumber),
    /// Every engine that the cluster was started with has ended; the text says why.
    NoEngineRuns(String),
    /// What was asked to end at this stage has had its time.
    Overdue(Stage),
    /// These engines were asked to end and have had their time.
    EnginesOverdue(Vec<u32>),
}

impl From<Outside> for Event {
    fn from(outside: Outside) -> Self {
        Self::Outside(outside)
    }
}
