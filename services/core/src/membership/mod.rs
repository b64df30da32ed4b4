//! Who is in the cluster: engines with their ids and leases, the scheduler and where it is, and who wants to know.
//!
//! The shell gives stimuli, calls [`Membership::flush`], carries out the instructions in their order, and comes back
//! with [`Stimulus::Tick`] at [`Membership::next_timeout`].
//!
//! **Ids.** An engine's id is never given twice while the cluster lives. New ids count up from 0. An engine may wish for
//! an id (an MPI rank) and gets it if it was never given; one that comes back with a ticket for its id, which the shell
//! has checked, gets that id again. Before an id is answered, `Persist` says up to where ids were given. A machine that
//! was not told so at its start does not know: new engines wait until a scheduler has registered, which has seen them.
//!
//! **Leases.** A member that is silent for a lease is gone. An engine that the scheduler has lost and that has no stream
//! here either is gone at once. A new scheduler process takes over from the one before, which is told to exit.
//!
//! **Streams.** Each has a line, free at first; an instruction with a message occupies it until `LineFree`; what becomes
//! due meanwhile goes into the next. A watcher gets a snapshot, then the latest state of one changed engine at a time:
//! what it missed in between is not queued, so a slow watcher costs no more than the engines it knows of. `Close` ends a
//! stream after the messages already given; the shell gives nothing more of it.
//!
//! **Scale.** `Scale` says how many engines there are to be. Those too many are drained here, idle ones first: an engine
//! that drains finishes what it has claimed, and leaves. Those too few are for watchers that launch engines, who hear of it
//! after all that changed before. With `Config::autoscale` it scales itself, by the loads and the queue that the scheduler
//! reports.

mod autoscale;
mod config;
mod demand;
mod endpoint;
mod ids;
mod invariants;
mod keep_alive;
mod machine;
mod message;
mod registration;
mod scale;
mod scheduler;
#[cfg(test)]
mod tests;
mod view;
mod watch;

pub use autoscale::Autoscale;
pub use config::{Config, Transition};
pub use demand::Demand;
pub use endpoint::Endpoint;
pub use machine::Membership;
pub use message::{
    CloseReason, Grant, Instruction, KeepAliveAnswer, NewEngine, NewScheduler, Refusal, RequestId, SchedulerReport,
    Stimulus, WatchEvent, WatchKind,
};
pub use view::{EngineLoad, EngineState, EngineStatus, Page, PageLimit, SchedulerInfo};
