//! What must hold after every step, in words a failing test can print.

use super::ClientSession;

impl ClientSession {
    /// Checks every cross-reference and every limit. Meant for tests: it costs as much as everything it looks at.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn check(&self) -> Result<(), String> {
        self.calls.check()?;
        self.functions.check(self.calls.functions(), self.config.functions_remembered)?;
        for index in self.cancelled.keys().chain(self.delivered.tasks()) {
            ensure(self.calls.is_open(*index), || format!("task {index} is over, and is kept"))?;
        }
        let unknown = self.cancels_unsent.iter().find(|index| !self.cancelled.contains_key(index));
        ensure(unknown.is_none(), || format!("task {unknown:?} is not cancelled, and is to be"))?;
        ensure(self.unacked_since.is_some() == (self.sequence > self.acked), || {
            format!("event {} is acknowledged, of {}", self.acked, self.sequence)
        })?;
        ensure(self.accepted_up_to <= self.outbox.sent_up_to, || {
            format!("{} are accepted, of {}", self.accepted_up_to, self.outbox.sent_up_to)
        })?;
        self.outbox.check(self.calls.next_index)
    }
}

pub(super) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
