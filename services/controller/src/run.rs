//! The service from its start to its end.

use std::{pin::Pin, sync::Arc};

use futures_util::future::try_join;
use paraply_common::{
    actor,
    config::ConfigError,
    health::{self, Pulse},
    line::LineStream,
    mailbox::mailbox,
    reflection,
    secret::Secret,
    shutdown::Shutdown,
    spawn::spawn,
    telemetry::{PublishError, Published, Publisher},
    tower::{
        auth::AuthLayer,
        count::CountLayer,
        pass_through::{PassThroughLayer, Upstream},
    },
    transport::{ListenError, Listener, MAX_MESSAGE_BYTES, ServeError, Server, serve, tls::TlsError},
};
use paraply_core::membership::{Demand, Membership, Stimulus as Machine, WatchKind};
use paraply_proto::controller::v1::{
    WatchEnginesResponse, cluster_service_server::ClusterServiceServer,
    membership_service_server::MembershipServiceServer,
};
use tokio::sync::watch;
use tonic::service::Routes;

use crate::{
    actor::Controller,
    cluster_service::Cluster,
    config::Config,
    figures::Figures,
    handle::Handle,
    membership_service::Members,
    scaler::Scaler,
    state::{State, StateError},
};

/// How many stimuli wait for the actor before its callers do.
const MAILBOX: usize = 1024;

const SERVICES: &[&str] = &["paraply.controller.v1.ClusterService", "paraply.controller.v1.MembershipService"];

/// Packages that are the scheduler's.
const PASSED_ON: &[&str] = &["paraply.scheduler.v1", "paraply.blob.v1"];

/// Why the controller has ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A token is missing.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificates and keys.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What the process before has kept cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The schema in this program is unreadable.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The listener of scalers.
    #[error("the setting `scaler`: {0}")]
    Scaler(#[from] ListenError),
    /// The transport failed.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The admin listener, or the thread for metrics.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The actor ended before it was told to.
    #[error("the controller's actor has ended: {0}")]
    Actor(String),
}

/// Launches engines in this process, told what a caller of `WatchEngines` is told who says that it launches engines.
pub type Launch = Box<dyn FnOnce(LineStream<WatchEnginesResponse>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Serves the control plane on `listeners` until `shutdown`.
///
/// # Errors
/// If it cannot start, or fails as a whole.
pub async fn run(
    config: Config,
    listeners: Vec<Listener>,
    shutdown: Shutdown,
    launch: Option<Launch>,
) -> Result<(), Error> {
    let settings = config.tokens();
    let (tokens, ticket_key) = (settings.clone().tokens()?, settings.ticket_key()?);
    let tls = config.tls().client("controller", None)?;
    let state = State::open(config.state_dir.as_deref(), &config.cluster_id, &ticket_key)?;
    let machine = Membership::new(config.membership()?, state.next_engine_id());
    let (demand, demanded) = watch::channel(None);
    let scaler = Scaler::bind(&config)?;
    let upstream = Upstream::new("scheduler", tls);
    let pulse = Pulse::default();
    let (mailbox, inbox) = mailbox(MAILBOX);
    let handle = Handle::new(mailbox);
    let calls = CountLayer::default();
    let publisher = Publisher::start(Published {
        service: "paraply-controller",
        names: SERVICES,
        admin: config.admin.clone(),
        pulse: pulse.clone(),
        figures: Figures { handle: handle.clone(), calls: calls.clone() },
    })?;
    let server = Server {
        calls,
        routes: routes(&config, ticket_key, handle.clone(), pulse.clone())?,
        auth: Some(AuthLayer::new(tokens)),
        pass_through: Some(PassThroughLayer::new(upstream.clone(), PASSED_ON)),
    };
    let ending = pulse.clone();
    let scaling = serve_scaler(scaler, server.calls.clone(), demanded, shutdown.clone());
    let mut actor = Controller::new(machine, config.engines_restart, state, upstream, demand);
    let mut actor = spawn(async move { actor::run(&mut actor, inbox, pulse).await });
    let _launching = match launch {
        Some(launch) => {
            let watch = handle.watch_engines(WatchKind::Launcher).await;
            Some(spawn(launch(watch.map_err(|status| Error::Actor(status.message().to_owned()))?)))
        }
        None => None,
    };
    tracing::info!(
        cluster = config.cluster_id,
        endpoints = ?listeners.iter().filter_map(Listener::endpoint).collect::<Vec<_>>(),
        "controller is up"
    );
    let end_streams = async {
        shutdown.begun().await;
        ending.stop();
        // Streams end with a reason; who hears it too late is cut off with the rest.
        let _actor_ended = handle.tell(Machine::Shutdown).await;
        std::future::pending().await
    };
    tokio::select! {
        result = try_join(serve(listeners, server, &shutdown), scaling) => {
            result?;
        }
        ended = &mut actor => return Err(Error::Actor(ended.err().map_or_else(|| "nobody can reach it".into(), |e| e.to_string()))),
        never = end_streams => never,
    }
    publisher.finish().await;
    Ok(())
}

/// Serves scalers outside, where they are to be served.
async fn serve_scaler(
    scaler: Option<Listener>,
    calls: CountLayer,
    demand: watch::Receiver<Option<Demand>>,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    let Some(listener) = scaler else { return Ok(()) };
    tracing::info!(endpoint = ?listener.endpoint(), "scalers are served");
    let routes = Routes::new(Scaler::new(demand, shutdown.clone()).server());
    let server = Server { calls, routes, auth: None, pass_through: None };
    serve(vec![listener], server, &shutdown).await
}

fn routes(config: &Config, ticket_key: Secret, handle: Handle, pulse: Pulse) -> Result<Routes, Error> {
    let cluster_id: Arc<str> = config.cluster_id.as_str().into();
    let cluster = Cluster { cluster_id: Arc::clone(&cluster_id), handle: handle.clone() };
    let members = Members { cluster_id, ticket_key, lease_millis: config.lease_millis, handle };
    let mut routes = Routes::builder();
    routes
        .add_service(ClusterServiceServer::new(cluster).max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(MembershipServiceServer::new(members).max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(health::server(pulse, SERVICES));
    reflection::add_to(&mut routes)?;
    Ok(routes.routes())
}
