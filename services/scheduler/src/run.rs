//! A scheduler from start to end.

use std::{io, sync::Arc, time::Duration};

use paraply_common::{
    actor, clock,
    config::ConfigError,
    health::{self, Pulse},
    mailbox::{Mailbox, mailbox},
    peer, reflection,
    shutdown::Shutdown,
    spawn::spawn,
    telemetry::{PublishError, Published, Publisher, Spans, attribute},
    tower::{
        auth::AuthLayer,
        count::CountLayer,
        pass_through::{PassThroughLayer, Upstream},
    },
    transport::{Listener, MAX_MESSAGE_BYTES, ServeError, Server, serve},
    wire::ServerIdentity,
};
use paraply_core::{
    id::{Epoch, Incarnation},
    scheduler::{self, Scheduler},
};
use paraply_proto::{
    blob::v1::blob_service_server::BlobServiceServer,
    scheduler::v1::{engine_link_service_server::EngineLinkServiceServer, task_service_server::TaskServiceServer},
};
use tonic::service::RoutesBuilder;

use crate::{
    blob::{BlobCalls, BlobStore, Blobs, Files, Limits, OnBlobThread, Transfers, start_thread},
    config::Config,
    controller::{self, Member, News, Superseded},
    engine_link_service::EngineLinks,
    figures::{BlobTraffic, Figures},
    recent::Recent,
    shell::{Shell, Stimulus},
    store::{MemoryStore, Store},
    stream::Access,
    task_service::Tasks,
    traces::Traces,
};

/// Messages that wait for the actor; a peer whose message is one too many waits until there is room.
const MAILBOX: usize = 64;

/// Between two looks for blobs that nobody finishes or fetches.
const SWEEP: Duration = Duration::from_secs(10);

/// What this process serves, by name, as health knows it.
const SERVICES: &[&str] =
    &["paraply.scheduler.v1.TaskService", "paraply.scheduler.v1.EngineLinkService", "paraply.blob.v1.BlobService"];

/// Why a scheduler cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The system has no randomness to give.
    #[error("cannot draw an epoch: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The thread for large bytes cannot be started.
    #[error("cannot start the thread for blobs: {0}")]
    Thread(#[from] io::Error),
    /// Reflection cannot be served: a mistake of the build.
    #[error("cannot read the schema's descriptors: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The admin listener, or the thread for metrics.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// It is another's turn.
    #[error(transparent)]
    Superseded(#[from] Superseded),
    /// The actor has ended, which it does only by a mistake of ours.
    #[error("the scheduler's actor has ended: this is a bug; the log says where")]
    Actor,
}

/// Serves on the listeners until `shutdown`, within its grace, or until another scheduler has taken over. For the latency that is promised, call it on a
/// current-thread runtime that does nothing else.
///
/// # Errors
/// If a setting cannot be used, or the service cannot be set up or fails as a whole.
pub async fn run(config: Config, listeners: Vec<Listener>, shutdown: Shutdown) -> Result<(), Error> {
    run_with_store(config, listeners, shutdown, MemoryStore).await
}

/// The same, with a store of the caller's for the machine's records.
///
/// # Errors
/// As [`run`].
pub async fn run_with_store<S: Store>(
    config: Config,
    listeners: Vec<Listener>,
    shutdown: Shutdown,
    records: S,
) -> Result<(), Error> {
    config.check()?;
    let tokens = config.tokens()?;
    let identity = ServerIdentity {
        cluster_id: config.cluster_id.clone(),
        peer: peer::this_process("paraply-scheduler"),
        limits: config.limits(),
    };
    // Never 0, which means "none" on the wire.
    let epoch = Epoch(getrandom::u64()? | 1);
    let incarnation = Incarnation(u128::from(getrandom::u64()?) << 64 | u128::from(getrandom::u64()?));
    tracing::info!(epoch = epoch.0, %incarnation, cluster = identity.cluster_id, "scheduler starts");

    let (mailbox, inbox) = mailbox(MAILBOX);
    let news = News::default();
    let thread = start_thread()?;
    let store = blob_store(&config, incarnation);
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
    let figures = Figures { mailbox: mailbox.clone(), store: Arc::clone(&store), traffic, calls: calls.clone() };
    let blobs = Blobs { store, transfers, thread: thread.spawner() };
    let access = Access::new(mailbox.clone(), identity.clone());

    let pulse = Pulse::default();
    let (service, admin) = ("paraply-scheduler", config.admin.clone());
    let publisher = Publisher::start(Published { service, names: SERVICES, admin, pulse: pulse.clone(), figures })?;
    let mut routes = RoutesBuilder::default();
    routes
        .add_service(health::server(pulse.clone(), SERVICES))
        .add_service(TaskServiceServer::new(Tasks(access.clone())).max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(
            EngineLinkServiceServer::new(EngineLinks { access, engine_token: tokens.engine.clone() })
                .max_decoding_message_size(MAX_MESSAGE_BYTES),
        )
        .add_service(OnBlobThread::new(
            BlobServiceServer::new(blob_calls).max_decoding_message_size(MAX_MESSAGE_BYTES),
            thread.spawner(),
        ));
    reflection::add_to(&mut routes)?;

    let upstream = Upstream::new("controller");
    upstream.set(&config.controller_endpoints());
    let server = Server {
        routes: routes.routes(),
        calls,
        auth: AuthLayer::new(tokens.clone()),
        pass_through: PassThroughLayer::new(upstream, &["paraply.controller.v1"]),
    };
    let member = Member {
        controller: config.controller_endpoints(),
        engine_token: tokens.engine,
        incarnation,
        identity,
        endpoints: listeners.iter().filter_map(Listener::endpoint).collect(),
        mailbox: mailbox.clone(),
        news: news.clone(),
    };

    let mut machine = Scheduler::new(config.machine(), epoch, clock::now());
    for blob in adopted {
        machine.handle(clock::now(), scheduler::Stimulus::BlobReady { blob });
    }
    let recent = Recent::new(config.recent_tasks, clock::unix_origin());
    let spans = Spans::start("paraply-scheduler", vec![attribute("paraply.cluster.id", config.cluster_id.clone())]);
    let traces = spans.clone().map(|spans| Traces::new(spans, config.traced_tasks));
    let mut shell = Shell::new(machine, blobs.clone(), news, records, recent, traces);
    let beat = pulse.clone();
    let mut acting = spawn(async move { actor::run(&mut shell, inbox, beat).await });
    let sweeping = spawn(sweep(blobs, mailbox.clone()));
    let (stop, shutdown) = shutdown.nested();
    let leaving = shutdown.clone();
    let membership = spawn(async move {
        let kept = controller::keep(member, leaving).await;
        if let Err(superseded) = &kept {
            tracing::error!("{superseded}: sessions and engines are told to go to the other");
            stop.stop();
        }
        kept
    });
    let told = shutdown.clone();
    let ending = spawn(async move {
        told.begun().await;
        pulse.stop();
        // If the actor has ended there is nobody to tell.
        let _ = mailbox.send(Stimulus::Machine(scheduler::Stimulus::Shutdown)).await;
    });

    tokio::select! {
        served = serve(listeners, server, &shutdown) => served?,
        _ = &mut acting => return Err(Error::Actor),
    }
    publisher.finish().await;
    let kept = membership.await;
    drop((acting, sweeping, ending, thread));
    spans.iter().for_each(Spans::finish);
    tracing::info!("scheduler ends");
    // A task that has panicked has said so itself.
    Ok(kept.unwrap_or(Ok(()))?)
}

fn blob_store(config: &Config, incarnation: Incarnation) -> Arc<BlobStore> {
    let files = config.blob_dir.as_deref().map_or_else(|| Files::passing(incarnation.0), Files::at);
    let grace = Duration::from_millis(config.session_grace_millis);
    let limits = Limits { total: config.blob_bytes, memory: config.blob_memory_bytes, grace };
    Arc::new(BlobStore::new(limits, files))
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
