//! What a running function can ask and say.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use paraply_common::portable;
use paraply_core::{
    id::{AttemptId, EngineId},
    outcome::OutputKind,
};
use serde::Serialize;
use tokio::sync::Notify;

use crate::{
    output::{RecordError, Std, TaskOutput, Written},
    runtime::Reporter,
};

/// The task that a function runs for: whether it was cancelled, and a way to show how far it is. Cheap to clone. A function
/// that takes one as its first argument gets it.
///
/// ```
/// use paraply_engine::native::{Cancelled, Context};
///
/// fn count(context: Context, up_to: u64) -> Result<u64, Cancelled> {
///     for number in 0..up_to {
///         context.check()?;
///         if number % 1_000_000 == 0 {
///             context.progress(number as f64 / up_to as f64);
///         }
///     }
///     Ok(up_to)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Context(Arc<Running>);

#[derive(Debug)]
struct Running {
    attempt: AttemptId,
    engine: EngineId,
    cancelled: AtomicBool,
    told: Notify,
    reporter: Reporter,
    output: Mutex<TaskOutput>,
}

/// Somebody has cancelled the task.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the task was cancelled")]
pub struct Cancelled;

/// A value could not be published.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It has something in it that no other language reads.
    #[error("{0}")]
    NotPortable(String),
    /// It is too much.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Context {
    pub(super) fn new(attempt: AttemptId, engine: EngineId, reporter: Reporter, limit: u64) -> Self {
        let mut output = TaskOutput::new(reporter.clone(), limit);
        output.begin(attempt);
        let (cancelled, told, output) = (AtomicBool::new(false), Notify::new(), Mutex::new(output));
        Self(Arc::new(Running { attempt, engine, cancelled, told, reporter, output }))
    }

    /// Whether somebody has cancelled the task, or its time is over. A function that goes on is left alone, unless its
    /// client has said how long it may take to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(SeqCst)
    }

    /// For `?`: ends the function where the task was cancelled.
    ///
    /// # Errors
    /// If it was.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// Resolves when the task is cancelled. An async function is ended then at its next await, and needs this only where it
    /// has something to put in order.
    pub async fn cancelled(&self) {
        let told = self.0.told.notified();
        tokio::pin!(told);
        // Listening first: what comes between the look and the wait is heard.
        told.as_mut().enable();
        if !self.is_cancelled() {
            told.await;
        }
    }

    /// Shows how far the task is, from 0 to 1: `ar.data["progress"]` in Python. No more of it gets lost than what is over
    /// the cluster's limit on output.
    pub fn progress(&self, done: f64) {
        let _over_the_limit = self.publish(&std::collections::BTreeMap::from([("progress", done)]));
    }

    /// Sends a struct or a map to the client while the task runs: `ar.data` in Python, merged by key.
    ///
    /// # Errors
    /// If it has no portable form, is over 512 KiB, or the task has sent as much as it may.
    pub fn publish<T: Serialize + ?Sized>(&self, values: &T) -> Result<(), PublishError> {
        let payload = portable::encode(values).map_err(|error| PublishError::NotPortable(error.to_string()))?;
        if !payload.buffers.is_empty() {
            return Err(PublishError::NotPortable("arrays cannot be published: return them".into()));
        }
        Ok(self.output().record(OutputKind::PublishedPortable, payload.data)?)
    }

    /// Where to write what is to be the task's standard output. What a function prints is the process's.
    ///
    /// ```
    /// use std::io::Write as _;
    ///
    /// fn greet(context: paraply_engine::native::Context, name: String) {
    ///     let _shown = writeln!(context.stdout(), "hello {name}");
    /// }
    /// ```
    #[must_use]
    pub fn stdout(&self) -> impl io::Write + fmt::Debug + use<> {
        Writer(self.clone(), Std::Out)
    }

    /// The same for standard error.
    #[must_use]
    pub fn stderr(&self) -> impl io::Write + fmt::Debug + use<> {
        Writer(self.clone(), Std::Err)
    }

    /// The engine that the function runs in.
    #[must_use]
    pub fn engine_id(&self) -> u32 {
        self.0.engine.0
    }

    /// Which run of the task this is, from 1. More than 1: an earlier one was lost on its way, or failed.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt.attempt
    }

    pub(super) fn id(&self) -> AttemptId {
        self.0.attempt
    }

    pub(super) fn cancel(&self) {
        self.0.cancelled.store(true, SeqCst);
        self.0.told.notify_waiters();
    }

    /// The task is over: whoever has kept the context says nothing more.
    pub(super) fn finish(&self) -> Written {
        self.output().finish()
    }

    fn output(&self) -> MutexGuard<'_, TaskOutput> {
        self.0.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Writer(Context, Std);

/// What one write takes.
const PIECE_BYTES: usize = 64 << 10;

impl io::Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let Self(context, std) = self;
        // More would not fit into a message.
        let data = &data[..data.len().min(PIECE_BYTES)];
        if !context.output().write(*std, data) {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the task is over"));
        }
        context.0.reporter.wake();
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
