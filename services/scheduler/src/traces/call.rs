//! One call that is traced.

use std::collections::BTreeMap;

use bytes::Bytes;
use paraply_common::telemetry::{Event, Kind, Span, TraceParent, attribute, new_span_id};
use paraply_core::{
    call::Call,
    id::{AttemptId, EngineId, SessionId},
    outcome::Outcome,
};

/// Events of one task that are kept: a task may be tried very often.
const EVENTS: usize = 16;

/// A call from its acceptance to the outcome of its last task. Times are nanoseconds since the Unix epoch.
#[derive(Debug)]
pub(super) struct CallTrace {
    parent: TraceParent,
    id: u64,
    session: SessionId,
    first_index: u64,
    name: Bytes,
    accepted: u64,
    tasks: u64,
    unfinished: u64,
    failed: u64,
    untraced: u64,
    /// Those that have a span and are not finished, by index.
    open: BTreeMap<u64, TaskTrace>,
}

#[derive(Debug)]
struct TaskTrace {
    id: u64,
    engine: Option<EngineId>,
    events: Vec<Event>,
}

impl CallTrace {
    /// A call whose tasks are still open, or some of them by their indexes; only the first of these get a span where there is
    /// no `room` for more.
    pub(super) fn new(
        now: u64,
        session: SessionId,
        call: &Call,
        parent: TraceParent,
        is_open: impl Fn(u64) -> bool,
        room: usize,
    ) -> Self {
        let tasks = call.tasks();
        let unfinished = (call.first_index..call.first_index.saturating_add(tasks)).filter(|index| is_open(*index));
        let task = |index| (index, TaskTrace { id: new_span_id(), engine: None, events: Vec::new() });
        let open: BTreeMap<_, _> = unfinished.clone().take(room).map(task).collect();
        let unfinished = unfinished.count() as u64;
        Self {
            parent,
            id: new_span_id(),
            session,
            first_index: call.first_index,
            name: call.head.name.clone(),
            accepted: now,
            tasks,
            unfinished,
            failed: 0,
            untraced: unfinished - open.len() as u64,
            open,
        }
    }

    pub(super) fn first_index(&self) -> u64 {
        self.first_index
    }

    pub(super) fn has(&self, index: u64) -> bool {
        index.checked_sub(self.first_index).is_some_and(|nth| nth < self.tasks)
    }

    pub(super) fn is_over(&self) -> bool {
        self.unfinished == 0
    }

    /// How many tasks have a span and are not finished.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    pub(super) fn span_of(&self, index: u64) -> Option<u64> {
        self.open.get(&index).map(|task| task.id)
    }

    pub(super) fn event(&mut self, attempt: AttemptId, engine: EngineId, name: &'static str, now: u64) {
        let Some(task) = self.open.get_mut(&attempt.task.index) else { return };
        task.engine = Some(engine);
        if task.events.len() < EVENTS {
            let attributes = vec![attribute("paraply.engine.id", i64::from(engine.0)), number(attempt.attempt)];
            task.events.push(Event { name, at: now, attributes });
        }
    }

    /// A task has its outcome: its span, if it has one.
    pub(super) fn finished(&mut self, now: u64, attempt: AttemptId, outcome: &Outcome) -> Option<Span> {
        self.unfinished = self.unfinished.saturating_sub(1);
        let error = outcome.value.as_ref().err().map(|failure| failure.summary());
        self.failed += u64::from(error.is_some());
        let task = self.open.remove(&attempt.task.index)?;
        let mut span = self.task_span(now, attempt.task.index, task, error);
        span.attributes.push(number(attempt.attempt));
        Some(span)
    }

    /// The spans of tasks that will not have an outcome.
    pub(super) fn give_up(&mut self, now: u64, why: &'static str) -> impl Iterator<Item = Span> {
        let open = std::mem::take(&mut self.open);
        open.into_iter().map(move |(index, task)| self.task_span(now, index, task, Some(why.to_owned())))
    }

    /// The span of the call itself.
    pub(super) fn span(self, now: u64, why: Option<&str>) -> Span {
        let failed = (self.failed > 0).then(|| format!("{} of {} tasks failed", self.failed, self.tasks));
        Span {
            trace: self.parent.trace,
            id: self.id,
            parent: self.parent.span,
            kind: Kind::Server,
            name: format!("schedule {}", String::from_utf8_lossy(&self.name)),
            started: self.accepted,
            ended: now,
            attributes: vec![
                attribute("paraply.session.id", self.session.to_string()),
                attribute("paraply.call.first_index", count(self.first_index)),
                attribute("paraply.call.tasks", count(self.tasks)),
                attribute("paraply.call.failed", count(self.failed)),
                attribute("paraply.call.untraced", count(self.untraced)),
            ],
            events: Vec::new(),
            error: why.map(str::to_owned).or(failed),
        }
    }

    fn task_span(&self, now: u64, index: u64, task: TaskTrace, error: Option<String>) -> Span {
        let mut attributes = vec![
            attribute("paraply.session.id", self.session.to_string()),
            attribute("paraply.task.index", count(index)),
        ];
        attributes.extend(task.engine.map(|engine| attribute("paraply.engine.id", i64::from(engine.0))));
        Span {
            trace: self.parent.trace,
            id: task.id,
            parent: self.id,
            kind: Kind::Producer,
            name: format!("task {}", String::from_utf8_lossy(&self.name)),
            started: self.accepted,
            ended: now,
            attributes,
            events: task.events,
            error,
        }
    }
}

fn number(attempt: u32) -> paraply_common::telemetry::Attribute {
    attribute("paraply.task.attempt", i64::from(attempt))
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
