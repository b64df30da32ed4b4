//! What clients asked for and got, and what engines ran.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use paraply_core::{
    call::{CallHead, Placement, Work},
    engine_session::RunTask,
    id::{AttemptId, EngineId, Epoch, Incarnation, SessionId, TaskId},
    outcome::{FailureKind, Outcome},
    session_link::{EngineInfo, ToClient, ToScheduler},
    time::Time,
};

use super::{Oracle, Violation};
use crate::{labels, program::signature_of};

/// How soon an engine's shell comes to what is due.
const PROMPT: Duration = Duration::from_millis(20);

/// One session.
#[derive(Debug, Default)]
pub struct SessionFacts {
    /// Its tasks, by index.
    pub tasks: BTreeMap<u64, TaskFacts>,
    /// Its queued tasks are aborted when its stream breaks.
    pub cancel_on_disconnect: bool,
    /// Nobody waits for its results.
    pub abandoned: bool,
    /// Indexes below may be submitted.
    submit_credit: u64,
}

/// One task.
#[derive(Debug)]
pub struct TaskFacts {
    /// What it shares with its call.
    pub head: Arc<CallHead>,
    /// Index of the first task of its call.
    pub call: u64,
    /// For a direct task.
    pub target: Option<EngineId>,
    /// All its runs.
    pub runs: Vec<Run>,
    /// Its client has a result.
    pub result: Option<Outcome>,
    /// Its client wanted it cancelled.
    pub cancelled: bool,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Of which attempt.
    pub attempt: u32,
    /// Where.
    pub engine: EngineId,
    /// Where.
    pub incarnation: Incarnation,
    /// By which scheduler.
    pub epoch: Option<Epoch>,
    /// Since when.
    pub since: Time,
    /// What its result says.
    pub signature: Bytes,
    /// What it came to.
    pub outcome: Option<Outcome>,
}

impl TaskFacts {
    /// How often it may run again.
    #[must_use]
    pub fn retries(&self) -> usize {
        match self.head.placement {
            Placement::Balanced { retries, .. } => usize::try_from(retries).unwrap_or(usize::MAX),
            Placement::Direct { .. } => 0,
        }
    }
}

impl Oracle {
    /// A client starts a session.
    pub fn client_started(&mut self, session: SessionId, cancel_on_disconnect: bool) {
        self.sessions.insert(session, SessionFacts { cancel_on_disconnect, ..SessionFacts::default() });
    }

    /// A client is gone without a word.
    pub fn client_died(&mut self, session: SessionId) {
        if let Some(facts) = self.sessions.get_mut(&session) {
            facts.abandoned = true;
        }
    }

    /// A client made a call.
    pub fn submitted(&mut self, session: SessionId, indexes: Range<u64>, head: &Arc<CallHead>) {
        let Some(facts) = self.sessions.get_mut(&session) else { return };
        for (nth, index) in indexes.clone().enumerate() {
            let target = match &head.placement {
                Placement::Direct { engines } => engines.get(nth).copied(),
                Placement::Balanced { .. } => None,
            };
            let (head, runs) = (Arc::clone(head), Vec::new());
            let task = TaskFacts { head, call: indexes.start, target, runs, result: None, cancelled: false };
            facts.tasks.insert(index, task);
        }
    }

    /// A client wants tasks cancelled.
    pub fn cancelled(&mut self, session: SessionId, indexes: &[u64]) {
        let Some(facts) = self.sessions.get_mut(&session) else { return };
        for index in indexes {
            if let Some(task) = facts.tasks.get_mut(index) {
                task.cancelled = true;
            }
        }
    }

    /// What a client is told about credit.
    pub fn client_hears(&mut self, session: SessionId, message: &ToClient) {
        let Some(facts) = self.sessions.get_mut(&session) else { return };
        let credit = match message {
            ToClient::Welcome(welcome) => Some(welcome.credit),
            ToClient::Update(update) => update.credit,
            ToClient::Closed { .. } => None,
        };
        facts.submit_credit = credit.map_or(facts.submit_credit, |credit| credit.total_tasks);
    }

    /// A client submits: never beyond its credit.
    ///
    /// # Errors
    /// It did.
    pub fn client_says(&mut self, session: SessionId, message: &ToScheduler) -> Result<(), Violation> {
        let Some(facts) = self.sessions.get(&session) else { return Ok(()) };
        let ToScheduler::Submit { calls, .. } = message else { return Ok(()) };
        for call in calls {
            if call.first_index + call.tasks() > facts.submit_credit {
                let task = TaskId { session, index: call.first_index };
                return Err(Violation::of(task, format!("submitted on credit for {}", facts.submit_credit)));
            }
        }
        Ok(())
    }

    /// An engine starts a task.
    ///
    /// # Errors
    /// It may not, or not now.
    pub fn run_started(
        &mut self,
        now: Time,
        engine: &EngineInfo,
        task: &RunTask,
        signature: &Bytes,
    ) -> Result<(), Violation> {
        let AttemptId { task: id, attempt } = task.attempt;
        let facts = self.sessions.get_mut(&id.session).and_then(|session| session.tasks.get_mut(&id.index));
        let Some(facts) = facts else { return Err(Violation::of(id, "runs, and was never submitted")) };
        if *facts.head != *task.head {
            return Err(Violation::of(id, "runs as another call than was submitted"));
        }
        let named = if let Work::Function(digest) = task.head.work { Some(digest) } else { None };
        if task.function.as_ref().map(|function| function.digest) != named {
            return Err(Violation::of(id, "runs another function than it names"));
        }
        if facts.target.is_some_and(|target| target != engine.id) {
            return Err(Violation::of(id, format!("is for {:?} and runs on {:?}", facts.target, engine.id)));
        }
        if !labels::admits(&engine.labels, &facts.head.placement) {
            return Err(Violation::of(id, format!("asks for {:?} and runs on {engine:?}", facts.head.placement)));
        }
        let epoch = self.order.epoch_of(task.attempt, engine.id);
        let same = |run: &Run| (run.attempt, run.incarnation, run.epoch) == (attempt, engine.incarnation, epoch);
        if facts.runs.iter().any(same) {
            return Err(Violation::of(id, format!("attempt {attempt} runs twice on engine {}", engine.id)));
        }
        let (head, call, first) = (Arc::clone(&facts.head), facts.call, facts.runs.is_empty());
        let (signature, outcome) = (signature.clone(), None);
        let incarnation = engine.incarnation;
        facts.runs.push(Run { attempt, engine: engine.id, incarnation, epoch, since: now, signature, outcome });
        if head.start_once && !self.credit.may_start(task.attempt, engine.incarnation) {
            return Err(Violation::of(id, "is to start once, and started without the scheduler's yes"));
        }
        self.order.started(task.attempt, call, &head, engine, first)
    }

    /// User code returned: not long after its time was over, if it can be interrupted.
    ///
    /// # Errors
    /// It ran for longer.
    pub fn run_ended(
        &mut self,
        now: Time,
        attempt: AttemptId,
        outcome: &Outcome,
        stubborn: bool,
    ) -> Result<(), Violation> {
        let id = attempt.task;
        let task = self.sessions.get_mut(&id.session).and_then(|session| session.tasks.get_mut(&id.index));
        let Some(task) = task else { return Ok(()) };
        let (signature, limit) = (signature_of(outcome), task.head.run_timeout.filter(|_| !stubborn));
        let Some(run) = task.runs.iter_mut().find(|run| Some(&run.signature) == signature) else { return Ok(()) };
        run.outcome = Some(outcome.clone());
        let took = now.since(run.since);
        match limit.filter(|limit| took > *limit + PROMPT) {
            Some(limit) => Err(Violation::of(id, format!("ran for {took:?} where {limit:?} was the limit"))),
            None => Ok(()),
        }
    }

    /// A client is given a result: the first and only one, and one that a run of the task came to. Of a task that fails
    /// with its engine it hears after it heard of the engine, unless that has come back.
    ///
    /// # Errors
    /// It is not.
    pub fn delivered(
        &mut self,
        id: TaskId,
        first: bool,
        outcome: &Outcome,
        listed: &BTreeSet<EngineId>,
        attached: &BTreeSet<EngineId>,
    ) -> Result<(), Violation> {
        let Some(session) = self.sessions.get_mut(&id.session) else { return Ok(()) };
        let cancels = session.cancel_on_disconnect;
        let Some(facts) = session.tasks.get_mut(&id.index) else {
            return Err(Violation::of(id, "has a result, and was never submitted"));
        };
        if !first || facts.result.is_some() {
            return Err(Violation::of(id, "has a second result"));
        }
        facts.result = Some(outcome.clone());
        let wrong = |what: &str| Err(Violation::of(id, format!("{what}: {outcome:?}")));
        if let Some(signature) = signature_of(outcome) {
            let run = facts.runs.iter().find(|run| run.signature == *signature);
            if run.is_none_or(|run| run.outcome.as_ref() != Some(outcome)) {
                return wrong("has a result that no run of it came to");
            }
        }
        let Err(failure) = &outcome.value else { return Ok(()) };
        // It may have come back since, and gone again: also in the moment in which an earlier try is given up.
        let back = |engine: EngineId| {
            let epoch = self.epoch.as_ref()?;
            let finished = epoch.finished.get(&id)?;
            let attempts = facts.runs.iter().filter(|run| run.engine == engine).map(|run| run.attempt);
            let lost_before = attempts
                .map(|attempt| AttemptId { task: id, attempt })
                .any(|try_| epoch.dropped.contains(&(engine, try_)));
            Some(finished.engine_is_back || lost_before || epoch.seen.get(&engine)? >= &finished.at)
        };
        let stale = failure.engine.filter(|engine| listed.contains(engine) && !attached.contains(engine));
        let stale = stale.is_some_and(|engine| !back(engine).unwrap_or(true));
        let timed = matches!(facts.head.placement, Placement::Balanced { queue_timeout: Some(_), .. });
        match failure.kind {
            FailureKind::Aborted | FailureKind::Cancelled if !facts.cancelled && !cancels => {
                wrong("nobody cancelled it")
            }
            FailureKind::EngineLost if stale => wrong("failed with an engine that the client's list still has"),
            FailureKind::QueueTimeout if !timed => wrong("has no time-out"),
            FailureKind::RunTimeout if facts.head.run_timeout.is_none() => wrong("may run as long as it likes"),
            FailureKind::Unreadable => wrong("failed as no simulated task does"),
            _ => Ok(()),
        }
    }
}

impl Oracle {
    /// Attempts that engines other than this one are running for the living scheduler, and have no result yet.
    #[must_use]
    pub fn runs_under_way(&self, but: EngineId) -> Vec<AttemptId> {
        let mut attempts = Vec::new();
        for (session, facts) in &self.sessions {
            for (index, task) in facts.tasks.iter().filter(|(_, task)| task.result.is_none()) {
                let Some(run) = task.runs.last().filter(|run| run.engine != but && run.outcome.is_none()) else {
                    continue;
                };
                let attempt = AttemptId { task: TaskId { session: *session, index: *index }, attempt: run.attempt };
                if run.epoch == self.epoch.as_ref().map(|facts| facts.epoch)
                    && task.runs.iter().all(|run| run.engine != but)
                {
                    attempts.push(attempt);
                }
            }
        }
        attempts
    }

    /// The living scheduler has seen this engine.
    #[must_use]
    pub fn knows_engine(&self, id: EngineId) -> bool {
        self.epoch.as_ref().is_some_and(|facts| facts.seen.contains_key(&id))
    }

    /// Time that tasks without a result will take at the most, one after the other.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        let tasks = self.sessions.values().flat_map(|session| session.tasks.values());
        tasks.filter(|task| task.result.is_none()).count()
    }
}
