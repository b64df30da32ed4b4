//! Large parts of results that the scheduler has not acknowledged. A scheduler that takes over has an empty store: what
//! outcomes name goes there before it hears of them.

use std::{collections::HashMap, future::pending};

use bytes::Bytes;
use paraply_common::spawn::{Task, spawn};
use paraply_core::{
    engine_link::ToScheduler,
    id::{AttemptId, BlobId, EngineId},
};

use super::{
    Bulk,
    store::{not_stored, write_all},
};

/// What is kept, and what is under way to a new store.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    blobs: HashMap<AttemptId, Vec<(BlobId, Bytes)>>,
    again: Option<Task<Vec<(AttemptId, String)>>>,
    /// What a new store did not take, and why: the outcome names what nobody has.
    lost: HashMap<AttemptId, String>,
}

impl Kept {
    /// Until the outcome is acknowledged.
    pub(crate) fn keep(&mut self, attempt: AttemptId, blobs: Vec<(BlobId, Bytes)>) {
        if !blobs.is_empty() {
            self.blobs.insert(attempt, blobs);
        }
    }

    /// The scheduler has these outcomes, or does not want them.
    pub(crate) fn forget<'a>(&mut self, attempts: impl IntoIterator<Item = &'a AttemptId>) {
        for attempt in attempts {
            self.blobs.remove(attempt);
            self.lost.remove(attempt);
        }
    }

    /// Starts to store everything in the store that `bulk` leads to now.
    pub(crate) fn store_again(&mut self, bulk: &Bulk) {
        let (blobs, bulk) = (self.blobs.clone(), bulk.clone());
        self.again = (!blobs.is_empty()).then(|| {
            spawn(async move {
                let mut lost = Vec::new();
                for (attempt, blobs) in blobs {
                    if let Err(error) = write_all(&blobs, attempt, &bulk).await {
                        tracing::warn!(%attempt, %error, "a result could not be stored again");
                        lost.push((attempt, error.to_string()));
                    }
                }
                lost
            })
        });
    }

    /// Whether that is under way: until it is done the scheduler must not hear of the outcomes.
    pub(crate) fn is_storing(&self) -> bool {
        self.again.is_some()
    }

    /// Resolves when it is done; never while nothing is under way. Cancel-safe.
    pub(crate) async fn stored_again(&mut self) {
        let Some(again) = &mut self.again else { return pending().await };
        let lost = again.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        self.again = None;
        for (attempt, error) in lost {
            if self.blobs.remove(&attempt).is_some() {
                self.lost.insert(attempt, error);
            }
        }
    }

    /// Outcomes that name what is lost become failures that say so.
    pub(crate) fn correct(&self, message: &mut ToScheduler, engine: Option<EngineId>) {
        let ToScheduler::Reports(reports) = message else { return };
        if self.lost.is_empty() {
            return;
        }
        for (attempt, outcome) in &mut reports.finished {
            if let Some(error) = self.lost.get(attempt) {
                not_stored(outcome, error, engine);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use paraply_core::{
        engine_link::Reports,
        id::{SessionId, TaskId},
        outcome::{FailureKind, Outcome},
        payload::Payload,
    };

    use super::*;

    #[test]
    fn an_outcome_whose_bytes_are_lost_is_sent_as_a_failure_and_others_as_they_are() {
        let attempt = |index| AttemptId { task: TaskId { session: SessionId(1), index }, attempt: 1 };
        let mut outcome = Outcome::failed(FailureKind::Refused, "", String::new(), None);
        outcome.value = Ok(Payload::default());
        let mut kept = Kept::default();
        kept.lost.insert(attempt(1), "the store is full".into());
        let finished = vec![(attempt(1), outcome.clone()), (attempt(2), outcome.clone())];
        let mut message = ToScheduler::Reports(Reports { finished, ..Reports::default() });
        kept.correct(&mut message, Some(EngineId(3)));
        let ToScheduler::Reports(reports) = message else { unreachable!() };
        let failure = reports.finished[0].1.value.clone().unwrap_err();
        assert_eq!((failure.kind, failure.engine), (FailureKind::Refused, Some(EngineId(3))));
        assert!(String::from_utf8_lossy(&failure.message).contains("the store is full"));
        assert_eq!(reports.finished[1].1, outcome);
    }
}
