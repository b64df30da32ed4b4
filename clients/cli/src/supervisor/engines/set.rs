//! What is remembered of a set beside its engines.

use tokio::sync::oneshot;

use crate::control::Reply;

/// A set, whose id can come again when it is gone; its number does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct SetNumber(pub(super) u64);

#[derive(Debug)]
pub(super) struct Set {
    pub(super) number: SetNumber,
    /// Processes made for it, ever: each has a log of its own.
    pub(super) made: u32,
    /// Processes that are made when those that they replace are gone.
    pub(super) to_come: u32,
    /// Ends that nobody asked for, until the start is over.
    pub(super) failures: Vec<String>,
    /// Whoever was to hear how the start went has heard: an end is news of the day from then on.
    pub(super) start_is_over: bool,
    pub(super) waiting: Option<oneshot::Sender<Reply>>,
    /// It was stopped: it goes with its last engine.
    pub(super) closing: bool,
    /// It goes with its last engine though nobody has stopped it.
    pub(super) leaves_nothing: bool,
}

impl Set {
    pub(super) fn new(number: SetNumber) -> Self {
        Self {
            number,
            made: 0,
            to_come: 0,
            failures: Vec::new(),
            start_is_over: false,
            waiting: None,
            closing: false,
            leaves_nothing: false,
        }
    }

    /// Returns the failures until now; there are none from here on.
    pub(super) fn end_start(&mut self) -> Vec<String> {
        self.start_is_over = true;
        std::mem::take(&mut self.failures)
    }

    /// Who waits, if anybody does, and what to tell of failures.
    pub(super) fn take_waiting(&mut self) -> Option<(oneshot::Sender<Reply>, Vec<String>)> {
        let waiting = self.waiting.take()?;
        Some((waiting, self.end_start()))
    }
}
