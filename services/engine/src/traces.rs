//! The spans of tasks whose client traces them: one a run, whose number the runtime gives to user code.

use bytes::Bytes;
use paraply_common::telemetry::{Kind, Span, Spans, TraceParent, attribute, new_span_id};
use paraply_core::{
    engine_session::RunTask,
    hash::HashMap,
    id::{AttemptId, EngineId},
    outcome::Outcome,
};

/// What the runtime runs of traced tasks.
#[derive(Debug)]
pub(crate) struct Traces {
    spans: Spans,
    /// Bounded by what the runtime was given, and with it by the engine's credit.
    runs: HashMap<AttemptId, Run>,
}

#[derive(Debug)]
struct Run {
    trace: u128,
    parent: u64,
    id: u64,
    name: Bytes,
}

impl Traces {
    pub(crate) fn new(spans: Spans) -> Self {
        Self { spans, runs: HashMap::default() }
    }

    /// The engine has its id.
    pub(crate) fn registered(&self, engine: EngineId) {
        self.spans.identify(attribute("paraply.engine.id", i64::from(engine.0)));
    }

    /// The runtime gets these: a traced one learns which span its own are children of.
    pub(crate) fn started(&mut self, batch: &mut [RunTask]) {
        for task in batch.iter_mut().filter(|task| !task.head.traceparent.is_empty() && task.span != Some(0)) {
            let Some(caller) = TraceParent::sampled(&task.head.traceparent) else { continue };
            let (id, parent) = (new_span_id(), task.span.unwrap_or(caller.span));
            task.span = Some(id);
            self.runs.insert(task.attempt, Run { trace: caller.trace, parent, id, name: task.head.name.clone() });
        }
    }

    /// A task is over.
    pub(crate) fn finished(&mut self, attempt: AttemptId, outcome: &Outcome) {
        let Some(run) = self.runs.remove(&attempt).filter(|_| outcome.started_unix_nanos != 0) else { return };
        self.spans.send(Span {
            trace: run.trace,
            id: run.id,
            parent: run.parent,
            kind: Kind::Consumer,
            name: format!("run {}", String::from_utf8_lossy(&run.name)),
            started: outcome.started_unix_nanos,
            ended: outcome.finished_unix_nanos,
            attributes: vec![
                attribute("paraply.session.id", attempt.task.session.to_string()),
                attribute("paraply.task.index", i64::try_from(attempt.task.index).unwrap_or(i64::MAX)),
                attribute("paraply.task.attempt", i64::from(attempt.attempt)),
            ],
            events: Vec::new(),
            error: outcome.value.as_ref().err().map(|failure| failure.summary()),
        });
    }
}
