//! `paraply scale`: so many engines, no more and no fewer.

use std::time::Duration;

use clap::Args;
use paraply_common::connection::{ConnectionFile, Launcher};
use paraply_proto::controller::v1::{
    EngineState, ScaleEnginesRequest, WatchEnginesRequest, WatchEnginesResponse,
    cluster_service_client::ClusterServiceClient, watch_engines_response::Event,
};
use tonic::Streaming;

use super::Reachable;
use crate::{
    block_on, blocking,
    cluster_client::{self, ClientError},
    compose::Project,
    error::Error,
    fleet::Fleet,
    supervisor::{MOST_ENGINES, START_PATIENCE},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Engines that are too many finish the task that they run, give back the others, and leave: idle ones first. Of a cluster in \
containers, they have the grace of their containers for it.

Examples:
  paraply scale 8
  paraply scale 0 --no-wait")]
pub(crate) struct Scale {
    /// Engines that there are to be
    #[arg(value_name = "ENGINES", value_parser = clap::value_parser!(u32).range(0..=i64::from(MOST_ENGINES)))]
    n: u32,

    /// Do not wait until they are there
    #[arg(long)]
    no_wait: bool,

    #[command(flatten)]
    cluster: Reachable,
}

impl Scale {
    pub(crate) fn run(self) -> Result<(), Error> {
        block_on(self.scale(&self.cluster.find()?.0))
    }

    async fn scale(&self, connection: &ConnectionFile) -> Result<(), Error> {
        let project = match &connection.launcher {
            Some(Launcher::Compose(name)) => Some(Project::find(Some(name))?),
            None => None,
        };
        let asked = async {
            let mut client = ClusterServiceClient::new(cluster_client::connect_as_admin(connection).await?);
            let launcher = project.is_some();
            let watch = client.watch_engines(WatchEnginesRequest { launcher }).await.map_err(ClientError::from)?;
            let request = ScaleEnginesRequest { engines: self.n };
            let before = client.scale_engines(request).await.map_err(ClientError::from)?.into_inner().engines_before;
            Ok((watch.into_inner(), before))
        };
        let (watch, before) = cluster_client::in_time("controller", asked).await?;
        println!("Cluster {}: engines wanted: {}, there: {before}", connection.cluster_id, self.n);
        self.wait(watch, project).await
    }

    /// Until they are there, or on their way where that is enough. Launches them itself where nobody else does.
    async fn wait(
        &self,
        mut watch: Streaming<WatchEnginesResponse>,
        mut project: Option<Project>,
    ) -> Result<(), Error> {
        let mut fleet = Fleet::default();
        while project.is_some() || !self.no_wait {
            let change = within(START_PATIENCE, watch.message(), &fleet, self.n).await?;
            let Some(event) = change.and_then(|response| response.event) else {
                return Err(Error::Client(tonic::Status::unavailable("the controller has ended the stream").into()));
            };
            fleet.take(&event);
            if let Event::WantedEngines(wanted) = event
                && let Some(project) = project.take()
            {
                let fleet = fleet.clone();
                blocking(move || project.scale(wanted, &fleet)).await?;
            }
            if project.is_none() && fleet.count(EngineState::Attached) == self.n as usize {
                let leaving = match fleet.count(EngineState::Draining) {
                    0 => String::new(),
                    n => format!(", that finish what they run: {n}"),
                };
                println!("engines that take tasks: {}{leaving}", self.n);
                return Ok(());
            }
        }
        Ok(())
    }
}

async fn within<T>(
    patience: Duration,
    waiting: impl Future<Output = Result<T, tonic::Status>>,
    fleet: &Fleet,
    wanted: u32,
) -> Result<T, Error> {
    let message = || {
        let there = fleet.count(EngineState::Attached);
        let seconds = patience.as_secs();
        format!("{there} engines take tasks, {wanted} are wanted, and none has come or gone for {seconds} s")
    };
    let waited = tokio::time::timeout(patience, waiting).await;
    let waited = waited.unwrap_or_else(|_| Err(tonic::Status::deadline_exceeded(message())));
    waited.map_err(|status| Error::Client(status.into()))
}
