//! The Python runtime as the session sees it: it hands over batches and interrupts, and never needs the interpreter.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use paraply_common::clock;
use paraply_core::{
    engine_session::RunTask,
    id::{AttemptId, EngineId},
};
use paraply_engine::{Reporter, Runtime};

use crate::{bell::Bell, loan::Loans, output::Capture};

/// What the main thread and the session share.
#[derive(Debug)]
pub(crate) struct PythonRuntime {
    pub(crate) bell: Arc<Bell>,
    pub(crate) loans: Arc<Loans>,
    pub(crate) capture: Arc<Capture>,
    pub(crate) reporter: Reporter,
    inbox: Mutex<Inbox>,
    running: Mutex<Option<Running>>,
    engine: OnceLock<EngineId>,
    main_thread: libc::pthread_t,
}

#[derive(Debug, Default)]
struct Inbox {
    // Bounded by the credit that the engine grants.
    tasks: VecDeque<Waiting>,
    exit: Option<i32>,
}

#[derive(Debug)]
struct Running {
    attempt: AttemptId,
    interrupted: bool,
}

/// When a task was claimed, nanoseconds since the Unix epoch.
pub(crate) type Claimed = u64;

#[derive(Debug)]
struct Waiting {
    task: RunTask,
    claimed: Claimed,
    cancelled: bool,
}

/// What the main thread is to do next.
#[derive(Debug)]
pub(crate) enum Next {
    Run(Box<RunTask>, Claimed),
    /// It was interrupted before it started.
    Cancel(AttemptId),
    Wait,
    Exit(i32),
}

impl PythonRuntime {
    /// For the thread that calls: user code runs on it and is interrupted there.
    pub(crate) fn new(capture: Arc<Capture>, reporter: Reporter) -> io::Result<Self> {
        // SAFETY: always succeeds.
        let main_thread = unsafe { libc::pthread_self() };
        let (inbox, running, engine) = (Mutex::default(), Mutex::default(), OnceLock::new());
        let bell = Arc::new(Bell::new()?);
        let loans = Loans::new(Arc::clone(&bell));
        Ok(Self { bell, loans, capture, reporter, inbox, running, engine, main_thread })
    }

    /// What there is to do, and whether it is the last of what was handed over. A task counts as running from here on.
    pub(crate) fn next(&self) -> (Next, bool) {
        let mut inbox = lock(&self.inbox);
        if let Some(code) = inbox.exit {
            return (Next::Exit(code), true);
        }
        let next = match inbox.tasks.pop_front() {
            Some(Waiting { task, cancelled: true, .. }) => Next::Cancel(task.attempt),
            Some(Waiting { task, claimed, cancelled: false }) => {
                // Marked before the inbox is let go: an interrupt finds the task either there or here.
                *lock(&self.running) = Some(Running { attempt: task.attempt, interrupted: false });
                Next::Run(Box::new(task), claimed)
            }
            None => Next::Wait,
        };
        (next, inbox.tasks.is_empty())
    }

    /// Whether something is to be run, or to be done, now.
    pub(crate) fn has_next(&self) -> bool {
        let inbox = lock(&self.inbox);
        inbox.exit.is_some() || !inbox.tasks.is_empty()
    }

    /// The main thread is to leave its loop once the task that runs, if one does, is over.
    pub(crate) fn exit(&self, code: i32) {
        lock(&self.inbox).exit.get_or_insert(code);
        self.bell.ring();
    }

    /// The running task is over. If this returns true a SIGINT was sent to it, and has been delivered by now.
    pub(crate) fn leave(&self) -> bool {
        let interrupted = lock(&self.running).take().is_some_and(|running| running.interrupted);
        if interrupted {
            // The signal was sent before the mark was cleared, so it is pending at the latest now; any system call
            // delivers it.
            rustix::thread::sched_yield();
        }
        interrupted
    }

    /// The engine's id, once it is registered.
    pub(crate) fn engine_id(&self) -> Option<u32> {
        self.engine.get().map(|engine| engine.0)
    }

    /// The attempt that runs.
    pub(crate) fn running(&self) -> Option<AttemptId> {
        lock(&self.running).as_ref().map(|running| running.attempt)
    }
}

impl Runtime for PythonRuntime {
    fn run(&self, batch: Vec<RunTask>) {
        let claimed = clock::unix_nanos();
        lock(&self.inbox).tasks.extend(batch.into_iter().map(|task| Waiting { task, claimed, cancelled: false }));
        self.bell.ring();
    }

    fn interrupt(&self, attempt: AttemptId) {
        if let Some(waiting) = lock(&self.inbox).tasks.iter_mut().find(|waiting| waiting.task.attempt == attempt) {
            waiting.cancelled = true;
            return;
        }
        let mut running = lock(&self.running);
        // The lock is held while the signal is sent: it cannot reach the next task.
        if let Some(running) = running.as_mut().filter(|running| running.attempt == attempt) {
            running.interrupted = true;
            // SAFETY: the main thread lives as long as the process.
            unsafe { libc::pthread_kill(self.main_thread, libc::SIGINT) };
        }
    }

    fn registered(&self, engine: EngineId) {
        let _same = self.engine.set(engine);
    }

    fn limit_output(&self, bytes: u64) {
        self.capture.limit(bytes);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
