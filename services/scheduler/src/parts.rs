//! What decides and what is served, before anything listens.

use std::{sync::Arc, time::Duration};

use paraply_common::{
    actor, clock,
    health::{self, Pulse},
    mailbox::{Mailbox, mailbox},
    secret::Secret,
    spawn::{Task, spawn},
    thread::Spawner,
    tower::count::CountLayer,
    transport::MAX_MESSAGE_BYTES,
    wire::ServerIdentity,
};
use paraply_core::{
    id::Epoch,
    scheduler::{self, Scheduler},
};
use paraply_proto::scheduler::v1::{
    engine_link_service_server::EngineLinkServiceServer, task_service_server::TaskServiceServer,
};
use tonic::service::RoutesBuilder;

use crate::{
    blob::{BlobCalls, BlobStore, Blobs, Files, Limits, OnBlobThread, Transfers},
    config::Config,
    controller::News,
    engine_link_service::EngineLinks,
    figures::{BlobTraffic, Figures},
    recent::Recent,
    run_task::Runner,
    shell::{Shell, Stimulus},
    store::Store,
    stream::Access,
    task_service::Tasks,
    traces::Traces,
};

/// Messages that wait for the actor; a peer whose message is one too many waits until there is room.
const MAILBOX: usize = 64;

/// Between two looks for blobs that nobody finishes or fetches.
const SWEEP: Duration = Duration::from_secs(10);

/// What this process serves, by name, as health knows it.
pub(crate) const SERVICES: &[&str] =
    &["paraply.scheduler.v1.TaskService", "paraply.scheduler.v1.EngineLinkService", "paraply.blob.v1.BlobService"];

/// Which scheduler it is, and who hears of it.
pub(crate) struct Process {
    pub(crate) identity: ServerIdentity,
    pub(crate) epoch: Epoch,
    pub(crate) news: News,
    pub(crate) pulse: Pulse,
    pub(crate) traces: Option<Traces>,
}

/// A scheduler but for its listeners and its controller.
pub(crate) struct Parts {
    pub(crate) mailbox: Mailbox<Stimulus>,
    pub(crate) blobs: Blobs,
    pub(crate) acting: Task<()>,
    pub(crate) sweeping: Task<()>,
    pub(crate) routes: RoutesBuilder,
    pub(crate) figures: Figures,
}

/// Starts them. Calls of large bytes are answered on `bulk`.
pub(crate) fn parts<S: Store>(
    config: &Config,
    ticket_key: &Secret,
    process: Process,
    files: Files,
    bulk: &Spawner,
    records: S,
) -> Parts {
    let Process { identity, epoch, news, pulse, traces } = process;
    let (mailbox, inbox) = mailbox(MAILBOX);
    let grace = Duration::from_millis(config.session_grace_millis);
    let limits = Limits { total: config.blob_bytes, memory: config.blob_memory_bytes, grace };
    let store = Arc::new(BlobStore::new(limits, files));
    let adopted = store.adopt(clock::now());
    let transfers = Transfers::new(mailbox.clone());
    let traffic = Arc::new(BlobTraffic::default());
    let blob_calls = BlobCalls {
        store: Arc::clone(&store),
        transfers: transfers.clone(),
        mailbox: mailbox.clone(),
        traffic: Arc::clone(&traffic),
    };
    let calls = CountLayer::default();
    let figures = Figures { mailbox: mailbox.clone(), store: Arc::clone(&store), traffic, calls };
    let blobs = Blobs { store, transfers, thread: bulk.clone() };

    let access = Access::new(mailbox.clone(), identity);
    let runner = Runner { access: access.clone(), blobs: blob_calls.clone(), bulk: bulk.clone() };
    let tasks = Tasks { access: access.clone(), runner };
    let engine_links = EngineLinks { access, ticket_key: ticket_key.clone() };
    let mut routes = RoutesBuilder::default();
    routes
        .add_service(health::server(pulse.clone(), SERVICES))
        .add_service(TaskServiceServer::new(tasks).max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(EngineLinkServiceServer::new(engine_links).max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(OnBlobThread::new(blob_calls, bulk.clone()));

    let mut machine = Scheduler::new(config.machine(), epoch, clock::now());
    for blob in adopted {
        machine.handle(clock::now(), scheduler::Stimulus::BlobReady { blob });
    }
    let recent = Recent::new(config.recent_tasks, clock::unix_origin());
    let mut shell = Shell::new(machine, blobs.clone(), news, records, recent, traces);
    let acting = spawn(async move { actor::run(&mut shell, inbox, pulse).await });
    let sweeping = spawn(sweep(blobs.clone(), mailbox.clone()));
    Parts { mailbox, blobs, acting, sweeping, routes, figures }
}

/// Drops blobs that nobody finishes or fetches, and says so to the tasks that wait for them.
async fn sweep(blobs: Blobs, mailbox: Mailbox<Stimulus>) {
    loop {
        clock::sleep_until(clock::now() + SWEEP).await;
        for blob in blobs.sweep(clock::now()) {
            tracing::warn!(%blob, "a blob was given up: its writer was silent for too long, or its session did not come");
            if mailbox.send(Stimulus::Machine(scheduler::Stimulus::BlobGone { blob })).await.is_err() {
                return;
            }
        }
    }
}
