//! What runs tasks: the seam between the session, which speaks to the cluster, and an interpreter, which does not.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use paraply_core::{
    engine_session::RunTask,
    id::{AttemptId, EngineId},
    outcome::{Outcome, Output},
};
use tokio::sync::Notify;

/// Runs claimed tasks, one after the other. Called from the session's thread, so nothing here may block.
pub trait Runtime: Send + Sync + 'static {
    /// Takes a batch, every blob of it in place. The runtime reports each task's outcome once, and then that it is idle.
    fn run(&self, batch: Vec<RunTask>);

    /// Interrupts user code if it is this attempt that runs, and does nothing otherwise.
    fn interrupt(&self, attempt: AttemptId);

    /// The engine has its id, which it keeps.
    fn registered(&self, engine: EngineId);

    /// The controller passes on a SIGINT that a client has sent: the running task is to stop, whichever it is. False if that
    /// is what the signal itself does here.
    fn interrupt_running(&self) -> bool {
        false
    }

    /// Bytes of each output stream that are kept for one task from now on.
    fn limit_output(&self, bytes: u64);
}

/// Large bytes of a result that are where the task left them until another could change them: most are read before that,
/// and never copied as a whole. Called from the session's thread.
pub trait Lent: fmt::Debug + Send + Sync + 'static {
    /// How many.
    fn size(&self) -> usize;

    /// A copy of some; None once they were let go.
    fn piece(&self, range: Range<usize>) -> Option<Bytes>;

    /// Nobody reads them any more.
    fn let_go(&self);
}

/// What became of a task.
#[derive(Debug)]
pub struct Finished {
    /// Which.
    pub attempt: AttemptId,
    /// Its payload holds all its bytes but those that are lent. The session keeps what is large, or moves it to the store.
    pub outcome: Box<Outcome>,
    /// Bytes that are lent.
    pub lent: Vec<LentBuffer>,
}

impl Finished {
    /// With nothing lent.
    #[must_use]
    pub fn new(attempt: AttemptId, outcome: Outcome) -> Self {
        Self { attempt, outcome: Box::new(outcome), lent: Vec::new() }
    }
}

/// Bytes that are lent, in place of a buffer of a result's payload.
#[derive(Debug)]
pub struct LentBuffer {
    /// Which of them; there it has nothing in it.
    pub position: usize,
    /// Its bytes.
    pub bytes: Arc<dyn Lent>,
}

/// What a runtime says.
#[derive(Debug)]
pub enum Report {
    /// A task wrote something.
    Output(AttemptId, Output),
    /// A task ended.
    Finished(Finished),
    /// There is nothing left to run.
    Idle,
}

/// The runtime's end of the way back. Any thread may report.
#[derive(Clone, Debug)]
pub struct Reporter(Arc<Mailbox>);

/// The session's end.
#[derive(Debug)]
pub struct Reports(Arc<Mailbox>);

#[derive(Debug, Default)]
struct Mailbox {
    // Bounded by what feeds it: one outcome a claimed task, and output up to each task's limit.
    reports: Mutex<Vec<Report>>,
    arrived: Notify,
}

/// Both ends of a new way back.
#[must_use]
pub fn reports() -> (Reporter, Reports) {
    let mailbox = Arc::new(Mailbox::default());
    (Reporter(Arc::clone(&mailbox)), Reports(mailbox))
}

impl Reporter {
    /// Leaves a report without waking the session: it is read with the next one that does, or when the session looks.
    pub fn leave(&self, report: Report) {
        self.0.reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
    }

    /// Leaves a report and wakes the session.
    pub fn send(&self, report: Report) {
        self.leave(report);
        self.0.arrived.notify_one();
    }

    /// Wakes the session for what was left.
    pub fn wake(&self) {
        self.0.arrived.notify_one();
    }
}

impl Reports {
    /// Waits until something was sent. Cancel-safe.
    pub async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    /// Takes all that was left and sent, in order.
    pub fn take(&self, into: &mut Vec<Report>) {
        into.append(&mut self.0.reports.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
