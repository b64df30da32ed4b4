//! One of the two services: started again whenever it ends, on the listeners that it had.

use std::{process::ExitStatus, time::Duration};

use super::process::Process;
use paraply_core::time::Time;

const FIRST_BACK_OFF: Duration = Duration::from_millis(50);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);

/// A service that ran this long was well: its next end is a new story.
const WELL_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Controller,
    Scheduler,
}

impl Role {
    pub(super) const ALL: [Self; 2] = [Self::Controller, Self::Scheduler];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Scheduler => "scheduler",
        }
    }
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) role: Role,
    /// None between an end and the next start.
    pub(super) process: Option<Process>,
    pub(super) restarts: u32,
    /// Ends in a row, each soon after its start.
    pub(super) failures: u32,
    started: Time,
}

impl Service {
    pub(super) fn new(role: Role, process: Process, now: Time) -> Self {
        Self { role, process: Some(process), restarts: 0, failures: 0, started: now }
    }

    /// Takes the process that has ended, and says how it ended and when to start the next.
    pub(super) fn ended(&mut self, now: Time) -> Option<(u32, std::io::Result<ExitStatus>, Duration)> {
        let process = self.process.take()?;
        self.failures = if now.since(self.started) >= WELL_AFTER { 1 } else { self.failures + 1 };
        Some((process.pid(), process.reap(), back_off(self.failures)))
    }

    pub(super) fn started_again(&mut self, process: Process, now: Time) {
        self.process = Some(process);
        self.restarts += 1;
        self.started = now;
    }
}

/// The pause after so many failures in a row.
fn back_off(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_BACK_OFF.saturating_mul(1 << doublings).min(LONGEST_BACK_OFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<_> = (1..=9).map(|failures| back_off(failures).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(back_off(u32::MAX), LONGEST_BACK_OFF);
    }
}
