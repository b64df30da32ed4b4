//! The status for people.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use paraply_common::{clock, connection::ConnectionFile, wire::id};
use paraply_proto::{
    controller::v1::{Autoscaling, EngineStatus},
    scheduler::v1::RunningTask,
};

use super::{answers::Answers, state};
use crate::table;

/// Characters of an engine's labels.
const LABELS: usize = 60;

/// Finished tasks a second between two looks.
pub(super) struct Rates {
    pub(super) all: f64,
    pub(super) engines: BTreeMap<u32, f64>,
}

/// The status in lines; with rates, also what runs.
pub(super) fn of(connection: &ConnectionFile, answers: &Answers, rates: Option<&Rates>) -> Vec<String> {
    let Answers { info, engines, scheduler } = answers;
    let mut lines = vec![format!("Cluster '{}' of profile '{}'", info.cluster_id, connection.profile)];
    for (name, peer) in [("controller", &info.controller), ("scheduler", &info.scheduler)] {
        lines.push(match peer {
            Some(peer) => format!("  {name:<11} {}  pid {} on {}", peer.version, peer.pid, peer.hostname),
            None => format!("  {name:<11} not there"),
        });
    }
    if let Some(status) = scheduler {
        lines.push(format!("  {:<11} {} tasks for any engine", "waiting", status.unassigned_tasks));
        if let Some(rates) = rates {
            lines.push(format!("  {:<11} {} tasks, {:.0} a second", "done", status.completed_tasks, rates.all));
            let held = status.held_bytes as f64 / f64::from(1 << 20);
            lines.push(format!("  {:<11} {held:.1} MiB for {} sessions", "held", status.sessions));
        }
    }
    if let Some(scaling) = &info.autoscaling {
        let Autoscaling { min_engines: min, max_engines: max, idle_millis, wanted_engines: wanted } = scaling;
        let idle = *idle_millis as f64 / 1000.0;
        lines.push(format!("  {:<11} {min} to {max} engines, {wanted} wanted, idle after {idle} s", "autoscaling"));
    }
    lines.push(String::new());
    lines.extend(engine_table(engines, rates));
    if let Some(status) = scheduler.as_ref().filter(|status| rates.is_some() && !status.running_tasks.is_empty()) {
        lines.push(String::new());
        let now = clock::unix_nanos();
        let rows: Vec<_> = status.running_tasks.iter().map(|task| running(task, now)).collect();
        lines.extend(table::lines(["RUNNING FOR", "ENGINE", "NAME", "TASK"], &rows));
    }
    lines
}

fn engine_table(engines: &[EngineStatus], rates: Option<&Rates>) -> Vec<String> {
    let row = |status: &EngineStatus| {
        let engine = status.engine.clone().unwrap_or_default();
        let peer = engine.peer.unwrap_or_default();
        let rate = rates.and_then(|rates| rates.engines.get(&engine.engine_id));
        [
            engine.engine_id.to_string(),
            state(status).to_owned(),
            status.queued_tasks.to_string(),
            status.claimed_tasks.to_string(),
            status.completed_tasks.to_string(),
            rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}")),
            peer.pid.to_string(),
            peer.python_version,
            peer.hostname,
            labels(engine.labels),
        ]
    };
    let rows: Vec<_> = engines.iter().map(row).collect();
    if rates.is_some() {
        let heading = ["ENGINE", "STATE", "QUEUED", "CLAIMED", "DONE", "DONE/S", "PID", "PYTHON", "HOST", "LABELS"];
        return table::lines(heading, &rows).collect();
    }
    let rows: Vec<_> = rows.into_iter().map(|[a, b, c, d, e, _, f, g, h, i]| [a, b, c, d, e, f, g, h, i]).collect();
    table::lines(["ENGINE", "STATE", "QUEUED", "CLAIMED", "DONE", "PID", "PYTHON", "HOST", "LABELS"], &rows).collect()
}

/// As people give them, cut where a table would be hard to read.
fn labels(labels: HashMap<String, String>) -> String {
    let mut pairs: Vec<String> = labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.sort_unstable();
    let text = pairs.join(" ");
    match text.char_indices().nth(LABELS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn running(task: &RunningTask, now: u64) -> [String; 4] {
    let name = if task.label.is_empty() { task.name.clone() } else { format!("{} ({})", task.name, task.label) };
    let id = id::attempt(task.attempt_id.as_ref()).map_or_else(|_| String::new(), |attempt| attempt.task.to_string());
    let lasted = Duration::from_nanos(now.saturating_sub(task.claimed_unix_nanos));
    [format!("{:.1} s", lasted.as_secs_f64()), task.engine_id.to_string(), name, id]
}
