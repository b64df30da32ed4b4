//! Lease, limits, and what the machine can do.

use std::time::Duration;

use super::autoscale::Autoscale;
use crate::transitions::transitions;

/// Lease and limits. None is a constant of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// How long a member may be silent.
    pub lease: Duration,
    /// How long a new engine waits for a scheduler to register.
    pub scheduler_wait: Duration,
    /// How many wait at the most.
    pub waiting_engines: usize,
    /// How many engines may hold a lease.
    pub engines: usize,
    /// Bytes that a member may say of itself.
    pub description_bytes: usize,
    /// A snapshot is cut at about this size, in bytes.
    pub message_bytes: usize,
    /// How far above the ids given an engine may wish.
    pub id_reach: u32,
    /// How many engines a scheduler may report.
    pub reported_engines: usize,
    /// How long there has to be nothing to do, for an engine or for the cluster, until it is idle.
    pub idle: Duration,
    /// Engines come and go as there is work for them. Without it, their number is what somebody says.
    pub autoscale: Option<Autoscale>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            scheduler_wait: Duration::from_secs(10),
            waiting_engines: 4096,
            engines: 1 << 16,
            description_bytes: 16 << 10,
            message_bytes: 512 << 10,
            id_reach: 1 << 16,
            reported_engines: 1 << 16,
            idle: Duration::from_secs(60),
            autoscale: None,
        }
    }
}

transitions!(
    /// What membership can do.
    Transition {
        EngineRegistered,
        EngineGotItsWish,
        EngineCameBack,
        EngineRepeated,
        EngineWaited,
        EngineWaitedInVain,
        EngineLeft,
        EngineLeaseRanOut,
        EngineLost,
        EngineAttached,
        RegistrationRefused,
        RemovalOrdered,
        DrainOrdered,
        Scaled,
        AskedForMore,
        LetIdleGo,
        Signalled,
        SchedulerRegistered,
        SchedulerRepeated,
        SchedulerSuperseded,
        SchedulerLeaseRanOut,
        SchedulerLeft,
        StreamOpened,
        StreamWithoutLease,
        StreamReplaced,
        StreamBroke,
        WatchOpened,
        AnswersMerged,
    }
);
