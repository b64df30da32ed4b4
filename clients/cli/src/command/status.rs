//! `paraply status`: what the services themselves say.

use clap::Args;
use paraply_common::connection::ConnectionFile;
use paraply_proto::{
    controller::v1::{
        EngineState, EngineStatus, GetClusterInfoRequest, GetClusterInfoResponse, ListEnginesRequest,
        cluster_service_client::ClusterServiceClient,
    },
    scheduler::v1::{GetSchedulerStatusRequest, task_service_client::TaskServiceClient},
};
use serde_json::{Value, json};

use super::Cluster;
use crate::{
    block_on,
    cluster_client::{self, Access, in_time},
    error::Error,
    table,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paraply status
  paraply status --profile mpi --json")]
pub(crate) struct Status {
    #[command(flatten)]
    cluster: Cluster,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(crate) fn run(self) -> Result<(), Error> {
        let folder = self.cluster.running()?;
        let connection = ConnectionFile::read(&folder.connection())?;
        let answers = block_on(ask(&connection))?;
        if self.json {
            println!("{:#}", as_json(&connection, &answers));
        } else {
            print(&connection, &answers);
        }
        Ok(())
    }
}

/// What the services say.
struct Answers {
    info: GetClusterInfoResponse,
    engines: Vec<EngineStatus>,
    /// Tasks that wait in the scheduler for an engine; None where no scheduler answers.
    unassigned_tasks: Option<u64>,
}

/// Everything the controller knows, all pages of it, and what waits in the scheduler.
async fn ask(connection: &ConnectionFile) -> Result<Answers, Error> {
    let (access, info, engines) = in_time("controller", ask_controller(connection)).await?;
    // A scheduler that is on its way up is no reason not to show the rest.
    let unassigned_tasks = in_time("scheduler", ask_scheduler(access)).await.ok();
    Ok(Answers { info, engines, unassigned_tasks })
}

async fn ask_scheduler(access: Access) -> Result<u64, Error> {
    let request = GetSchedulerStatusRequest { with_sessions: false };
    let status = TaskServiceClient::new(access).get_scheduler_status(request).await;
    Ok(status.map_err(|status| Error::Client(status.into()))?.into_inner().unassigned_tasks)
}

async fn ask_controller(
    connection: &ConnectionFile,
) -> Result<(Access, GetClusterInfoResponse, Vec<EngineStatus>), Error> {
    let unanswered = |status: tonic::Status| Error::Client(status.into());
    let access = cluster_client::connect(connection).await?;
    let mut client = ClusterServiceClient::new(access.clone());
    let info = client.get_cluster_info(GetClusterInfoRequest { peer: None }).await.map_err(unanswered)?.into_inner();
    let mut engines = Vec::new();
    let mut request = ListEnginesRequest::default();
    loop {
        let page = client.list_engines(request.clone()).await.map_err(unanswered)?.into_inner();
        engines.extend(page.engines);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok((access, info, engines));
        }
    }
}

fn state(status: &EngineStatus) -> &'static str {
    match status.state() {
        EngineState::Unspecified => "unknown",
        EngineState::Registered => "joining",
        EngineState::Attached => "ready",
        EngineState::Draining => "draining",
    }
}

fn as_json(connection: &ConnectionFile, answers: &Answers) -> Value {
    let Answers { info, engines, unassigned_tasks } = answers;
    let peer = |peer: &paraply_proto::common::v1::PeerInfo| {
        json!({
            "version": peer.version,
            "protocol": {"min": peer.protocol_min, "max": peer.protocol_max},
            "hostname": peer.hostname,
            "pid": peer.pid,
        })
    };
    let engine = |status: &EngineStatus| {
        let engine = status.engine.clone().unwrap_or_default();
        let about = engine.peer.clone().unwrap_or_default();
        json!({
            "engine_id": engine.engine_id,
            "state": state(status),
            "queued_tasks": status.queued_tasks,
            "claimed_tasks": status.claimed_tasks,
            "completed_tasks": status.completed_tasks,
            "version": about.version,
            "python_version": about.python_version,
            "hostname": about.hostname,
            "pid": about.pid,
        })
    };
    json!({
        "profile": connection.profile,
        "cluster_id": info.cluster_id,
        "controller": info.controller.as_ref().map(peer),
        "scheduler": info.scheduler.as_ref().map(peer),
        "queued_tasks": engines.iter().map(|engine| u64::from(engine.queued_tasks)).sum::<u64>(),
        "unassigned_tasks": unassigned_tasks,
        "engines": engines.iter().map(engine).collect::<Vec<_>>(),
    })
}

fn print(connection: &ConnectionFile, answers: &Answers) {
    let Answers { info, engines, unassigned_tasks } = answers;
    println!("Cluster '{}' of profile '{}'", info.cluster_id, connection.profile);
    for (name, peer) in [("controller", &info.controller), ("scheduler", &info.scheduler)] {
        match peer {
            Some(peer) => println!("  {name:<11} {}  pid {} on {}", peer.version, peer.pid, peer.hostname),
            None => println!("  {name:<11} not there"),
        }
    }
    if let Some(tasks) = unassigned_tasks {
        println!("  {:<11} {tasks} tasks for any engine", "waiting");
    }
    let rows: Vec<_> = engines
        .iter()
        .map(|status| {
            let engine = status.engine.clone().unwrap_or_default();
            let peer = engine.peer.unwrap_or_default();
            [
                engine.engine_id.to_string(),
                state(status).to_owned(),
                status.queued_tasks.to_string(),
                status.claimed_tasks.to_string(),
                status.completed_tasks.to_string(),
                peer.pid.to_string(),
                peer.python_version,
                peer.hostname,
            ]
        })
        .collect();
    println!();
    table::print(["ENGINE", "STATE", "QUEUED", "CLAIMED", "DONE", "PID", "PYTHON", "HOST"], &rows);
}
