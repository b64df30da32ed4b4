//! The main thread: waits for batches and signals, runs tasks one after the other, reports.

use std::{
    collections::{HashMap, VecDeque},
    io,
    time::Duration,
};

use bytes::Bytes;
use paraply_common::{clock, fork, telemetry::TraceParent};
use paraply_core::{
    call::Work,
    engine_session::RunTask,
    id::Digest,
    outcome::{Failure, FailureKind, Outcome},
    payload::Payload,
    time::Time,
};
use paraply_engine::{Finished, LentBuffer, Report};
use pyo3::{
    exceptions::PyKeyboardInterrupt,
    intern,
    prelude::*,
    types::{PyString, PyType},
};

use crate::{
    bell::SignalsHeld,
    convert,
    interrupts::Interrupts,
    process,
    runtime::{Claimed, Next, PythonRuntime},
};

/// Functions kept ready to be called.
const PREPARED: usize = 512;

/// Outcomes of a batch may wait this long for the next ones before the session is told.
const TOGETHER: Duration = Duration::from_micros(300);

/// The loop and what it keeps between tasks.
pub(crate) struct Server<'a, 'py> {
    py: Python<'py>,
    runtime: &'a PythonRuntime,
    runner: &'a Bound<'py, PyAny>,
    prepared: HashMap<Digest, Py<PyAny>>,
    /// The same digests, oldest first.
    order: VecDeque<Digest>,
    /// The class of failures that the runner returns.
    failure: Bound<'py, PyType>,
    sys: Bound<'py, PyModule>,
    interrupts: Interrupts<'py>,
    /// Counts threads of Python other than the main one.
    count_threads: Bound<'py, PyAny>,
    /// When the session was last woken for an outcome.
    told: Time,
}

impl<'a, 'py> Server<'a, 'py> {
    pub(crate) fn new(runtime: &'a PythonRuntime, runner: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        let py = runner.py();
        let failure = runner.getattr("failure_class")?.cast_into()?;
        let (prepared, order) = (HashMap::new(), VecDeque::new());
        let (sys, interrupts) = (py.import("sys")?, Interrupts::new(py)?);
        let (count_threads, told) = (py.import("_thread")?.getattr("_count")?, clock::now());
        Ok(Self { py, runtime, runner, prepared, order, failure, sys, interrupts, count_threads, told })
    }

    /// Runs until the session says to exit; returns the exit status.
    pub(crate) fn run(&mut self) -> i32 {
        loop {
            // A signal that came between two tasks is not the next one's.
            self.handle_signals();
            self.runtime.loans.clear(self.py);
            if self.runtime.has_next() {
                // Before it counts as running: an interrupt that comes meanwhile cancels it where it waits.
                self.runtime.loans.call_in(self.py);
            }
            let (next, last) = self.runtime.next();
            match next {
                Next::Exit(code) => return code,
                Next::Wait => {
                    if let Err(error) = self.wait() {
                        tracing::error!(%error, "user code has closed the engine's descriptors: the engine ends");
                        return 1;
                    }
                    self.told = clock::now();
                }
                Next::Run(task, claimed) => {
                    // It may have come since.
                    self.runtime.loans.call_in(self.py);
                    let finished = self.run_task(*task, claimed);
                    self.report(finished, last);
                }
                Next::Cancel(attempt) => {
                    let message = "interrupted before it started".into();
                    let outcome = Outcome::failed(FailureKind::Cancelled, "KeyboardInterrupt", message, None);
                    self.report(Finished::new(attempt, outcome), last);
                }
            }
        }
    }

    /// Hands an outcome over. The session is woken for the last of a batch, and before that when it has not heard of
    /// one for a while.
    fn report(&mut self, finished: Finished, last: bool) {
        self.runtime.reporter.leave(Report::Finished(finished));
        if last {
            self.runtime.reporter.send(Report::Idle);
            return;
        }
        let now = clock::now();
        if now.since(self.told) >= TOGETHER {
            self.runtime.reporter.wake();
            self.told = now;
        }
    }

    /// Until the bell rings or a signal came. Handlers of signals run; a SIGINT to an idle engine does nothing.
    fn wait(&self) -> io::Result<()> {
        let held = SignalsHeld::new();
        self.handle_signals();
        let waited = self.py.detach(|| self.runtime.bell.wait(&held));
        drop(held);
        self.handle_signals();
        waited
    }

    fn handle_signals(&self) {
        if let Err(error) = self.py.check_signals()
            && !error.is_instance_of::<PyKeyboardInterrupt>(self.py)
        {
            error.write_unraisable(self.py, None);
        }
    }

    fn run_task(&mut self, task: RunTask, claimed_unix_nanos: Claimed) -> Finished {
        let attempt = task.attempt;
        let started_unix_nanos = clock::unix_nanos();
        self.runtime.capture.begin(task.attempt);
        let span = span(&task);
        let called = self.enter_span(span).and_then(|()| self.call(task));
        let (mut value, lent) = match called {
            Ok(Ok((payload, lent))) => (Ok(payload), lent),
            Ok(Err(failure)) => (Err(failure), Vec::new()),
            Err(error) => (Err(convert::escaped(self.py, &error)), Vec::new()),
        };
        self.flush();
        if fork::is_child() {
            // The task forked and its child came back here: it has nothing to do in an engine. One that failed has
            // said so and ended before, unless the saying failed.
            process::leave(value.is_err().into());
        }
        if self.runtime.leave() {
            self.handle_signals();
            if let Err(failure) = &mut value
                && failure.type_name == "KeyboardInterrupt"
            {
                failure.kind = FailureKind::Cancelled;
            }
        }
        if span.is_some() {
            self.leave_span();
        }
        // Before the next task begins, and with it the time in which it may be interrupted.
        self.interrupts.restore();
        let written = self.runtime.capture.finish();
        let outcome = Outcome {
            value: value.map_err(Box::new),
            claimed_unix_nanos,
            started_unix_nanos,
            finished_unix_nanos: clock::unix_nanos(),
            stdout_bytes: written.stdout,
            stderr_bytes: written.stderr,
            records: written.records,
        };
        Finished { attempt, outcome: Box::new(outcome), lent }
    }

    fn call(&mut self, task: RunTask) -> PyResult<Result<(Payload, Vec<LentBuffer>), Failure>> {
        let py = self.py;
        let answer = match &task.head.work {
            Work::Execute { source, silent, filename } => {
                let text = |bytes: &[u8]| PyString::new(py, &String::from_utf8_lossy(bytes));
                self.runner.call_method1(intern!(py, "execute"), (text(source), *silent, text(filename)))?
            }
            Work::Function(digest) => {
                let prepared = match self.prepared.get(digest) {
                    Some(prepared) => prepared.bind(py).clone(),
                    None => match self.prepare(*digest, &task)? {
                        Ok(prepared) => prepared,
                        Err(failure) => return Ok(Err(failure)),
                    },
                };
                let (encoding, received, version) = convert::fields(py, task.arguments)?;
                self.runner.call_method1(intern!(py, "call"), (prepared, encoding, received, version))?
            }
        };
        if answer.get_type().is(&self.failure) {
            convert::failure(&answer).map(Err)
        } else {
            convert::result(&answer, &self.runtime.loans, || self.may_lend()).map(Ok)
        }
    }

    /// Whether no user code runs before the result has gone, as far as can be seen: no other thread of Python can, and
    /// nothing waits for this one.
    fn may_lend(&self) -> bool {
        // A forked child has the locks as they were.
        !fork::is_child()
            && !self.runtime.has_next()
            && self.count_threads.call0().and_then(|count| count.extract::<usize>()).is_ok_and(|count| count == 0)
    }

    /// What user code does from here on belongs to the span, if there is one.
    fn enter_span(&self, span: Option<TraceParent>) -> PyResult<()> {
        match span {
            Some(span) => self.runner.call_method1(intern!(self.py, "enter_span"), (span.to_string(),)).map(drop),
            None => Ok(()),
        }
    }

    /// And from here on no more. No interrupt comes any more: it is certain to be done.
    fn leave_span(&self) {
        if let Err(error) = self.runner.call_method0(intern!(self.py, "leave_span")) {
            tracing::warn!(%error, "a task's span stays current");
        }
    }

    fn prepare(&mut self, digest: Digest, task: &RunTask) -> PyResult<Result<Bound<'py, PyAny>, Failure>> {
        let py = self.py;
        let Some(function) = &task.function else {
            return Ok(Err(unknown_function(digest)));
        };
        let fields = convert::fields(py, function.payload.clone())?;
        let prepared = self.runner.call_method1(intern!(py, "prepare"), fields)?;
        if prepared.get_type().is(&self.failure) {
            return convert::failure(&prepared).map(Err);
        }
        if self.order.len() >= PREPARED
            && let Some(oldest) = self.order.pop_front()
        {
            self.prepared.remove(&oldest);
        }
        self.order.push_back(digest);
        self.prepared.insert(digest, prepared.clone().unbind());
        Ok(Ok(prepared))
    }

    /// What the task wrote leaves the buffers of Python and C. Streams that it took away are made anew.
    fn flush(&self) {
        let out = self.flush_stream(intern!(self.py, "stdout"), intern!(self.py, "__stdout__"));
        let err = self.flush_stream(intern!(self.py, "stderr"), intern!(self.py, "__stderr__"));
        if out.and(err).is_err() {
            // A task may have put anything there, and what it did to its output is its own affair: but for nothing.
            let _mended = self.runner.call_method0(intern!(self.py, "mend_streams"));
        }
        // SAFETY: C's stdout is valid. Only that stream: others may be locked by a thread that waits for input.
        unsafe { libc::fflush(c_stdout) };
    }

    fn flush_stream(&self, name: &Bound<'py, PyString>, original_name: &Bound<'py, PyString>) -> PyResult<()> {
        let flush = intern!(self.py, "flush");
        let stream = self.sys.getattr(name);
        let original = self.sys.getattr(original_name)?;
        if !stream.as_ref().is_ok_and(|stream| stream.is(&original)) {
            original.call_method0(flush)?;
        }
        stream?.call_method0(flush).map(drop)
    }
}

unsafe extern "C" {
    #[link_name = "stdout"]
    static c_stdout: *mut libc::FILE;
}

/// The span that user code's own are children of, where the task's client traces it.
fn span(task: &RunTask) -> Option<TraceParent> {
    if task.head.traceparent.is_empty() {
        return None;
    }
    let caller = TraceParent::sampled(&task.head.traceparent)?;
    Some(match task.span {
        None => caller,
        // Not recorded, and nor is what user code makes of it.
        Some(0) => TraceParent { sampled: false, ..caller },
        Some(span) => TraceParent { span, ..caller },
    })
}

fn unknown_function(digest: Digest) -> Failure {
    Failure {
        kind: FailureKind::Refused,
        type_name: "LookupError".into(),
        message: format!("the engine was not given the function {digest}").into(),
        traceback: Bytes::new(),
        exception: None,
        engine: None,
    }
}
