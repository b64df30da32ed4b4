//! `paraply explain`: where tasks are, and why.

use clap::Args;
use paraply_common::{connection::ConnectionFile, wire::id::encode_task};
use paraply_proto::{
    common::v1::{TaskId, TaskState},
    scheduler::v1::{GetTasksRequest, TaskStatus, task_service_client::TaskServiceClient},
};
use serde_json::{Value, json};

use super::Reachable;
use crate::{block_on, cluster_client, error::Error};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paraply explain 9f3c0a52d1e84b7f8c6a2b1d4e5f6071_42     as in ar.msg_ids
  paraply explain --json $(cat ids)")]
pub(crate) struct Explain {
    #[command(flatten)]
    cluster: Reachable,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Message ids of tasks, at most 1,000
    #[arg(required = true, value_parser = task, value_name = "TASK")]
    tasks: Vec<Asked>,
}

/// A task's name, and what it stands for.
#[derive(Clone, Debug)]
struct Asked {
    name: String,
    id: TaskId,
}

impl Explain {
    pub(crate) fn run(self) -> Result<(), Error> {
        let (connection, _) = self.cluster.find()?;
        let ids = self.tasks.iter().map(|task| task.id.clone()).collect();
        let found = block_on(ask(&connection, ids))?;
        let rows: Vec<_> = self.tasks.iter().map(|task| (task, of(task, &found))).collect();
        if self.json {
            println!("{:#}", rows.iter().map(|(task, status)| as_json(task, *status)).collect::<Value>());
            return Ok(());
        }
        for (task, status) in rows {
            match status {
                Some(status) => println!("{}: {}; {}", task.name, state(status), status.why),
                None => println!("{}: not known: it never was, or its session has ended", task.name),
            }
        }
        Ok(())
    }
}

/// "32 hexadecimal digits, an underscore, an index", as clients name tasks.
fn task(name: &str) -> Result<Asked, String> {
    let id = name.parse::<paraply_core::id::TaskId>();
    let id = id.map_err(|_| "it is 32 hexadecimal digits, an underscore and a number, as in ar.msg_ids")?;
    Ok(Asked { name: name.to_owned(), id: encode_task(id) })
}

async fn ask(connection: &ConnectionFile, task_ids: Vec<TaskId>) -> Result<Vec<TaskStatus>, Error> {
    cluster_client::in_time("scheduler", async {
        let mut client = TaskServiceClient::new(cluster_client::connect(connection).await?);
        let answer = client.get_tasks(GetTasksRequest { task_ids, with_outcomes: false }).await;
        Ok(answer.map_err(|status| Error::Client(status.into()))?.into_inner().tasks)
    })
    .await
}

fn of<'a>(task: &Asked, found: &'a [TaskStatus]) -> Option<&'a TaskStatus> {
    found.iter().find(|status| status.task_id.as_ref() == Some(&task.id))
}

fn state(status: &TaskStatus) -> &'static str {
    match status.state() {
        TaskState::Unspecified => "unknown",
        TaskState::Waiting => "waiting",
        TaskState::Queued => "queued",
        TaskState::Assigned => "assigned",
        TaskState::Claimed => "running",
        TaskState::Finished => "finished",
        TaskState::Delivered => "delivered",
    }
}

fn as_json(task: &Asked, status: Option<&TaskStatus>) -> Value {
    match status {
        None => json!({ "task": task.name, "state": null }),
        Some(status) => json!({
            "task": task.name,
            "state": state(status),
            "attempt": status.attempt,
            "engine_id": status.engine_id,
            "name": status.name,
            "label": status.label,
            "why": status.why,
        }),
    }
}
