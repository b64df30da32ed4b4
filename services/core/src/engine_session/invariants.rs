//! What must hold after every step, in words a failing test can print.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    EngineSession,
    outbox::KINDS,
    task::{NeededFunction, REPORT_OVERHEAD, State},
};

impl EngineSession {
    /// Checks every cross-reference and every limit. Meant for tests: it costs as much as everything it looks at.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn check(&self) -> Result<(), String> {
        self.check_room()?;
        self.check_queues()?;
        self.check_functions()?;
        self.check_reports()?;
        self.check_batch()
    }

    fn check_room(&self) -> Result<(), String> {
        let unfinished = || self.tasks.values().filter(|task| !matches!(task.state, State::Finished(_)));
        let (tasks, bytes) = (unfinished().count() as u64, unfinished().map(|task| task.bytes).sum::<u64>());
        let held = self.room.held();
        ensure((held.total_tasks, held.total_bytes) == (tasks, bytes), || {
            format!("{tasks} tasks of {bytes} bytes are unfinished, {held:?} are counted")
        })?;
        ensure(tasks <= self.config.task_window, || format!("{tasks} tasks are held"))?;
        // One task may be larger than the window if it is alone; others of no bytes may come after it.
        let largest = unfinished().map(|task| task.bytes).max().unwrap_or_default();
        ensure(bytes - largest <= self.config.byte_window, || format!("{bytes} bytes of tasks are held"))?;
        let finished = self.tasks.len() as u64 - tasks;
        ensure(finished == self.room.outcomes(), || {
            format!("{finished} outcomes are kept, {} are counted", self.room.outcomes())
        })?;
        let most = self.config.outcomes + self.config.task_window;
        ensure(finished <= most, || format!("{finished} outcomes are kept"))
    }

    fn check_queues(&self) -> Result<(), String> {
        let mut queued = 0;
        for (attempt, task) in &self.tasks {
            let State::Queued { place, .. } = task.state else { continue };
            queued += 1;
            let there = self.queues.at(task.direct, place);
            ensure(there == Some(*attempt), || format!("{attempt:?} is queued, and {there:?} has its place"))?;
        }
        ensure(queued == self.queues.len(), || {
            format!("{queued} tasks are queued, the queues have {}", self.queues.len())
        })
    }

    fn check_functions(&self) -> Result<(), String> {
        let mut waiting: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (attempt, task) in &self.tasks {
            if let NeededFunction::Missing(digest) = task.function {
                waiting.entry(digest).or_default().insert(*attempt);
            }
        }
        self.functions.check(&waiting)
    }

    fn check_reports(&self) -> Result<(), String> {
        self.outbox.check()?;
        let finished = self.tasks.len() as u64 - self.room.held().total_tasks;
        let notices = KINDS.len() as u64 * REPORT_OVERHEAD * (finished + 1);
        let bytes = self.outbox.output_bytes();
        ensure(bytes <= self.config.output_bytes + notices, || format!("{bytes} bytes of output are kept"))?;
        let answers = self.outbox.answers.len() as u64;
        // A drain gives back what is queued.
        ensure(answers <= self.most_answers() + self.config.task_window, || {
            format!("{answers} answers to retracts are kept")
        })
    }

    fn check_batch(&self) -> Result<(), String> {
        let attempts: BTreeSet<_> = self.runs.kills.iter().map(|kill| kill.attempt).collect();
        ensure(attempts.len() == self.runs.kills.len(), || format!("{:?} are to end twice", self.runs.kills))?;
        let running = self.tasks.values().filter(|task| matches!(task.state, State::Running)).count();
        let handed = self.runs.handed();
        ensure(running <= handed, || format!("{running} tasks run, the runtime has {handed}"))
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
