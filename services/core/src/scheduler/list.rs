//! Which tasks there are: a page of those that are not finished, and those that have run for longest.

use std::ops::Bound;

use bytes::Bytes;

use super::{Scheduler, TaskReport};
use crate::id::{AttemptId, EngineId, SessionId, TaskId};

/// A task that an engine has started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunningTask {
    /// Which run of which task.
    pub attempt: AttemptId,
    /// Where.
    pub engine: EngineId,
    /// The call's, UTF-8.
    pub label: Bytes,
    /// The call's, UTF-8.
    pub name: Bytes,
    /// Since when: wall clock of the scheduler, nanoseconds since the Unix epoch.
    pub claimed_unix_nanos: u64,
}

impl Scheduler {
    /// Unfinished tasks by session and index: of one session, or of all. The first `most` of those beyond `after`.
    #[must_use]
    pub fn unfinished(&self, session: Option<SessionId>, after: Option<TaskId>, most: usize) -> Vec<TaskReport> {
        let sessions = match (session, after) {
            (Some(only), _) => (Bound::Included(only), Bound::Included(only)),
            (None, Some(after)) => (Bound::Included(after.session), Bound::Unbounded),
            (None, None) => (Bound::Unbounded, Bound::Unbounded),
        };
        let tasks = self.sessions.range(sessions).flat_map(|(id, session)| {
            let first = match after {
                Some(after) if after.session == *id => after.index.saturating_add(1),
                Some(after) if after.session > *id => u64::MAX,
                _ => 0,
            };
            let tasks = session.tasks.range(first..u64::MAX);
            tasks.map(|(index, task)| self.report(TaskId { session: *id, index }, task))
        });
        tasks.take(most).collect()
    }

    /// The tasks that engines started first and have not finished.
    #[must_use]
    pub fn longest_running(&self, most: usize) -> Vec<RunningTask> {
        let held = self.engines.iter().flat_map(|(engine, attached)| {
            attached.held.iter().filter_map(|(task, held)| Some((held.claimed?, *task, *engine)))
        });
        let mut running: Vec<_> = held.collect();
        if most < running.len() {
            running.select_nth_unstable(most);
            running.truncate(most);
        }
        running.sort_unstable();
        let described = running.into_iter().filter_map(|(claimed, id, engine)| {
            let task = self.task(id)?;
            Some(RunningTask {
                attempt: AttemptId { task: id, attempt: task.attempt },
                engine,
                label: task.head.label.clone(),
                name: task.head.name.clone(),
                claimed_unix_nanos: self.unix_nanos(claimed),
            })
        });
        described.collect()
    }
}
