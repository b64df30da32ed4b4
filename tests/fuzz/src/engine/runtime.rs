//! The engine's runtime, which keeps its side of the bargain: tasks in their order, one outcome each.

use std::collections::VecDeque;

use bytes::Bytes;
use paraply_core::{
    engine_session::{RunTask, Stimulus},
    id::{AttemptId, BlobId},
    outcome::{FailureKind, Outcome, Output, OutputKind},
    payload::{BlobRef, Payload},
};
use paraply_sim::Random;

/// What it has been given and has not finished.
#[derive(Debug, Default)]
pub(super) struct Runtime {
    batch: VecDeque<AttemptId>,
    /// It has said that it has nothing left.
    idle: bool,
    /// Bytes that the first task has written.
    written: u64,
    /// The first task was interrupted.
    interrupted: bool,
}

impl Runtime {
    /// The machine has it run tasks, which it may only once there is nothing left to do.
    pub(super) fn run(&mut self, tasks: Vec<RunTask>) -> Result<(), String> {
        if !self.idle || !self.batch.is_empty() {
            return Err(format!("was given {tasks:?} and has {:?}", self.batch));
        }
        if tasks.is_empty() {
            return Err("was given nothing to run".to_owned());
        }
        self.idle = false;
        (self.written, self.interrupted) = (0, false);
        self.batch.extend(tasks.into_iter().map(|task| task.attempt));
        Ok(())
    }

    /// A task is to stop: at once if it did not start, else when it notices.
    pub(super) fn interrupt(&mut self, attempt: AttemptId) -> Option<Stimulus> {
        if self.batch.front() == Some(&attempt) {
            self.interrupted = true;
            return None;
        }
        let before = self.batch.len();
        self.batch.retain(|task| *task != attempt);
        (self.batch.len() < before).then(|| Stimulus::Finished { attempt, outcome: cancelled() })
    }

    /// The next thing that happens. `prompt`: no more is written.
    pub(super) fn goes_on(&mut self, random: &mut Random, prompt: bool) -> Option<Stimulus> {
        let Some(attempt) = self.batch.front().copied() else {
            return (!std::mem::replace(&mut self.idle, true)).then_some(Stimulus::RuntimeIdle);
        };
        if !prompt && random.chance(500) {
            return Some(self.write(random, attempt));
        }
        self.batch.pop_front();
        self.written = 0;
        let interrupted = std::mem::take(&mut self.interrupted);
        Some(Stimulus::Finished { attempt, outcome: if interrupted { cancelled() } else { result(random) } })
    }

    fn write(&mut self, random: &mut Random, attempt: AttemptId) -> Stimulus {
        let data = Bytes::from(vec![b'x'; random.index(200)]);
        let kind = random.pick(&[OutputKind::Stdout, OutputKind::DisplayData]).unwrap_or(OutputKind::Stdout);
        let output = Output { kind, offset: self.written, dropped: 0, data: data.clone() };
        self.written += data.len() as u64;
        Stimulus::Output { attempt, output }
    }
}

/// With a part that the engine keeps, sometimes.
fn result(random: &mut Random) -> Outcome {
    let id = BlobId(u128::from(random.below(6)));
    let data_blob = random.chance(100).then_some(BlobRef { id, size: 100_000, kept: true });
    Outcome { value: Ok(Payload { data_blob, ..Payload::default() }), ..cancelled() }
}

fn cancelled() -> Outcome {
    Outcome::failed(FailureKind::Cancelled, "TaskCancelled", "was interrupted".to_owned(), None)
}
