//! A cluster with engines, and clients of it.

use std::{
    path::PathBuf,
    thread::{self, JoinHandle},
    time::Duration,
};

use paraply::Client;
use paraply_cluster_tests::{cluster::Cluster, service::Service};
use paraply_common::{
    connection::{ConnectionFile, Role, VERSION},
    transport::tls::TlsSettings,
};
use paraply_engine::{Config, Identity, Terminated, labelled, reports};
use tempfile::TempDir;
use tokio::{runtime::Builder, sync::oneshot};

use crate::toy::Toy;

/// How long a new scheduler waits for engines that do not come back.
const LEASE_MILLIS: u32 = 2000;

/// All of it. Dropping it kills it.
pub(crate) struct Home {
    engines: Vec<Engine>,
    pub(crate) scheduler: Option<Service>,
    pub(crate) controller: Service,
    cluster: Cluster,
    folder: TempDir,
}

struct Engine {
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Home {
    /// Services, and so many engines.
    pub(crate) fn new(engines: u32) -> Self {
        let cluster = Cluster::default();
        let (controller, scheduler) = cluster.both();
        let folder = tempfile::tempdir().unwrap();
        let mut home = Self { engines: Vec::new(), scheduler: Some(scheduler), controller, cluster, folder };
        home.connection(Role::Client).write(&home.file()).unwrap();
        home.connection(Role::Engine).write(&home.engine_file()).unwrap();
        for id in 0..engines {
            home.start_engine(id);
        }
        home
    }

    /// What clients read.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("connection.json")
    }

    /// What engines read.
    pub(crate) fn engine_file(&self) -> PathBuf {
        self.folder.path().join("engine.json")
    }

    /// What a connection file of that role has.
    pub(crate) fn connection(&self, role: Role) -> ConnectionFile {
        let token = match role {
            Role::Engine => &self.cluster.engine_token,
            Role::Client | Role::Admin => &self.cluster.client_token,
        };
        ConnectionFile {
            version: VERSION,
            cluster_id: self.cluster.id.clone(),
            role,
            profile: "default".to_owned(),
            endpoints: self.controller.endpoints.clone(),
            token: token.clone(),
            admin_token: None,
            ca: None,
            launcher: None,
        }
    }

    /// The token of clients.
    pub(crate) fn token(&self) -> String {
        self.cluster.client_token.expose().to_owned()
    }

    pub(crate) fn start_engine(&mut self, id: u32) {
        self.start_engine_with(id, &[]);
    }

    /// An engine with labels.
    pub(crate) fn start_engine_with(&mut self, id: u32, labels: &[(&str, &str)]) {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let identity =
            Identity { engine_id: Some(id), labels: labelled("python", labels).unwrap(), ..Identity::default() };
        let grace = Duration::from_millis(100);
        let config = Config::read(&self.engine_file(), TlsSettings::default(), identity, grace).unwrap();
        let (kill, killed) = oneshot::channel();
        let thread = thread::spawn(move || {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
                let (reporter, reports) = reports();
                let terminated = Terminated::new().unwrap();
                tokio::select! {
                    ended = paraply_engine::run(config, Toy::start(reporter), reports, terminated, None) => {
                        ended.unwrap();
                    }
                    _ = killed => {}
                }
            });
        });
        self.engines.push(Engine { kill: Some(kill), thread: Some(thread) });
    }

    /// Cuts off the engine that was started as this one.
    pub(crate) fn kill_engine(&mut self, nth: usize) {
        drop(self.engines.remove(nth));
    }

    /// Cuts the scheduler off, and starts another at its addresses.
    pub(crate) fn restart_scheduler(&mut self) {
        let scheduler = self.scheduler.take().unwrap();
        let port = scheduler.port();
        scheduler.kill();
        let controller = self.controller.addresses();
        let config =
            paraply_scheduler::Config { controller, lease_millis: LEASE_MILLIS, ..self.cluster.scheduler_config() };
        self.scheduler = Some(self.cluster.scheduler_with(config, port));
    }

    /// A client that sees all engines.
    pub(crate) async fn client(&self) -> Client {
        let client = Client::builder().file(self.file()).label("test").connect().await.unwrap();
        client.wait_for_engines(self.engines.len()).await.unwrap();
        client
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It has ended by itself if this fails.
        let _ = self.kill.take().map(|kill| kill.send(()));
        if let Some(thread) = self.thread.take() {
            // A test that fails has said why already.
            let _ = thread.join();
        }
    }
}
