//! The scheduler's metrics, put together when somebody asks. docs/observability.md has them all in a table.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use paraply_common::{
    mailbox::Mailbox,
    telemetry::metrics::{Family, Point, Source, count},
    tower::count::CountLayer,
};
use paraply_core::{
    scheduler::{EngineStatus, Status, Transition},
    transitions::Transitions,
};
use tokio::sync::oneshot;

use crate::{
    blob::{BlobStore, Held},
    shell::Stimulus,
    tally::Tally,
};

/// What the actor answers.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) status: Status,
    pub(crate) tally: Tally,
    pub(crate) transitions: Transitions<Transition>,
}

/// Bytes of blobs that went by, counted a chunk at a time.
#[derive(Debug, Default)]
pub(crate) struct BlobTraffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl BlobTraffic {
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Where the figures come from.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) mailbox: Mailbox<Stimulus>,
    pub(crate) store: Arc<BlobStore>,
    pub(crate) traffic: Arc<BlobTraffic>,
    pub(crate) calls: CountLayer,
}

impl Source for Figures {
    fn measure(&self) -> Pin<Box<dyn Future<Output = Option<Vec<Family>>> + Send + '_>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.mailbox.send(Stimulus::Measure(reply)).await.ok()?;
            let Measured { status, tally, transitions } = answer.await.ok()?;
            let mut families = tasks(&tally, &status, &transitions);
            families.extend(engines(&status.engines));
            families.extend(held(&status, self.store.held()));
            families.extend(bytes(&tally, &self.traffic));
            families.push(sessions(&status));
            families.push(self.calls.family());
            families.push(steps(&transitions));
            Some(families)
        })
    }
}

fn tasks(tally: &Tally, status: &Status, transitions: &Transitions<Transition>) -> Vec<Family> {
    let outcomes = [("ok", tally.ok)].into_iter().chain(tally.failed());
    let outcomes = outcomes.map(|(outcome, tasks)| Point::of("outcome", outcome, count(tasks))).collect();
    let unfinished = status.sessions.iter().map(|session| session.outstanding).sum();
    vec![
        Family::counter("paraply_tasks_submitted_total", "Tasks accepted.", Point::alone(count(tally.submitted))),
        Family::counter("paraply_tasks_finished_total", "Tasks that have their outcome, by what it is.", outcomes),
        Family::counter(
            "paraply_tasks_retried_total",
            "Runs that failed and were tried again.",
            Point::alone(count(transitions.of(Transition::Retried))),
        ),
        Family::gauge(
            "paraply_tasks_unfinished",
            "Tasks accepted that have no outcome yet.",
            Point::alone(count(unfinished)),
        ),
        Family::gauge(
            "paraply_tasks_unassigned",
            "Balanced tasks in the queue, for whichever engine is free.",
            Point::alone(count(status.unassigned)),
        ),
        Family::histogram(
            "paraply_task_queue_seconds",
            "Of tasks that ran: from acceptance to the engine's claim, with the way of the outcome.",
            tally.queued.clone(),
        ),
        Family::histogram(
            "paraply_task_run_seconds",
            "Of tasks that ran: how long the user's code took, as the engine measured it.",
            tally.ran.clone(),
        ),
        Family::histogram("paraply_task_total_seconds", "From acceptance to the outcome.", tally.took.clone()),
    ]
}

fn engines(engines: &[EngineStatus]) -> Vec<Family> {
    let draining = engines.iter().filter(|engine| engine.draining).count();
    let states = [("attached", engines.len() - draining), ("draining", draining)];
    let each = |figure: fn(&EngineStatus) -> u64| {
        let points =
            engines.iter().map(|engine| Point::of("engine", engine.info.id.to_string(), count(figure(engine))));
        points.collect()
    };
    vec![
        Family::gauge(
            "paraply_engines",
            "Engines attached to the scheduler, by whether they take new work.",
            states.map(|(state, engines)| Point::of("state", state, count(engines as u64))).to_vec(),
        ),
        Family::gauge(
            "paraply_engine_tasks_queued",
            "Tasks for an engine that it has not claimed.",
            each(|engine| engine.queued as u64),
        ),
        Family::gauge(
            "paraply_engine_tasks_claimed",
            "Tasks that an engine runs or starts next.",
            each(|engine| engine.claimed as u64),
        ),
        Family::counter(
            "paraply_engine_tasks_finished_total",
            "Runs that an engine has ended.",
            each(|engine| engine.completed),
        ),
    ]
}

fn held(status: &Status, blobs: Held) -> Vec<Family> {
    vec![
        Family::gauge(
            "paraply_held_bytes",
            "Arguments, results, output and functions in the scheduler's memory, blobs not counted.",
            Point::alone(count(status.held_bytes)),
        ),
        Family::gauge(
            "paraply_blobs",
            "Blobs that are named, kept or read, wherever they are.",
            Point::alone(count(status.blobs as u64)),
        ),
        Family::gauge(
            "paraply_blob_stored_bytes",
            "Blobs in the scheduler's store, by where.",
            vec![Point::of("place", "memory", count(blobs.memory)), Point::of("place", "disk", count(blobs.files))],
        ),
    ]
}

fn bytes(tally: &Tally, traffic: &BlobTraffic) -> Vec<Family> {
    let kinds = [("argument", tally.argument_bytes), ("result", tally.result_bytes)];
    let ways = [("received", &traffic.received), ("sent", &traffic.sent)];
    vec![
        Family::counter(
            "paraply_payload_bytes_total",
            "Payloads that travelled inside messages: arguments with code from clients, results from engines.",
            kinds.map(|(kind, bytes)| Point::of("kind", kind, count(bytes))).to_vec(),
        ),
        Family::counter(
            "paraply_blob_bytes_total",
            "Large payloads, a chunk at a time: what clients and engines sent, and what they were sent.",
            ways.map(|(way, bytes)| Point::of("direction", way, count(bytes.load(Ordering::Relaxed)))).to_vec(),
        ),
    ]
}

fn sessions(status: &Status) -> Family {
    let connected = status.sessions.iter().filter(|session| session.connected).count();
    let states = [("connected", connected), ("away", status.sessions.len() - connected)];
    Family::gauge(
        "paraply_sessions",
        "Sessions of clients, by whether they have a stream.",
        states.map(|(state, sessions)| Point::of("state", state, count(sessions as u64))).to_vec(),
    )
}

fn steps(transitions: &Transitions<Transition>) -> Family {
    Family::counter(
        "paraply_transitions_total",
        "What the state machine did, by its own names for it, which change with it.",
        transitions.iter().map(|(name, times)| Point::of("transition", name, count(times))).collect(),
    )
}
