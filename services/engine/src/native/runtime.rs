//! The native runtime: functions of this process, one task after the other.
//!
//! What computes runs on threads that may block; async functions run on one thread that they share. A run of either kind is
//! handed over as a whole, so that short tasks cost no thread each.

use std::{
    any::Any,
    collections::VecDeque,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use futures_util::FutureExt as _;
use paraply_common::{clock, thread::Spawner};
use paraply_core::{
    call::Work,
    engine_session::RunTask,
    hash::HashMap,
    id::{AttemptId, Digest, EngineId},
    outcome::Outcome,
    time::Time,
};

use super::{
    context::Context,
    failed::Failed,
    function::{Answer, Erased},
};
use crate::runtime::{Finished, Report, Reporter, Runtime};

/// Outcomes of a batch may wait this long for the next ones before the session is told.
const TOGETHER: Duration = Duration::from_micros(300);

/// The functions of a process, by the digest that calls name them by.
pub(super) struct Functions {
    pub(super) by_digest: HashMap<Digest, Erased>,
    /// In the order in which they were given.
    pub(super) names: Vec<String>,
}

/// What one engine shares with whatever thread runs its tasks.
pub(super) struct NativeRuntime(Arc<Shared>);

struct Shared {
    functions: Arc<Functions>,
    threads: Spawner,
    reporter: Reporter,
    engine: OnceLock<EngineId>,
    output_bytes: AtomicU64,
    inbox: Mutex<Inbox>,
}

#[derive(Default)]
struct Inbox {
    // Bounded by the credit that the engine grants.
    tasks: VecDeque<Waiting>,
    running: Option<Context>,
    /// Somebody takes tasks out until there are none.
    driven: bool,
    /// When the session was last woken for an outcome.
    told: Time,
}

struct Waiting {
    task: RunTask,
    claimed_unix_nanos: u64,
    cancelled: bool,
}

/// A task that is about to run.
struct Started {
    task: RunTask,
    function: Result<Erased, Failed>,
    context: Context,
    claimed_unix_nanos: u64,
}

impl NativeRuntime {
    pub(super) fn new(functions: Arc<Functions>, threads: Spawner, reporter: Reporter, output_bytes: u64) -> Self {
        let (engine, inbox) = (OnceLock::new(), Mutex::default());
        let output_bytes = AtomicU64::new(output_bytes);
        Self(Arc::new(Shared { functions, threads, reporter, engine, output_bytes, inbox }))
    }
}

impl Runtime for NativeRuntime {
    fn run(&self, batch: Vec<RunTask>) {
        let claimed_unix_nanos = clock::unix_nanos();
        let mut inbox = self.0.lock();
        inbox.tasks.extend(batch.into_iter().map(|task| Waiting { task, claimed_unix_nanos, cancelled: false }));
        if !std::mem::replace(&mut inbox.driven, true) {
            inbox.told = clock::now();
            drop(inbox);
            self.0.start();
        }
    }

    fn interrupt(&self, attempt: AttemptId) {
        let mut inbox = self.0.lock();
        if let Some(waiting) = inbox.tasks.iter_mut().find(|waiting| waiting.task.attempt == attempt) {
            waiting.cancelled = true;
        } else if let Some(running) = inbox.running.as_ref().filter(|running| running.id() == attempt) {
            running.cancel();
        }
    }

    fn registered(&self, engine: EngineId) {
        let _same = self.0.engine.set(engine);
    }

    fn limit_output(&self, bytes: u64) {
        self.0.output_bytes.store(bytes, Relaxed);
    }

    fn interrupt_running(&self) -> bool {
        self.0.lock().running.iter().for_each(Context::cancel);
        true
    }
}

impl Shared {
    /// Runs what waits, on the kind of thread that its first task needs.
    fn start(self: &Arc<Self>) {
        if let Some(first) = self.next() {
            self.hand_over(first);
        }
    }

    fn hand_over(self: &Arc<Self>, first: Started) {
        let shared = Arc::clone(self);
        if matches!(first.function, Ok(Erased::Async(_))) {
            self.threads.spawn_detached(shared.drive_async(first));
        } else {
            self.threads.spawn_blocking(move || shared.drive_blocking(first));
        }
    }

    fn drive_blocking(self: Arc<Self>, first: Started) {
        let mut next = Some(first);
        while let Some(started) = next.take() {
            let (begun, arguments) = (clock::unix_nanos(), &started.task.arguments);
            let answer = match &started.function {
                // It has waited for a thread.
                Ok(_) if started.context.is_cancelled() => Err(Failed::cancelled()),
                Ok(Erased::Blocking(function)) => {
                    let called = catch_unwind(AssertUnwindSafe(|| function(started.context.clone(), arguments)));
                    called.unwrap_or_else(|panic| Err(panicked(panic)))
                }
                Ok(Erased::Async(_)) => return self.hand_over(started),
                Err(failed) => Err(failed.clone()),
            };
            next = self.finished(&started, begun, answer);
        }
    }

    async fn drive_async(self: Arc<Self>, first: Started) {
        let mut next = Some(first);
        while let Some(started) = next.take() {
            let Ok(Erased::Async(function)) = &started.function else { return self.hand_over(started) };
            let begun = clock::unix_nanos();
            let called = async { function(started.context.clone(), &started.task.arguments).await };
            let mut called = pin!(Some(AssertUnwindSafe(called).catch_unwind()));
            let over = tokio::select! {
                biased;
                answer = poll_fn(|cx| called.as_mut().as_pin_mut().map_or(Poll::Pending, |call| call.poll(cx))) => answer.map(Some),
                () = started.context.cancelled() => Ok(None),
            };
            // One that was cancelled is dropped where it waits, and its destructors are the user's code too.
            let dropped = catch_unwind(AssertUnwindSafe(|| called.set(None)));
            let answer = match (over, dropped) {
                (Ok(answer), Ok(())) => answer.unwrap_or_else(|| Err(Failed::cancelled())),
                (Err(panic), Ok(())) | (Ok(_), Err(panic)) => Err(panicked(panic)),
                (Err(first), Err(second)) => {
                    let _same_task = panicked(second);
                    Err(panicked(first))
                }
            };
            next = self.finished(&started, begun, answer);
            // Others share the thread.
            tokio::task::yield_now().await;
        }
    }

    /// Reports a task, and takes the next one.
    fn finished(&self, started: &Started, started_unix_nanos: u64, answer: Answer) -> Option<Started> {
        let written = started.context.finish();
        let value = answer.map_err(|failed| {
            // Nobody can interrupt it any more once it is not the running one: asked for before that.
            if started.context.is_cancelled() { failed.because_cancelled() } else { failed }.failure()
        });
        let outcome = Outcome {
            value,
            claimed_unix_nanos: started.claimed_unix_nanos,
            started_unix_nanos,
            finished_unix_nanos: clock::unix_nanos(),
            stdout_bytes: written.stdout,
            stderr_bytes: written.stderr,
            records: written.records,
        };
        self.reporter.leave(Report::Finished(Finished::new(started.task.attempt, outcome)));
        self.next()
    }

    /// The next task, which counts as running from here on. The session hears when there is none, and now and then before.
    fn next(&self) -> Option<Started> {
        let mut inbox = self.lock();
        inbox.running = None;
        let Some(Waiting { task, claimed_unix_nanos, cancelled }) = inbox.tasks.pop_front() else {
            inbox.driven = false;
            // Before anybody can give it more to do.
            self.reporter.send(Report::Idle);
            return None;
        };
        let now = clock::now();
        if now.since(inbox.told) >= TOGETHER {
            self.reporter.wake();
            inbox.told = now;
        }
        let engine = self.engine.get().copied().unwrap_or(EngineId(0));
        let context = Context::new(task.attempt, engine, self.reporter.clone(), self.output_bytes.load(Relaxed));
        inbox.running = Some(context.clone());
        drop(inbox);
        let function = if cancelled { Err(Failed::cancelled()) } else { self.function(&task) };
        Some(Started { task, function, context, claimed_unix_nanos })
    }

    fn function(&self, task: &RunTask) -> Result<Erased, Failed> {
        let unknown = |what: &str| {
            let known: Vec<&str> = self.functions.names.iter().map(String::as_str).collect();
            Err(Failed::unknown(what, &known))
        };
        let Work::Function(digest) = &task.head.work else { return unknown("code") };
        match self.functions.by_digest.get(digest) {
            Some(function) => Ok(function.clone()),
            None => {
                let text = task.function.as_ref().map(|function| String::from_utf8_lossy(&function.payload.data));
                let native = text.filter(|text| text.starts_with(':'));
                unknown(native.as_deref().unwrap_or(&String::from_utf8_lossy(&task.head.name)))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a panic carries may panic itself when it is dropped: it is forgotten, once its words are read.
fn panicked(panic: Box<dyn Any + Send>) -> Failed {
    let failed = Failed::panicked(&*panic);
    std::mem::forget(panic);
    failed
}
