//! Rules that machines can be told to forget, to see that the simulation misses them. Only with the feature `mutants`:
//! without it no rule is ever forgotten, and the compiler knows.

macro_rules! mutants {
    ($($(#[$doc:meta])+ $name:ident),+ $(,)?) => {
        /// A rule to forget.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Mutant { $($(#[$doc])+ $name),+ }

        impl Mutant {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
            /// Those that only a peer which breaks its own rules puts to the test: for `tests/fuzz` to find.
            pub const HOSTILE: &'static [Self] =
                &[
                    Self::OverdraftTaken,
                    Self::EventTakenTwice,
                    Self::ReportedTwice,
                    Self::SignalsUnbounded,
                    Self::TransferUnchecked,
                    Self::ReaderForgotten,
                ];
        }
    };
}

mutants! {
    /// Scheduler: an outcome counts whoever reports it, and for whichever attempt.
    FenceUnchecked,
    /// Scheduler: a client is told that a call is accepted before the store has it.
    AcceptedBeforePersisted,
    /// Scheduler: an engine is told to forget an outcome before the store has it.
    AckedBeforePersisted,
    /// Scheduler: an unclaimed task of a lost engine is put into its queue twice.
    RequeuedTwice,
    /// Scheduler: what an engine says of its claims is not heard.
    ClaimForgotten,
    /// Scheduler: a replayed task is sent out though an engine of the earlier epoch may hold it.
    RecoveryNotAwaited,
    /// Scheduler: a task with labels runs on any engine.
    LabelsUnchecked,
    /// Scheduler: an engine that runs no Python is given what asks for no runtime.
    RuntimeUnchecked,
    /// Scheduler: an engine that comes is not given tasks whose labels were asked for before.
    LaterEngineUnmatched,
    /// Scheduler: a try that failed does not count.
    RetryUncounted,
    /// Scheduler: clients hear of failed tasks before they hear that the engine is gone.
    LossToldLate,
    /// Scheduler: a direct call whose bytes are here overtakes one to the same engine whose bytes are not.
    CallOvertaken,
    /// Scheduler: the outcome of a task that nobody has replayed yet is not kept.
    OrphanOutcomeDropped,
    /// Scheduler: a large argument is kept though no task names it.
    BlobLeaked,
    /// Scheduler: a client that came back is not asked again for bytes that it was asked for before.
    WantNotRepeated,
    /// Scheduler: an engine is not told that a part of a result is not wanted any more.
    ReleaseForgotten,
    /// Scheduler: parts of results stay at their engine however long their client is away.
    AwayNotNoticed,
    /// Scheduler: an engine is sent more than it has granted.
    EngineCreditUnchecked,
    /// Scheduler: an event that was sent is not sent again after a break.
    EventsNotRepeated,
    /// Scheduler: a task that was cancelled runs again where it may be retried.
    CancelForgotten,
    /// Engine: a task that has run for longer than it may is not interrupted.
    DeadlineForgotten,
    /// Engine: room that a finished task had is not granted again.
    CreditLeaked,
    /// Engine: a task that is to start once starts without the scheduler's yes.
    StartedUnasked,
    /// Engine: a task that it was told it has claimed is given back.
    ClaimedGivenBack,
    /// Engine: a task is claimed though bytes of its arguments are still on their way.
    StartedWithoutBytes,
    /// Engine: a call overtakes an earlier one of its session that waits for bytes.
    OvertookOwnCall,
    /// Engine: a part of a result is kept though its client has released it.
    KeptBlobLeaked,
    /// Engine: an outcome that a broken stream may have lost is not reported again.
    OutcomeNotRepeated,
    /// Engine: tasks beyond what was granted are taken.
    OverdraftTaken,
    /// Client: more is submitted than there is credit for.
    SubmitCreditUnchecked,
    /// Client: after a break it says that nothing is lost.
    SubmitNotRepeated,
    /// Client: an event that came before is taken again.
    EventTakenTwice,
    /// Scheduler: a task that is asked for twice is reported twice.
    ReportedTwice,
    /// Blob service: whoever knows the number of a transfer writes to its reader.
    TransferUnchecked,
    /// Scheduler: a reader whose keeper was asked, and is gone, is not answered.
    ReaderForgotten,
    /// Controller: any number of signals wait for an engine that is away.
    SignalsUnbounded,
    /// Controller: engines leave although then there are fewer than there are to be at the least.
    LeastUnchecked,
    /// Controller: an engine that has worked counts as idle since before.
    WorkForgotten,
    /// Controller: a wish for an id is granted though the id was given before.
    IdGivenTwice,
}

#[cfg(feature = "mutants")]
thread_local! {
    static FORGOTTEN: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// From here on the machines on this thread forget this rule, or none.
#[cfg(feature = "mutants")]
pub fn forget(mutant: Option<Mutant>) {
    FORGOTTEN.set(mutant);
}

/// Whether a rule is forgotten.
#[cfg(feature = "mutants")]
#[must_use]
pub fn forgets(mutant: Mutant) -> bool {
    FORGOTTEN.get() == Some(mutant)
}

/// Whether a rule is forgotten: none is.
#[cfg(not(feature = "mutants"))]
#[inline]
#[must_use]
pub const fn forgets(_mutant: Mutant) -> bool {
    false
}
