//! `paraply scale`: so many engines, no more and no fewer.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use paraply_common::connection::ConnectionFile;
use paraply_proto::controller::v1::{
    EngineState, EngineStatus, ScaleEnginesRequest, WatchEnginesRequest, WatchEnginesResponse,
    cluster_service_client::ClusterServiceClient, watch_engines_response::Event,
};
use tonic::Streaming;

use super::Cluster;
use crate::{
    block_on,
    cluster_client::{self, ClientError},
    error::Error,
    supervisor::START_PATIENCE,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Engines that are too many finish the task that they run, give back the others, and leave: idle ones first.

Examples:
  paraply scale 8
  paraply scale 0 --no-wait")]
pub(crate) struct Scale {
    /// Engines that there are to be
    #[arg(value_name = "ENGINES", value_parser = clap::value_parser!(u32).range(0..=4096))]
    n: u32,

    /// Do not wait until they are there
    #[arg(long)]
    no_wait: bool,

    #[command(flatten)]
    cluster: Cluster,
}

impl Scale {
    pub(crate) fn run(self) -> Result<(), Error> {
        let folder = self.cluster.running()?;
        let connection = ConnectionFile::read(&folder.connection())?;
        block_on(self.scale(&connection))
    }

    async fn scale(&self, connection: &ConnectionFile) -> Result<(), Error> {
        let asked = async {
            let mut client = ClusterServiceClient::new(cluster_client::connect_as_admin(connection).await?);
            let watch = client.watch_engines(WatchEnginesRequest::default()).await.map_err(ClientError::from)?;
            let request = ScaleEnginesRequest { engines: self.n };
            let before = client.scale_engines(request).await.map_err(ClientError::from)?.into_inner().engines_before;
            Ok((watch.into_inner(), before))
        };
        let (watch, before) = cluster_client::in_time("controller", asked).await?;
        println!("Cluster {}: engines wanted: {}, there: {before}", connection.cluster_id, self.n);
        if self.no_wait {
            return Ok(());
        }
        self.wait(watch).await
    }

    async fn wait(&self, mut watch: Streaming<WatchEnginesResponse>) -> Result<(), Error> {
        let mut engines = Engines::default();
        loop {
            let change = within(START_PATIENCE, watch.message(), &engines, self.n).await?;
            let Some(event) = change.and_then(|response| response.event) else {
                return Err(Error::Client(tonic::Status::unavailable("the controller has ended the stream").into()));
            };
            engines.take(event);
            if engines.count(EngineState::Attached) == self.n as usize {
                let leaving = match engines.count(EngineState::Draining) {
                    0 => String::new(),
                    n => format!(", that finish what they run: {n}"),
                };
                println!("engines that take tasks: {}{leaving}", self.n);
                return Ok(());
            }
        }
    }
}

async fn within<T>(
    patience: Duration,
    waiting: impl Future<Output = Result<T, tonic::Status>>,
    engines: &Engines,
    wanted: u32,
) -> Result<T, Error> {
    let message = || {
        let there = engines.count(EngineState::Attached);
        let seconds = patience.as_secs();
        format!("{there} engines take tasks, {wanted} are wanted, and none has come or gone for {seconds} s")
    };
    let waited = tokio::time::timeout(patience, waiting).await;
    let waited = waited.unwrap_or_else(|_| Err(tonic::Status::deadline_exceeded(message())));
    waited.map_err(|status| Error::Client(status.into()))
}

/// How far each engine is, by id.
#[derive(Default)]
struct Engines(BTreeMap<u32, EngineState>);

impl Engines {
    fn take(&mut self, event: Event) {
        match event {
            Event::Snapshot(snapshot) => snapshot.engines.iter().for_each(|status| self.note(status)),
            Event::Changed(status) => self.note(&status),
            Event::RemovedEngineId(id) => {
                self.0.remove(&id);
            }
            Event::WantedEngines(_) => {}
        }
    }

    fn note(&mut self, status: &EngineStatus) {
        if let Some(engine) = &status.engine {
            self.0.insert(engine.engine_id, status.state());
        }
    }

    fn count(&self, state: EngineState) -> usize {
        self.0.values().filter(|there| **there == state).count()
    }
}
