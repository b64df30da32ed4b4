//! A scheduler from start to end.

use std::io;

use paraply_common::{
    config::ConfigError,
    health::Pulse,
    peer, reflection,
    shutdown::Shutdown,
    spawn::spawn,
    telemetry::{PublishError, Published, Publisher, Spans, attribute},
    tower::{
        auth::AuthLayer,
        pass_through::{PassThroughLayer, Upstream},
    },
    transport::{Listener, ServeError, Server, serve, tls::TlsError},
    wire::ServerIdentity,
};
use paraply_core::{
    id::{Epoch, Incarnation},
    scheduler,
};

use crate::{
    blob::{Files, start_thread},
    config::Config,
    controller::{self, Member, News, Superseded},
    parts::{Parts, Process, SERVICES, parts},
    shell::Stimulus,
    store::{MemoryStore, Store},
    traces::Traces,
};

/// Why a scheduler cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificates and keys.
    #[error(transparent)]
    Tls(#[from] TlsError),
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
    let settings = config.tokens();
    let (tokens, ticket_key) = (settings.clone().tokens()?, settings.ticket_key()?);
    let tls = config.tls().client("scheduler", None)?;
    let endpoints = config.endpoints(&listeners)?;
    let identity = ServerIdentity {
        cluster_id: config.cluster_id.clone(),
        peer: peer::this_process("paraply-scheduler"),
        limits: config.limits(),
    };
    // Never 0, which means "none" on the wire.
    let epoch = Epoch(getrandom::u64()? | 1);
    let incarnation = Incarnation(u128::from(getrandom::u64()?) << 64 | u128::from(getrandom::u64()?));
    tracing::info!(epoch = epoch.0, %incarnation, cluster = identity.cluster_id, "scheduler starts");

    let news = News::default();
    let pulse = Pulse::default();
    let thread = start_thread()?;
    let files = config.blob_dir.as_deref().map_or_else(|| Files::passing(incarnation.0), Files::at);
    let spans = Spans::start("paraply-scheduler", vec![attribute("paraply.cluster.id", config.cluster_id.clone())]);
    let traces = spans.clone().map(|spans| Traces::new(spans, config.traced_tasks));
    let process = Process { identity: identity.clone(), epoch, news: news.clone(), pulse: pulse.clone(), traces };
    let Parts { mailbox, mut acting, sweeping, mut routes, figures, .. } =
        parts(&config, &ticket_key, process, files, &thread.spawner(), records);
    let calls = figures.calls.clone();
    let (service, admin) = ("paraply-scheduler", config.admin.clone());
    let publisher = Publisher::start(Published { service, names: SERVICES, admin, pulse: pulse.clone(), figures })?;
    reflection::add_to(&mut routes)?;

    let upstream = Upstream::new("controller", tls.clone());
    upstream.set(&config.controller_endpoints());
    let server = Server {
        routes: routes.routes(),
        calls,
        auth: Some(AuthLayer::new(tokens.clone())),
        pass_through: Some(PassThroughLayer::new(upstream, &["paraply.controller.v1"])),
    };
    let member = Member {
        controller: config.controller_endpoints(),
        tokens,
        tls,
        incarnation,
        identity,
        endpoints,
        mailbox: mailbox.clone(),
        news: news.clone(),
    };

    tracing::info!(endpoints = ?member.endpoints, "scheduler is up");

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
