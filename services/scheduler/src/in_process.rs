//! A scheduler that is called in its own process: no listeners, no controller, no thread of its own. All of it runs on the
//! runtime that starts it, whose clock may be stopped. For tests.

use std::{path::Path, time::Duration};

use paraply_common::{config::ConfigError, health::Pulse, peer, spawn::Task, thread::Spawner, wire::ServerIdentity};
use paraply_core::id::Epoch;
use tokio::sync::oneshot;
use tonic::service::Routes;

use crate::{
    blob::{Blobs, Files},
    config::Config,
    controller::News,
    parts::{Parts, Process, parts},
    shell::Stimulus,
    store::MemoryStore,
};

/// A running scheduler. Dropping it ends it.
pub struct InProcess {
    routes: Routes,
    blobs: Blobs,
    mailbox: paraply_common::mailbox::Mailbox<Stimulus>,
    _running: (Task<()>, Task<()>),
}

/// What is held of large bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Held {
    /// Bytes of the store's limit that are in use.
    pub stored: u64,
    /// Bytes of these in memory.
    pub in_memory: u64,
    /// Blobs that the machine knows of, and those who wait for one.
    pub known: usize,
    /// Readers whose keeper has not come.
    pub waiting: usize,
}

impl InProcess {
    /// Starts it, on the current runtime. Its blobs are in `folder`, on a disk that takes `pace` for everything.
    ///
    /// # Errors
    /// If a setting cannot be used.
    pub fn start(config: &Config, folder: &Path, pace: Duration) -> Result<Self, ConfigError> {
        config.check()?;
        let ticket_key = config.tokens().ticket_key()?;
        let identity = ServerIdentity {
            cluster_id: config.cluster_id.clone(),
            peer: peer::this_process("paraply-scheduler"),
            limits: config.limits(),
        };
        let (news, pulse) = (News::default(), Pulse::default());
        let process = Process { identity, epoch: Epoch(1), news, pulse, traces: None };
        let files = Files::paced(folder, pace);
        let Parts { mailbox, blobs, acting, sweeping, routes, .. } =
            parts(config, &ticket_key, process, files, &Spawner::here(), MemoryStore);
        Ok(Self { routes: routes.routes(), blobs, mailbox, _running: (acting, sweeping) })
    }

    /// What it serves, to be called as a `tower` service.
    #[must_use]
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// What it holds, once it has taken in all that waits for it. `None`: its actor has ended.
    pub async fn held(&self) -> Option<Held> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.send(Stimulus::Ask { longest_running: 0, reply }).await.ok()?;
        let known = answer.await.ok()?.status.blobs;
        let held = self.blobs.store.held();
        Some(Held { stored: held.all(), in_memory: held.memory, known, waiting: self.blobs.transfers.waiting() })
    }

    /// Whether what is counted is what is there.
    ///
    /// # Errors
    /// What is miscounted.
    pub fn check(&self) -> Result<(), String> {
        self.blobs.store.check()
    }
}
