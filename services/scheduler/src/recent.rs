//! The last tasks that have finished, read off the machine's records: what a list shows of them.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use paraply_common::wire::{field::text, id::encode_task, outcome::encode_failure_kind};
use paraply_core::{
    id::{EngineId, SessionId, TaskId},
    outcome::FailureKind,
    scheduler::Record,
};
use paraply_proto::{
    common::v1::TaskState,
    scheduler::v1::{TaskStatus, TaskTimes},
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Recent {
    most: usize,
    unix_origin: u64,
    /// The oldest first: every task that finishes comes here, and lists are few, so that these do the sorting.
    tasks: VecDeque<Finished>,
    sessions: BTreeMap<SessionId, Owner>,
}

#[derive(Debug)]
struct Finished {
    id: TaskId,
    attempt: u32,
    event: u64,
    engine: Option<EngineId>,
    label: Bytes,
    name: Bytes,
    times: TaskTimes,
    failure: Option<FailureKind>,
}

/// A session with tasks here.
#[derive(Debug, Default)]
struct Owner {
    tasks: usize,
    /// Its client has acknowledged events up to here.
    acknowledged: u64,
}

impl Recent {
    /// Keeps at most `most` tasks, of 300 bytes or so each.
    pub(crate) fn new(most: usize, unix_origin: u64) -> Self {
        Self { most, unix_origin, tasks: VecDeque::new(), sessions: BTreeMap::new() }
    }

    /// Notes what has become of tasks.
    pub(crate) fn take(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Finished { attempt, event, head, engine, accepted, outcome } => {
                    let times = TaskTimes {
                        accepted_unix_nanos: self.unix_origin.saturating_add(accepted.0),
                        claimed_unix_nanos: outcome.claimed_unix_nanos,
                        started_unix_nanos: outcome.started_unix_nanos,
                        finished_unix_nanos: outcome.finished_unix_nanos,
                    };
                    self.insert(Finished {
                        id: attempt.task,
                        attempt: attempt.attempt,
                        event: *event,
                        engine: *engine,
                        label: head.label.clone(),
                        name: head.name.clone(),
                        times,
                        failure: outcome.value.as_ref().err().map(|failure| failure.kind),
                    });
                }
                Record::Delivered { session, sequence } => self.acknowledge(*session, *sequence),
                Record::Forgotten { session } => self.acknowledge(*session, u64::MAX),
                Record::Accepted { .. } | Record::Claimed { .. } => {}
            }
        }
    }

    /// Tasks by session and index: of one session, or of all. The first `most` of those beyond `after`.
    pub(crate) fn list(&self, session: Option<SessionId>, after: Option<TaskId>, most: usize) -> Vec<TaskStatus> {
        let wanted = |task: &&Finished| {
            session.is_none_or(|session| task.id.session == session) && after.is_none_or(|after| task.id > after)
        };
        let mut tasks: Vec<&Finished> = self.tasks.iter().filter(wanted).collect();
        tasks.sort_unstable_by_key(|task| task.id);
        tasks.into_iter().take(most).map(|task| self.status(task)).collect()
    }

    fn insert(&mut self, finished: Finished) {
        if self.most == 0 {
            return;
        }
        self.sessions.entry(finished.id.session).or_default().tasks += 1;
        self.tasks.push_back(finished);
        while self.tasks.len() > self.most {
            let Some(oldest) = self.tasks.pop_front() else { return };
            if let Some(owner) = self.sessions.get_mut(&oldest.id.session) {
                owner.tasks -= 1;
                if owner.tasks == 0 {
                    self.sessions.remove(&oldest.id.session);
                }
            }
        }
    }

    fn acknowledge(&mut self, session: SessionId, up_to: u64) {
        if let Some(owner) = self.sessions.get_mut(&session) {
            owner.acknowledged = owner.acknowledged.max(up_to);
        }
    }

    fn status(&self, finished: &Finished) -> TaskStatus {
        let acknowledged =
            self.sessions.get(&finished.id.session).is_some_and(|owner| finished.event <= owner.acknowledged);
        let state = if acknowledged { TaskState::Delivered } else { TaskState::Finished };
        TaskStatus {
            task_id: Some(encode_task(finished.id)),
            state: state.into(),
            attempt: finished.attempt,
            engine_id: finished.engine.map(|engine| engine.0),
            label: text(&finished.label),
            name: text(&finished.name),
            times: Some(finished.times),
            failure: finished.failure.map_or(0, |kind| encode_failure_kind(kind).into()),
            ..TaskStatus::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use paraply_core::{
        call::{CallHead, Placement, Work},
        id::{AttemptId, Digest},
        outcome::Outcome,
        time::Time,
    };

    use super::*;

    fn finished(session: u128, index: u64, event: u64) -> Record {
        let placement =
            Placement::Balanced { engines: Vec::new(), labels: Vec::new(), retries: 0, queue_timeout: None };
        let mut head = CallHead::new(Work::Function(Digest([0; 32])), placement);
        head.name = Bytes::from_static(b"simulate");
        let mut outcome = Outcome::failed(FailureKind::Exception, "", String::new(), None);
        outcome.started_unix_nanos = 7;
        Record::Finished {
            attempt: AttemptId { task: TaskId { session: SessionId(session), index }, attempt: 1 },
            event,
            head: Arc::new(head),
            engine: Some(EngineId(3)),
            accepted: Time(5),
            outcome: Arc::new(outcome),
        }
    }

    fn indexes(found: &[TaskStatus]) -> Vec<u64> {
        found.iter().filter_map(|task| task.task_id.as_ref()).map(|id| id.index).collect()
    }

    #[test]
    fn the_last_ones_are_kept_and_listed_by_page() {
        let mut recent = Recent::new(10, 1000);
        recent.take(&(0..30).map(|index| finished(u128::from(index % 2), index, index + 1)).collect::<Vec<_>>());
        assert_eq!(indexes(&recent.list(None, None, 100)), [20, 22, 24, 26, 28, 21, 23, 25, 27, 29]);
        let one = recent.list(Some(SessionId(1)), None, 3);
        assert_eq!(indexes(&one), [21, 23, 25]);
        let after = Some(TaskId { session: SessionId(1), index: 25 });
        assert_eq!(indexes(&recent.list(Some(SessionId(1)), after, 3)), [27, 29]);
        assert!(recent.list(Some(SessionId(0)), after, 3).is_empty());
        let times = one[0].times.unwrap();
        assert_eq!((times.accepted_unix_nanos, times.started_unix_nanos), (1005, 7));
        assert_eq!((one[0].engine_id, one[0].name.as_str()), (Some(3), "simulate"));
    }

    #[test]
    fn what_was_acknowledged_is_delivered() {
        let mut recent = Recent::new(4, 0);
        recent.take(&[finished(1, 0, 1), finished(1, 1, 2), finished(2, 0, 1)]);
        recent.take(&[Record::Delivered { session: SessionId(1), sequence: 1 }]);
        let states: Vec<_> = recent.list(None, None, 9).iter().map(TaskStatus::state).collect();
        assert_eq!(states, [TaskState::Delivered, TaskState::Finished, TaskState::Finished]);
        recent.take(&[Record::Forgotten { session: SessionId(2) }]);
        assert_eq!(recent.list(Some(SessionId(2)), None, 9)[0].state(), TaskState::Delivered);
        recent.take(&(0..4).map(|index| finished(9, index, index + 1)).collect::<Vec<_>>());
        assert_eq!(recent.sessions.len(), 1);
    }

    #[test]
    fn none_are_kept_where_none_are_wanted() {
        let mut recent = Recent::new(0, 0);
        recent.take(&[finished(1, 0, 1)]);
        assert!(recent.list(None, None, 9).is_empty());
    }
}
