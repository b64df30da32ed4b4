//! The engine as a member of the cluster: registers with the controller, keeps the lease, learns where the scheduler is.
//!
//! A controller that goes away stops nothing: the engine looks for it until it is back, and registers again with the
//! identity that it has.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use paraply_common::{
    clock, signal,
    spawn::{Task, spawn},
    transport::{
        self, DialError,
        tls::{ClientTls, TlsError},
    },
    wire::{endpoint, peer},
};
use paraply_core::{id::EngineId, membership::Endpoint, session_link::EngineInfo};
use paraply_proto::controller::v1::{
    self as proto, KeepAliveRequest, KeepAliveResponse, MemberRole, RegisterMemberRequest, RegisterMemberResponse,
    membership_service_client::MembershipServiceClient,
};
use rustix::process::{getpid, kill_process};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Request, Status, Streaming,
    metadata::{Ascii, MetadataValue},
};

use crate::{
    config::{self, Config},
    error::Error,
    roads::Roads,
    runtime::Runtime,
};

const MIN_DELAY: Duration = Duration::from_millis(25);
const MAX_DELAY: Duration = Duration::from_secs(2);

/// What the cluster knows the engine by, and where its scheduler is.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) info: Arc<EngineInfo>,
    pub(crate) cluster_id: String,
    pub(crate) ticket: Bytes,
    /// The header that carries the token which the controller has just accepted.
    pub(crate) bearer: Option<MetadataValue<Ascii>>,
    /// For a scheduler at a TLS endpoint.
    pub(crate) tls: ClientTls,
    /// Where the scheduler is, if there is one.
    pub(crate) roads: Roads,
    /// The controller says that the engine is to leave.
    pub(crate) exit: bool,
    /// It says that the engine is to leave when it has finished what it claimed.
    pub(crate) drain: bool,
}

/// Why a connection to the controller ended, or was not made.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{}", transport::said(.0))]
    Status(#[from] Status),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the controller ended the stream")]
    Ended,
}

struct Member {
    config: Config,
    runtime: Arc<dyn Runtime>,
    published: watch::Sender<Option<Registration>>,
}

/// Starts to be a member. The task ends only when the controller refuses the engine for good.
pub(crate) fn join(config: Config, runtime: Arc<dyn Runtime>) -> (Task<Error>, watch::Receiver<Option<Registration>>) {
    let (published, watched) = watch::channel(None);
    (spawn(Member { config, runtime, published }.stay()), watched)
}

impl Member {
    async fn stay(mut self) -> Error {
        let mut delay = MIN_DELAY;
        let mut told = None;
        loop {
            let started = clock::now();
            let Err(trouble) = self.stay_connected().await;
            let registered = self.published.borrow().is_some();
            if !registered
                && let Trouble::Status(status) = &trouble
                && is_final(status.code())
            {
                return Error::Refused { message: status.message().to_owned() };
            }
            if clock::now().since(started) > MAX_DELAY {
                delay = MIN_DELAY;
                tracing::warn!(%trouble, "lost the controller; looking for it");
                told = None;
            } else {
                // Once, and not at every try.
                let trouble = trouble.to_string();
                if told.as_ref() != Some(&trouble) {
                    tracing::warn!(trouble, "cannot reach the controller; trying until it can be");
                    told = Some(trouble);
                }
            }
            clock::sleep_until(clock::now() + self.jittered(delay)).await;
            delay = (delay * 2).min(MAX_DELAY);
            // The cluster may have been started anew in the same place.
            if let Ok(connection) = config::read_engine_file(&self.config.path) {
                self.config.connection = connection;
            }
        }
    }

    /// Half of `delay` to all of it, so that a controller that comes back is not met by everyone at once.
    fn jittered(&self, delay: Duration) -> Duration {
        let share = (self.config.incarnation.0 % 1024) as u32;
        delay / 2 + delay / 2048 * share
    }

    async fn stay_connected(&mut self) -> Result<std::convert::Infallible, Trouble> {
        let channel = transport::connect(&self.config.connection.endpoints, &self.config.client_tls()?).await?;
        let bearer = config::bearer(&self.config.connection);
        let authorize = move |mut request: Request<()>| {
            if let Some(bearer) = bearer.clone() {
                request.metadata_mut().insert("authorization", bearer);
            }
            Ok(request)
        };
        let mut client = MembershipServiceClient::with_interceptor(channel, authorize);
        let registered = client.register_member(self.request()).await?.into_inner();
        let lease = Duration::from_millis(registered.lease_millis.into());
        let id = registered.member_id;
        self.register(registered)?;
        let (sender, requests) = mpsc::channel(1);
        let answers = client.keep_alive(ReceiverStream::new(requests));
        let first = KeepAliveRequest {
            member_id: id,
            incarnation: Bytes::copy_from_slice(&self.config.incarnation.to_bytes()),
            ..KeepAliveRequest::default()
        };
        sender.send(first).await.map_err(|_| Trouble::Ended)?;
        let answers = answers.await?.into_inner();
        self.keep_alive(sender, answers, lease / 3).await
    }

    async fn keep_alive(
        &mut self,
        sender: mpsc::Sender<KeepAliveRequest>,
        mut answers: Streaming<KeepAliveResponse>,
        interval: Duration,
    ) -> Result<std::convert::Infallible, Trouble> {
        loop {
            let due = clock::sleep_until(clock::now() + interval);
            tokio::pin!(due);
            loop {
                tokio::select! {
                    answer = answers.message() => self.answered(answer?.ok_or(Trouble::Ended)?),
                    () = &mut due => break,
                }
            }
            sender.send(KeepAliveRequest::default()).await.map_err(|_| Trouble::Ended)?;
            self.read_again()?;
        }
    }

    /// A token or an authority that has taken another's place is used for the next connection.
    fn read_again(&mut self) -> Result<(), TlsError> {
        // What is not there, or is another cluster's, is none of this connection's affair.
        let Ok(connection) = config::read_engine_file(&self.config.path) else { return Ok(()) };
        if connection.cluster_id != self.config.connection.cluster_id {
            return Ok(());
        }
        let (bearer, tls) = (config::bearer(&connection), self.config.tls.client("engine", connection.ca.as_deref())?);
        self.published.send_if_modified(|registration| {
            let Some(registration) = registration else { return false };
            let changed = registration.bearer != bearer || registration.tls != tls;
            (registration.bearer, registration.tls) = (bearer, tls);
            changed
        });
        self.config.connection = connection;
        Ok(())
    }

    fn request(&self) -> RegisterMemberRequest {
        let identity = &self.config.identity;
        let held = self.published.borrow();
        let held = held.as_ref();
        RegisterMemberRequest {
            role: MemberRole::Engine.into(),
            incarnation: Bytes::copy_from_slice(&self.config.incarnation.to_bytes()),
            peer: Some(self.config.peer()),
            labels: identity.labels.iter().cloned().collect(),
            member_id: held.map(|held| held.info.id.0).or(identity.engine_id),
            ticket: held.map(|held| held.ticket.clone()).unwrap_or_default(),
            ..RegisterMemberRequest::default()
        }
    }

    fn register(&self, registered: RegisterMemberResponse) -> Result<(), TlsError> {
        let tls = self.config.client_tls()?;
        let id = EngineId(registered.member_id);
        let labels: HashMap<String, String> = self.config.identity.labels.iter().cloned().collect();
        let info = peer::engine_info(id, self.config.incarnation, Some(self.config.peer()), labels);
        tracing::info!(engine = %id, cluster = registered.cluster_id, "registered");
        self.published.send_replace(Some(Registration {
            info: Arc::new(info),
            cluster_id: registered.cluster_id,
            ticket: registered.ticket,
            bearer: config::bearer(&self.config.connection),
            tls,
            roads: Roads {
                direct: endpoints(registered.scheduler_endpoints),
                controller: self.config.connection.endpoints.clone(),
            },
            exit: false,
            drain: false,
        }));
        Ok(())
    }

    fn answered(&self, answer: KeepAliveResponse) {
        for name in &answer.signals {
            if name != "SIGINT" || !self.runtime.interrupt_running() {
                deliver(name);
            }
        }
        if answer.scheduler_endpoints.is_empty() && !answer.exit && !answer.drain {
            return;
        }
        let scheduler = endpoints(answer.scheduler_endpoints);
        self.published.send_if_modified(|registration| {
            let Some(registration) = registration else { return false };
            let moved = !scheduler.is_empty() && registration.roads.direct != scheduler;
            if moved {
                registration.roads.direct = scheduler;
            }
            registration.exit |= answer.exit;
            registration.drain |= answer.drain;
            moved || answer.exit || answer.drain
        });
    }
}

/// Where the scheduler is.
fn endpoints(endpoints: Vec<proto::Endpoint>) -> Vec<Endpoint> {
    endpoint::decode(endpoints, "scheduler_endpoints").unwrap_or_else(|error| {
        tracing::warn!(%error, "the controller sent endpoints that cannot be read");
        Vec::new()
    })
}

/// Gives this process a signal. Of its threads only the main one takes any: user code hears it as if a shell had sent it.
fn deliver(name: &str) {
    let Some(signal) = signal::number(name) else {
        tracing::warn!(name, "the controller sent a signal that is none here");
        return;
    };
    tracing::info!(name, "a signal from the controller");
    if let Err(error) = kill_process(getpid(), signal) {
        tracing::warn!(name, %error, "cannot deliver a signal");
    }
}

/// Whether an engine that was never registered need not try again.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::Unauthenticated
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::AlreadyExists
            | Code::Unimplemented
    )
}
