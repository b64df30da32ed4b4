//! What became of tasks, counted from the machine's records as they go by: plain numbers that only the actor touches.

use paraply_common::telemetry::metrics::Histogram;
use paraply_core::{
    outcome::{FailureKind, Outcome},
    scheduler::Record,
    time::Time,
};

/// Totals since the process began. A copy of them is what others see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) submitted: u64,
    pub(crate) ok: u64,
    failed: [u64; FAILURES.len()],
    /// Bytes of arguments and of code, blobs not counted.
    pub(crate) argument_bytes: u64,
    /// Bytes of results and failures, blobs not counted.
    pub(crate) result_bytes: u64,
    /// From acceptance to the claim, with the way of the outcome.
    pub(crate) queued: Histogram,
    /// As the engine measured it.
    pub(crate) ran: Histogram,
    /// From acceptance to the outcome.
    pub(crate) took: Histogram,
}

/// In the order of their numbers.
const FAILURES: [(FailureKind, &str); 8] = [
    (FailureKind::Exception, "exception"),
    (FailureKind::EngineLost, "engine_lost"),
    (FailureKind::Aborted, "aborted"),
    (FailureKind::QueueTimeout, "queue_timeout"),
    (FailureKind::RunTimeout, "run_timeout"),
    (FailureKind::Unreadable, "unreadable"),
    (FailureKind::Refused, "refused"),
    (FailureKind::Cancelled, "cancelled"),
];

impl Tally {
    /// Counts a batch.
    pub(crate) fn count(&mut self, now: Time, records: &[Record]) {
        for record in records {
            match record {
                Record::Accepted { call, .. } => {
                    self.submitted += call.tasks();
                    self.argument_bytes += call.inline_size();
                }
                Record::Finished { accepted, outcome, .. } => self.finished(now.since(*accepted).as_nanos(), outcome),
                Record::Claimed { .. } | Record::Delivered { .. } | Record::Forgotten { .. } => {}
            }
        }
    }

    fn finished(&mut self, took: u128, outcome: &Outcome) {
        match &outcome.value {
            Ok(_) => self.ok += 1,
            Err(failure) => {
                if let Some(count) = self.failed.get_mut(failure.kind as usize) {
                    *count += 1;
                }
            }
        }
        self.result_bytes += outcome.inline_size();
        // Half a millennium fits.
        let took = took as u64;
        self.took.record(took);
        let Outcome { claimed_unix_nanos, started_unix_nanos, finished_unix_nanos, .. } = *outcome;
        if started_unix_nanos != 0 {
            self.ran.record(finished_unix_nanos.saturating_sub(started_unix_nanos));
            // Each clock is compared with itself only: those of two machines need not agree.
            self.queued.record(took.saturating_sub(finished_unix_nanos.saturating_sub(claimed_unix_nanos)));
        }
    }

    /// Tasks that failed, by the kind of failure.
    pub(crate) fn failed(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        FAILURES.iter().zip(self.failed).map(|((_, name), count)| (*name, count))
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use bytes::Bytes;
    use paraply_core::{
        call::{Call, CallHead, Placement, Work},
        id::{AttemptId, Digest, EngineId, SessionId, TaskId},
        payload::Payload,
    };

    use super::*;

    const SESSION: SessionId = SessionId(1);

    fn head() -> Arc<CallHead> {
        let placement = Placement::Direct { engines: vec![EngineId(0), EngineId(1)] };
        Arc::new(CallHead::new(Work::Function(Digest([0; 32])), placement))
    }

    fn finished(outcome: Outcome) -> Record {
        let attempt = AttemptId { task: TaskId { session: SESSION, index: 0 }, attempt: 1 };
        Record::Finished {
            attempt,
            event: 1,
            head: head(),
            engine: None,
            accepted: Time(1_000),
            outcome: Arc::new(outcome),
        }
    }

    #[test]
    fn the_names_of_failures_are_at_their_numbers() {
        for (number, (kind, _)) in FAILURES.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }

    #[test]
    fn records_are_counted_by_what_they_say() {
        let data = Bytes::from_static(b"123");
        let arguments = vec![Payload { data: data.clone(), ..Payload::default() }];
        let call = Call { first_index: 0, head: head(), arguments };
        let ok = Outcome {
            value: Ok(Payload { data, ..Payload::default() }),
            claimed_unix_nanos: 50_000_000_000,
            started_unix_nanos: 51_000_000_000,
            finished_unix_nanos: 52_000_000_000,
            stdout_bytes: 0,
            stderr_bytes: 0,
            records: 0,
        };
        let lost = Outcome::failed(FailureKind::EngineLost, "EngineError", String::new(), None);
        let mut tally = Tally::default();
        let records = [Record::Accepted { session: SESSION, call: call.into() }, finished(ok), finished(lost)];
        tally.count(Time(1_000) + Duration::from_secs(5), &records);
        assert_eq!((tally.submitted, tally.ok, tally.argument_bytes, tally.result_bytes), (2, 1, 3, 3));
        let failed: Vec<_> = tally.failed().filter(|(_, count)| *count > 0).collect();
        assert_eq!(failed, [("engine_lost", 1)]);
        let sums = [&tally.took, &tally.ran, &tally.queued].map(|times| (times.count(), times.sum()));
        assert_eq!(sums, [(2, 10.0), (1, 1.0), (1, 3.0)]);
    }

    #[test]
    fn clocks_that_go_backwards_count_as_no_time() {
        let mut tally = Tally::default();
        let outcome = Outcome {
            claimed_unix_nanos: 1,
            started_unix_nanos: u64::MAX,
            ..Outcome::failed(FailureKind::Exception, "", String::new(), None)
        };
        tally.count(Time(0), &[finished(outcome)]);
        assert_eq!((tally.took.sum(), tally.ran.sum(), tally.queued.sum(), tally.ran.count()), (0.0, 0.0, 0.0, 1));
    }
}
