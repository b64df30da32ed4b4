//! A thread with a runtime of its own, for work that is to delay nothing else.

use std::{
    io,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::runtime::{Builder, Handle};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};
use tracing::Instrument as _;

use crate::spawn::Task;

/// A running thread. Dropping it ends the thread and every task on it.
#[derive(Debug)]
pub struct RuntimeThread {
    handle: Handle,
    stop: Option<DropGuard>,
    thread: Option<JoinHandle<()>>,
}

/// Starts tasks on the thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spawner(Handle);

impl RuntimeThread {
    /// Starts a thread of this name, with at most so many others beside it that wait for the system: for the disk, or for
    /// the address of a name. When it ends it waits for these for `patience`.
    ///
    /// # Errors
    /// If the system has no thread or no descriptors left.
    pub fn start(name: &str, blocking_threads: usize, patience: Duration) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(blocking_threads).build()?;
        let handle = runtime.handle().clone();
        let stopped = CancellationToken::new();
        let stop = Some(stopped.clone().drop_guard());
        let run = move || {
            runtime.block_on(stopped.cancelled());
            runtime.shutdown_timeout(patience);
        };
        let thread = Some(thread::Builder::new().name(name.to_owned()).spawn(run)?);
        Ok(Self { handle, stop, thread })
    }

    /// For starting tasks from elsewhere.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        Spawner(self.handle.clone())
    }

    /// Runs `future` on the thread for as long as the handle lives.
    #[must_use = "dropping the handle ends the task"]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.spawner().spawn(future)
    }
}

impl Spawner {
    /// For starting tasks on the runtime that calls.
    #[must_use]
    pub fn here() -> Self {
        Self(Handle::current())
    }

    /// Runs `future` on the thread for as long as the handle lives.
    #[must_use = "dropping the handle ends the task"]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        #[allow(clippy::disallowed_methods, reason = "on the other thread, and ended with its handle")]
        AbortOnDropHandle::new(self.0.spawn(future.in_current_span()))
    }

    /// Runs `future` on the thread until it is over, or the thread is.
    pub fn spawn_detached<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        #[allow(clippy::disallowed_methods, reason = "on the other thread, and ended with it")]
        drop(self.0.spawn(future.in_current_span()));
    }

    /// Runs what waits for the system, on one of the threads beside it.
    pub fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) {
        drop(self.0.spawn_blocking(work));
    }
}

impl Drop for RuntimeThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It has panicked if this fails, and has said so itself.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
