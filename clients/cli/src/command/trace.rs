//! `paraply trace`: when tasks waited and ran, and where, in the format of Chrome's trace viewer and Perfetto.
//!
//! The format: "Trace Event Format", events of phase X (a stretch of time), b and e (begin and end of something that
//! overlaps others) and M (names). Times are microseconds.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use paraply_common::{clock, connection::ConnectionFile, wire::id};
use paraply_core::id::TaskId;
use paraply_proto::{
    common::v1::TaskState,
    scheduler::v1::{ListTasksRequest, TaskStatus, TaskTimes, task_service_client::TaskServiceClient},
};
use serde_json::{Value, json};

use super::Reachable;
use crate::{block_on, cluster_client, error::Error};

/// The row of the viewer where waiting tasks are; an engine's is its id and one more.
const WAITING: u32 = 0;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paraply trace -o trace.json               all sessions; open it in ui.perfetto.dev or chrome://tracing
  paraply trace 9f3c0a52 -o trace.json      one session, by the beginning of its id: that of ar.msg_ids

The scheduler remembers tasks that are not finished, and the last 20,000 that are (its setting `recent_tasks`).")]
pub(crate) struct Trace {
    #[command(flatten)]
    cluster: Reachable,

    /// Where to write it; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Beginning of a session's id [default: all sessions]
    #[arg(value_parser = session, default_value = "", hide_default_value = true)]
    session: String,
}

/// Up to 32 hexadecimal digits.
fn session(prefix: &str) -> Result<String, String> {
    let hexadecimal = prefix.len() <= 32 && prefix.bytes().all(|digit| digit.is_ascii_hexdigit());
    hexadecimal.then(|| prefix.to_ascii_lowercase()).ok_or_else(|| {
        "a session's id is 32 hexadecimal digits: those before the underscore in ar.msg_ids; its beginning is enough"
            .to_owned()
    })
}

impl Trace {
    pub(crate) fn run(self) -> Result<(), Error> {
        let (connection, _) = self.cluster.find()?;
        let tasks = block_on(ask(&connection, &self.session))?;
        let sessions: std::collections::BTreeSet<_> = tasks.iter().map(|(id, _)| id.session).collect();
        let trace = json!({ "displayTimeUnit": "ms", "traceEvents": events(&tasks, clock::unix_nanos()) });
        write(&self.output, &trace).map_err(Error::io(format!("cannot write {}", self.output.display())))?;
        eprintln!("{} tasks of {} sessions", tasks.len(), sessions.len());
        Ok(())
    }
}

async fn ask(connection: &ConnectionFile, prefix: &str) -> Result<Vec<(TaskId, TaskStatus)>, Error> {
    let access = cluster_client::in_time("scheduler", async { Ok(cluster_client::connect(connection).await?) }).await?;
    let mut client = TaskServiceClient::new(access);
    let mut request = ListTasksRequest::default();
    if prefix.len() == 32
        && let Ok(session) = u128::from_str_radix(prefix, 16)
    {
        request.session_id = session.to_be_bytes().to_vec().into();
    }
    let mut tasks = Vec::new();
    loop {
        let page = cluster_client::in_time("scheduler", async {
            let page = client.list_tasks(request.clone()).await;
            Ok(page.map_err(|status| Error::Client(status.into()))?.into_inner())
        });
        let page = page.await?;
        let named = page.tasks.into_iter().filter_map(|task| {
            let id = task.task_id.as_ref().and_then(|id| id::task(id).ok())?;
            Some((id, task))
        });
        tasks.extend(named.filter(|(id, _)| id.session.to_string().starts_with(prefix)));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(tasks);
        }
    }
}

fn write(path: &Path, trace: &Value) -> io::Result<()> {
    let mut out: Box<dyn Write> =
        if path == Path::new("-") { Box::new(io::stdout().lock()) } else { Box::new(File::create(path)?) };
    let mut buffered = BufWriter::new(&mut out);
    serde_json::to_writer(&mut buffered, trace)?;
    buffered.write_all(b"\n")?;
    buffered.flush()
}

/// What the viewer shows of the tasks. Times count from when the first was accepted.
fn events(tasks: &[(TaskId, TaskStatus)], now: u64) -> Vec<Value> {
    let times = |task: &TaskStatus| task.times.unwrap_or_default();
    let known = tasks.iter().flat_map(|(_, task)| {
        let TaskTimes { accepted_unix_nanos, claimed_unix_nanos, started_unix_nanos, .. } = times(task);
        [accepted_unix_nanos, claimed_unix_nanos, started_unix_nanos]
    });
    let origin = known.filter(|nanos| *nanos > 0).min().unwrap_or(0);
    let micros = |nanos: u64| nanos.saturating_sub(origin) as f64 / 1000.0;
    let mut engines = std::collections::BTreeSet::new();
    let mut events = Vec::new();
    for (id, task) in tasks {
        let name = if task.name.is_empty() { "task" } else { &task.name };
        let span = Span::of(task, times(task), now);
        if let Some(begun) = span.waiting.filter(|(begun, _)| *begun > 0) {
            let common = json!({ "name": name, "cat": "waiting", "id": id.to_string(), "pid": WAITING, "tid": 0 });
            events.push(with(&common, &json!({ "ph": "b", "ts": micros(begun.0) })));
            events.push(with(&common, &json!({ "ph": "e", "ts": micros(begun.1) })));
        }
        if let (Some((begun, ended)), Some(engine)) = (span.running, task.engine_id) {
            engines.insert(engine);
            events.push(json!({
                "name": name,
                "cat": if task.failure == 0 { "running" } else { "failed" },
                "ph": "X",
                "ts": micros(begun),
                "dur": ended.saturating_sub(begun) as f64 / 1000.0,
                "pid": engine + 1,
                "tid": 0,
                "args": {
                    "task": id.to_string(),
                    "attempt": task.attempt,
                    "label": task.label,
                    "state": state(task),
                    "failure": (task.failure != 0).then(|| task.failure().as_str_name()),
                },
            }));
        }
    }
    let named = |pid: u32, name: String| {
        let common = json!({ "ph": "M", "pid": pid, "tid": 0 });
        [
            with(&common, &json!({ "name": "process_name", "args": { "name": name } })),
            with(&common, &json!({ "name": "process_sort_index", "args": { "sort_index": pid } })),
        ]
    };
    let rows = engines.iter().flat_map(|engine| named(engine + 1, format!("engine {engine}")));
    let rows: Vec<_> = named(WAITING, "waiting".to_owned()).into_iter().chain(rows).collect();
    rows.into_iter().chain(events).collect()
}

/// When a task waited and when it ran, each from and to, in nanoseconds since the Unix epoch.
struct Span {
    waiting: Option<(u64, u64)>,
    running: Option<(u64, u64)>,
}

impl Span {
    fn of(task: &TaskStatus, times: TaskTimes, now: u64) -> Self {
        let accepted = times.accepted_unix_nanos;
        let running = match (times.started_unix_nanos, task.state()) {
            (0, TaskState::Claimed) => Some((times.claimed_unix_nanos, now)),
            (0, _) => None,
            (started, _) => Some((started, times.finished_unix_nanos)),
        };
        let over = matches!(task.state(), TaskState::Finished | TaskState::Delivered);
        let waiting = match running {
            Some((begun, _)) => Some((accepted, begun)),
            // It never ran, and nobody says when it ended.
            None if over => None,
            None => Some((accepted, now)),
        };
        // Clocks of two machines may differ.
        Self { waiting: waiting.map(|(from, to)| (from, to.max(from))), running }
    }
}

fn with(common: &Value, more: &Value) -> Value {
    let mut event = common.clone();
    if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
        event.extend(more.clone());
    }
    event
}

fn state(task: &TaskStatus) -> &'static str {
    match task.state() {
        TaskState::Claimed => "running",
        TaskState::Finished | TaskState::Delivered => "finished",
        TaskState::Unspecified | TaskState::Waiting | TaskState::Queued | TaskState::Assigned => "waiting",
    }
}

#[cfg(test)]
mod tests {
    use paraply_core::id::SessionId;

    use super::*;

    fn task(index: u64, state: TaskState, times: TaskTimes) -> (TaskId, TaskStatus) {
        let id = TaskId { session: SessionId(1), index };
        let status = TaskStatus {
            state: state.into(),
            engine_id: Some(2),
            name: "simulate".to_owned(),
            times: Some(times),
            ..TaskStatus::default()
        };
        (id, status)
    }

    fn times(accepted: u64, claimed: u64, started: u64, finished: u64) -> TaskTimes {
        TaskTimes {
            accepted_unix_nanos: accepted,
            claimed_unix_nanos: claimed,
            started_unix_nanos: started,
            finished_unix_nanos: finished,
        }
    }

    #[test]
    fn what_ran_runs_and_waits() {
        let tasks = [
            task(0, TaskState::Delivered, times(10_000, 12_000, 13_000, 20_000)),
            task(1, TaskState::Claimed, times(11_000, 20_000, 0, 0)),
            task(2, TaskState::Queued, times(12_000, 0, 0, 0)),
        ];
        let events = events(&tasks, 30_000);
        let ran: Vec<_> = events.iter().filter(|event| event["ph"] == "X").collect();
        let of = |event: &Value| (event["ts"].as_f64().unwrap(), event["dur"].as_f64().unwrap());
        assert_eq!(ran.iter().map(|event| of(event)).collect::<Vec<_>>(), [(3.0, 7.0), (10.0, 10.0)]);
        let ends: Vec<_> = events.iter().filter(|event| event["ph"] == "e").map(|event| event["ts"].clone()).collect();
        assert_eq!(ends, [3.0, 10.0, 20.0]);
        assert!(events.iter().any(|event| event["args"]["name"] == "engine 2"));
    }

    #[test]
    fn a_session_is_named_by_its_beginning() {
        assert_eq!(session("9F3c"), Ok("9f3c".to_owned()));
        assert!(session("9f3c_1").is_err() && session(&"0".repeat(33)).is_err());
    }
}
