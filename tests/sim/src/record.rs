//! What happened to one client's session machine and what it said, to be replayed against others of its kind.

use std::sync::Arc;

use paraply_core::{
    call::CallHead,
    client_session::{Config, Instruction, Stimulus},
    payload::{Function, Payload},
    time::Time,
};

/// One thing that happened, and when.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub now: Time,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// A call was submitted.
    Submitted {
        /// What its tasks share.
        head: Arc<CallHead>,
        /// Their arguments.
        arguments: Vec<Payload>,
        /// The function that it names.
        function: Option<Arc<Function>>,
    },
    /// The machine was given a stimulus.
    Given(Stimulus),
    /// The machine was asked what it wants, and wanted this.
    Flushed(Vec<Instruction>),
}

/// The life of one machine.
#[derive(Clone, Debug)]
pub struct Recording {
    /// How it was made.
    pub config: Config,
    /// What happened, in order.
    pub steps: Vec<Step>,
}

/// Records the first client of the first slot, if it is to.
#[derive(Debug, Default)]
pub struct Recorder {
    wanted: bool,
    recording: Option<Recording>,
    over: bool,
}

impl Recorder {
    /// One that records.
    #[must_use]
    pub fn on() -> Self {
        Self { wanted: true, ..Self::default() }
    }

    /// A client starts in a slot; the first in slot 0 is recorded.
    pub fn starts(&mut self, slot: usize, config: &Config) {
        if self.wanted && slot == 0 {
            if self.recording.is_some() {
                self.over = true;
            } else {
                self.recording = Some(Recording { config: config.clone(), steps: Vec::new() });
            }
        }
    }

    /// Something happened to the client of a slot.
    pub fn note(&mut self, slot: usize, now: Time, what: impl FnOnce() -> What) {
        if let Some(recording) = self.recording.as_mut().filter(|_| slot == 0 && !self.over) {
            recording.steps.push(Step { now, what: what() });
        }
    }

    /// What was recorded.
    #[must_use]
    pub fn finish(self) -> Option<Recording> {
        self.recording
    }
}
