//! Where tasks are, and why: for whoever waits for one.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use bytes::Bytes;

use super::{
    Scheduler,
    engine::Engine,
    outbox::FinishedTask,
    session::{PendingCall, Session},
    task::{State, Task},
};
use crate::{
    id::{EngineId, SessionId, TaskId},
    mutant::{Mutant, forgets},
    outcome::Outcome,
    time::Time,
};

/// Engines that are told of by name.
const NAMED: usize = 8;
/// Tasks of a queue that are looked through for a place in it.
const LOOKED_AT: usize = 10_000;

/// How far a task is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Bytes, an earlier call, or an engine of an earlier epoch are awaited.
    Waiting,
    /// In a queue here.
    Queued,
    /// With an engine that has not started it.
    Assigned,
    /// An engine said that it starts it.
    Claimed,
    /// It has an outcome, which its client has not acknowledged.
    Finished,
    /// Its client has acknowledged the outcome.
    Delivered,
}

/// What is known of a task.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskReport {
    /// Which.
    pub id: TaskId,
    /// How far it is.
    pub place: Place,
    /// The run it is in, or was in last; 0 before the first.
    pub attempt: u32,
    /// Where it is or was, or whom it is for.
    pub engine: Option<EngineId>,
    /// Wall clock of the scheduler when it was accepted, nanoseconds since the Unix epoch; 0: not known any more.
    pub accepted_unix_nanos: u64,
    /// Wall clock of the scheduler when it heard that an engine starts it, while it runs; of the engine afterwards. 0
    /// where none did.
    pub claimed_unix_nanos: u64,
    /// The call's, UTF-8.
    pub label: Bytes,
    /// The call's, UTF-8.
    pub name: Bytes,
    /// While it is `Finished`, and for a while after that.
    pub outcome: Option<Arc<Outcome>>,
    /// Why it is where it is: a sentence or several, for people. Empty in a list.
    pub why: String,
}

impl Scheduler {
    /// What is known of these tasks. Those that never were, and those of sessions that have ended, are left out.
    #[must_use]
    pub fn tasks(&self, ids: &[TaskId]) -> Vec<TaskReport> {
        let mut by_session: BTreeMap<SessionId, Vec<u64>> = BTreeMap::new();
        ids.iter().for_each(|id| by_session.entry(id.session).or_default().push(id.index));
        let mut reports = Vec::new();
        for (id, mut indexes) in by_session {
            let Some(session) = self.sessions.get(&id) else { continue };
            indexes.sort_unstable();
            if !forgets(Mutant::ReportedTwice) {
                indexes.dedup();
            }
            let mut over = Vec::new();
            for index in indexes {
                match session.tasks.get(index) {
                    Some(task) => {
                        let id = TaskId { session: id, index };
                        reports.push(TaskReport { why: self.why(id, session, task), ..self.report(id, task) });
                    }
                    None if index < session.accepted => over.push(index),
                    None => {}
                }
            }
            reports.extend(finished(id, session, &over));
        }
        reports
    }

    /// What is known of a task but why.
    pub(super) fn report(&self, id: TaskId, task: &Task) -> TaskReport {
        let place = match task.state {
            State::Waiting | State::Unsure(_) => Place::Waiting,
            State::Queued => Place::Queued,
            State::Assigned(_) | State::Retracting(_) => Place::Assigned,
            State::Claimed(_) => Place::Claimed,
        };
        TaskReport {
            id,
            place,
            attempt: task.attempt,
            engine: task.engine().or(task.target),
            accepted_unix_nanos: self.unix_nanos(task.accepted),
            claimed_unix_nanos: self.claimed_at(id, task).map_or(0, |claimed| self.unix_nanos(claimed)),
            label: task.head.label.clone(),
            name: task.head.name.clone(),
            outcome: None,
            why: String::new(),
        }
    }

    fn claimed_at(&self, id: TaskId, task: &Task) -> Option<Time> {
        self.engines.get(&task.engine()?)?.held.get(&id)?.claimed
    }

    fn why(&self, id: TaskId, session: &Session, task: &Task) -> String {
        match task.state {
            State::Waiting => self.why_waiting(id, session),
            State::Unsure(None) => {
                "the scheduler was restarted, and an engine that has not come back may still have it".to_owned()
            }
            State::Unsure(Some(engine)) => {
                format!("the scheduler was restarted: engine {engine} had claimed it and has not come back yet")
            }
            State::Queued => match task.target {
                Some(engine) => self.why_in_direct_queue(id, engine),
                None => self.why_in_balanced_queue(task),
            },
            State::Assigned(engine) | State::Retracting(engine) => {
                let held = self.engines.get(&engine).map_or(0, |engine| engine.held.len().saturating_sub(1));
                format!("sent to engine {engine}, which has {held} others and has not started it")
            }
            State::Claimed(engine) => format!("engine {engine} has started it, in attempt {}", task.attempt),
        }
    }

    fn why_waiting(&self, id: TaskId, session: &Session) -> String {
        if session.replaying {
            return "the scheduler was restarted, and its client is still saying what it had submitted".to_owned();
        }
        let of = |call: &&PendingCall| (call.first_index..call.first_index + call.tasks).contains(&id.index);
        let Some(call) = session.pending.iter().find(of) else { return "about to be queued".to_owned() };
        if call.function.is_some_and(|digest| self.functions.get(digest).is_none()) {
            return "its function has not arrived from its client".to_owned();
        }
        match call.blobs.iter().filter(|blob| self.blobs.is_awaited(**blob)).count() {
            0 => format!("an earlier call to {} waits for its bytes, and calls keep their order", list(&call.engines)),
            parts => format!("{parts} large parts of its call's arguments have not arrived from its client"),
        }
    }

    fn why_in_direct_queue(&self, id: TaskId, engine: EngineId) -> String {
        let Some(attached) = self.engines.get(&engine) else {
            return format!("engine {engine} has not come back since the scheduler was restarted");
        };
        let before = attached.direct.iter().take(LOOKED_AT).position(|task| *task == id);
        let before = before.map_or_else(|| format!("more than {LOOKED_AT}"), |before| before.to_string());
        format!("in the queue of engine {engine}, behind {before} others; the engine {}", doing(attached))
    }

    fn why_in_balanced_queue(&self, task: &Task) -> String {
        let mut why = format!("one of {} balanced tasks that wait for an engine", self.balanced.waiting());
        if let Some(allowed) = task.allowed() {
            let _infallible = write!(why, "; it is limited to {}", list(allowed));
        }
        if !task.excluded.is_empty() {
            let _infallible = write!(why, "; it has failed on {}", list(&task.excluded));
        }
        if !task.labels().is_empty() {
            why.push_str(&self.why_labels(task));
        }
        let mut able = self.engines.iter().filter(|(id, _)| self.may_run(task, **id)).peekable();
        if able.peek().is_none() {
            why.push_str("; no engine that may run it is attached");
        }
        for (id, engine) in able.by_ref().take(NAMED) {
            let _infallible = write!(why, "; engine {id} {}", doing(engine));
        }
        match able.count() {
            0 => why,
            more => why + &format!("; and {more} more engines"),
        }
    }

    fn why_labels(&self, task: &Task) -> String {
        let labels = labelled(task.labels());
        let carriers = self.engines.keys().filter(|id| self.selectors.admits(**id, task.selector)).count();
        let who = match (carriers, self.engines.len()) {
            (0, 0) => return format!("; it waits for an engine with labels {labels}"),
            (0, 1) => "the engine that is attached does not have them".to_owned(),
            (0, engines) => format!("none of the {engines} engines has them"),
            (some, engines) => format!("{some} of {engines} have them"),
        };
        format!("; it waits for an engine with labels {labels}; {who}")
    }
}

/// As people write them.
fn labelled(labels: &[(Bytes, Bytes)]) -> String {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{}={}", text(key), text(value))).collect();
    pairs.join(" ")
}

/// Tasks without a record: their outcome is an event, or was one.
fn finished(id: SessionId, session: &Session, indexes: &[u64]) -> Vec<TaskReport> {
    if indexes.is_empty() {
        return Vec::new();
    }
    let mut outcomes = session.outbox.outcomes(indexes);
    let report = |index: &u64| {
        let found = outcomes.remove(index);
        let (place, why) = match &found {
            Some(FinishedTask { delivered: false, .. }) => {
                (Place::Finished, "it is finished, and its client has not acknowledged its outcome")
            }
            _ => (Place::Delivered, "it is finished, and its client has its outcome"),
        };
        let (label, name) = (Bytes::new(), Bytes::new());
        TaskReport {
            id: TaskId { session: id, index: *index },
            place,
            attempt: found.as_ref().map_or(0, |found| found.attempt),
            engine: found.as_ref().and_then(|found| found.engine),
            accepted_unix_nanos: found.as_ref().map_or(0, |found| found.accepted_unix_nanos),
            claimed_unix_nanos: found.as_ref().map_or(0, |found| found.outcome.claimed_unix_nanos),
            label,
            name,
            outcome: found.map(|found| found.outcome),
            why: why.to_owned(),
        }
    };
    indexes.iter().map(report).collect()
}

/// What an engine does, after its name.
fn doing(engine: &Engine) -> String {
    let claimed = engine.held.values().filter(|held| held.claimed.is_some()).count();
    let ahead = engine.held.len() - claimed;
    match (engine.draining, claimed, ahead) {
        (true, ..) => "takes no new work".to_owned(),
        (_, 0, 0) if engine.has_credit(0) => "is free".to_owned(),
        (_, claimed, ahead) if engine.has_credit(0) => format!("has started {claimed} and has {ahead} ahead"),
        (_, claimed, ahead) => format!("has started {claimed}, has {ahead} ahead and takes no more for now"),
    }
}

fn list(engines: &[EngineId]) -> String {
    let names: Vec<String> = engines.iter().take(NAMED).map(ToString::to_string).collect();
    let more = engines.len().saturating_sub(NAMED);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("engine{} {}{tail}", if engines.len() == 1 { "" } else { "s" }, names.join(", "))
}
