//! What the scheduler may send: grows as the engine gets rid of tasks.

use crate::engine_link::Credit;

/// Counts what arrived on this stream and what is held.
#[derive(Debug)]
pub(super) struct Room {
    window: Credit,
    arrived: Credit,
    held: Credit,
    announced: Credit,
    /// Outcomes that wait for their acknowledgement, and how many may before no tasks are taken.
    outcomes: u64,
    most_outcomes: u64,
}

impl Room {
    pub(super) fn new(total_tasks: u64, total_bytes: u64, most_outcomes: u64) -> Self {
        let window = Credit { total_tasks, total_bytes };
        let (arrived, held, announced) = (Credit::default(), Credit::default(), Credit::default());
        Self { window, arrived, held, announced, outcomes: 0, most_outcomes }
    }

    /// A new stream: totals count from zero again.
    pub(super) fn restart(&mut self) -> Credit {
        self.arrived = Credit::default();
        self.announced = Credit::default();
        self.announced = self.total();
        self.announced
    }

    /// Whether the scheduler may send a task that is held. One that is larger than what was granted may come alone.
    pub(super) fn admits(&self, bytes: u64) -> bool {
        self.arrived.total_tasks < self.announced.total_tasks
            && (self.arrived.total_bytes.saturating_add(bytes) <= self.announced.total_bytes
                || self.held.total_tasks == 0)
    }

    /// A task arrived and is held.
    pub(super) fn arrived(&mut self, bytes: u64) {
        self.arrived.total_tasks += 1;
        self.arrived.total_bytes += bytes;
        self.held.total_tasks += 1;
        self.held.total_bytes += bytes;
    }

    /// A task arrived that is not held.
    pub(super) fn passed(&mut self, bytes: u64) {
        self.arrived.total_tasks += 1;
        self.arrived.total_bytes += bytes;
    }

    /// A task is held no more.
    pub(super) fn rid_of(&mut self, bytes: u64) {
        self.held.total_tasks -= 1;
        self.held.total_bytes -= bytes;
    }

    /// A task came to its outcome, which is kept.
    pub(super) fn keeps_outcome(&mut self) {
        self.outcomes += 1;
    }

    /// An outcome was acknowledged, or is not wanted.
    pub(super) fn rid_of_outcome(&mut self) {
        self.outcomes -= 1;
    }

    pub(super) fn outcomes(&self) -> u64 {
        self.outcomes
    }

    pub(super) fn held(&self) -> Credit {
        self.held
    }

    /// More arrived than was announced: the scheduler broke the rule.
    pub(super) fn overdrawn(&self) -> bool {
        let alone = self.held.total_tasks <= 1;
        self.arrived.total_tasks > self.announced.total_tasks
            || (self.arrived.total_bytes > self.announced.total_bytes && !alone)
    }

    /// The totals, if they grew since they were announced.
    pub(super) fn announce(&mut self) -> Option<Credit> {
        let total = self.total();
        let grew = total != self.announced;
        self.announced = total;
        grew.then_some(total)
    }

    /// A quarter of the window is unannounced.
    pub(super) fn is_due(&self) -> bool {
        let total = self.total();
        let grew = |total: u64, announced: u64, window: u64| (total - announced).saturating_mul(4) >= window.max(1);
        grew(total.total_tasks, self.announced.total_tasks, self.window.total_tasks)
            || grew(total.total_bytes, self.announced.total_bytes, self.window.total_bytes)
    }

    /// Something is unannounced.
    pub(super) fn grew(&self) -> bool {
        self.total() != self.announced
    }

    fn total(&self) -> Credit {
        let full = self.outcomes >= self.most_outcomes;
        // What was announced stays announced, also where more is held than the window has.
        let room = |arrived: u64, window: u64, held: u64| arrived + if full { 0 } else { window.saturating_sub(held) };
        Credit {
            total_tasks: room(self.arrived.total_tasks, self.window.total_tasks, self.held.total_tasks)
                .max(self.announced.total_tasks),
            total_bytes: room(self.arrived.total_bytes, self.window.total_bytes, self.held.total_bytes)
                .max(self.announced.total_bytes),
        }
    }
}
