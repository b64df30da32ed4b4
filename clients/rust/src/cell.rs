//! What is known of one task, shared by its handle and the session.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use paraply_core::outcome::Outcome;

use crate::{error::Error, output::Output};

/// One task.
#[derive(Debug)]
pub(crate) struct Cell {
    /// Its index in the session.
    pub(crate) index: u64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    engine: Option<u32>,
    attempt: u32,
    /// What it wrote and nobody has read. Bounded by the scheduler's limit of output a task.
    output: VecDeque<Output>,
    end: End,
    /// Its handle is gone: nobody will read what comes.
    abandoned: bool,
    waiting: Option<Waker>,
    /// Of each stream of its output that waits.
    reading: Vec<Waker>,
}

#[derive(Debug, Default)]
enum End {
    #[default]
    Open,
    Here(Result<Arc<Outcome>, Error>),
    Taken,
}

impl Cell {
    pub(crate) fn new(index: u64, engine: Option<u32>) -> Arc<Self> {
        Arc::new(Self { index, known: Mutex::new(Known { engine, ..Known::default() }) })
    }

    /// One of a task that never was.
    pub(crate) fn failed(error: Error) -> Arc<Self> {
        let known = Known { end: End::Here(Err(error)), ..Known::default() };
        Arc::new(Self { index: u64::MAX, known: Mutex::new(known) })
    }

    // For the session.

    pub(crate) fn claimed(&self, engine: u32, attempt: u32) {
        let mut known = self.known();
        (known.engine, known.attempt) = (Some(engine), attempt);
    }

    pub(crate) fn wrote(&self, output: Output) {
        let mut known = self.known();
        (known.engine, known.attempt) = (Some(output.engine), output.attempt);
        if !known.abandoned {
            known.output.push_back(output);
            wake(known.reading.drain(..));
        }
    }

    /// It is over. Returns whether somebody wants to know; else the parts of its result are to be released.
    pub(crate) fn finish(&self, engine: Option<u32>, attempt: u32, end: Result<Arc<Outcome>, Error>) -> bool {
        let mut known = self.known();
        known.engine = engine.or(known.engine);
        known.attempt = attempt.max(known.attempt);
        if matches!(known.end, End::Open) {
            known.end = End::Here(end);
        }
        wake(known.waiting.take());
        wake(known.reading.drain(..));
        !known.abandoned
    }

    // For the handle.

    pub(crate) fn engine(&self) -> Option<u32> {
        self.known().engine
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.known().attempt
    }

    pub(crate) fn is_finished(&self) -> bool {
        !matches!(self.known().end, End::Open)
    }

    /// Its end, which is given once.
    pub(crate) fn poll_end(&self, context: &mut Context<'_>) -> Poll<Result<Arc<Outcome>, Error>> {
        let mut known = self.known();
        match mem::replace(&mut known.end, End::Taken) {
            End::Here(end) => Poll::Ready(end),
            end => {
                known.end = end;
                known.waiting = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Once it is over: whether its result is large, and yet to be read.
    pub(crate) fn poll_large(&self, context: &mut Context<'_>) -> Poll<bool> {
        let mut known = self.known();
        match &known.end {
            End::Open => {
                known.waiting = Some(context.waker().clone());
                Poll::Pending
            }
            End::Here(end) => Poll::Ready(end.as_ref().is_ok_and(|outcome| outcome.blobs().next().is_some())),
            End::Taken => Poll::Ready(false),
        }
    }

    /// Why it could not be, if that is so.
    pub(crate) fn failure(&self) -> Option<Error> {
        if let End::Here(Err(error)) = &self.known().end { Some(error.clone()) } else { None }
    }

    /// The next piece of output; nothing more after the last one of a task that is over.
    pub(crate) fn poll_output(&self, context: &mut Context<'_>) -> Poll<Option<Output>> {
        let mut known = self.known();
        if let Some(output) = known.output.pop_front() {
            return Poll::Ready(Some(output));
        }
        if !matches!(known.end, End::Open) {
            return Poll::Ready(None);
        }
        if !known.reading.iter().any(|waker| waker.will_wake(context.waker())) {
            known.reading.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// The handle is gone. Returns what it has not taken of an end that is here.
    pub(crate) fn abandon(&self) -> Abandoned {
        let mut known = self.known();
        known.abandoned = true;
        known.output.clear();
        match mem::replace(&mut known.end, End::Taken) {
            End::Open => {
                known.end = End::Open;
                Abandoned::Open
            }
            End::Here(Ok(outcome)) => Abandoned::Unread(outcome),
            End::Here(Err(_)) | End::Taken => Abandoned::Over,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was left behind by who dropped a handle.
#[derive(Debug)]
pub(crate) enum Abandoned {
    /// The task is not over.
    Open,
    /// It is, and nobody has read what it came to.
    Unread(Arc<Outcome>),
    Over,
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
