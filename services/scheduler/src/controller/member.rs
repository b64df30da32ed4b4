//! Registering, again and again.

use std::time::Duration;

use paraply_common::{
    bearer::Bearer,
    clock,
    mailbox::Mailbox,
    shutdown::Shutdown,
    tokens::Tokens,
    transport::{DialError, connect, said, tls::ClientTls},
    wire::{ServerIdentity, WireError, endpoint, id::encode_id},
};
use paraply_core::{id::Incarnation, membership::Endpoint};
use paraply_proto::controller::v1::{
    DeregisterMemberRequest, MemberRole, RegisterMemberRequest, membership_service_client::MembershipServiceClient,
};
use tokio::sync::oneshot;
use tonic::{Code, Status, service::interceptor::InterceptedService, transport::Channel};

use super::{News, loads::Told};
use crate::shell::{Answer, Stimulus};

/// Between two tries to reach a controller.
const PAUSE: Duration = Duration::from_millis(500);

/// How long leaving may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// What registering takes.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) controller: Vec<Endpoint>,
    pub(crate) tokens: Tokens,
    /// For a controller at a TLS endpoint.
    pub(crate) tls: ClientTls,
    pub(crate) incarnation: Incarnation,
    pub(crate) identity: ServerIdentity,
    /// Where this scheduler is.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) mailbox: Mailbox<Stimulus>,
    pub(crate) news: News,
}

/// Another process is the cluster's scheduler now. Whoever still talks to this one is to go there.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("another scheduler process has taken over this cluster, so this one has ended")]
pub struct Superseded;

/// Why the link to the controller ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{}", said(.0))]
    Refused(#[from] Status),
    #[error("the controller's answer cannot be read: {0}")]
    Malformed(#[from] WireError),
    #[error("the controller serves the cluster {0:?}: the setting `controller` leads to another cluster")]
    OtherCluster(String),
    #[error(transparent)]
    Superseded(#[from] Superseded),
    #[error("the controller ended the stream")]
    Ended,
    #[error("the scheduler is shutting down")]
    ShuttingDown,
}

/// What the controller gave.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub(super) id: u32,
    ticket: bytes::Bytes,
    pub(super) lease: Duration,
}

pub(super) type Client = MembershipServiceClient<InterceptedService<Channel, Bearer>>;

/// ALREADY_EXISTS means of a scheduler that a later one has registered.
fn refused(status: Status) -> LinkError {
    if status.code() == Code::AlreadyExists { Superseded.into() } else { status.into() }
}

/// Is a member until the service stops, with whichever controller is there, or until another scheduler is in its place.
pub(crate) async fn keep(member: Member, shutdown: Shutdown) -> Result<(), Superseded> {
    if member.controller.is_empty() {
        tracing::warn!("the setting `controller` is empty: this scheduler is on its own");
        return Ok(());
    }
    let mut known = None;
    let mut told = Told::default();
    loop {
        let error = tokio::select! {
            error = member.stay(&mut known, &mut told) => error,
            () = shutdown.begun() => break,
        };
        if let LinkError::Superseded(superseded) = error {
            return Err(superseded);
        }
        tracing::warn!(%error, "no link to the controller");
        tokio::select! {
            () = clock::sleep_until(clock::now() + PAUSE) => {}
            () = shutdown.begun() => break,
        }
    }
    if let Some(membership) = known {
        tokio::select! {
            result = member.leave(&membership) => if let Err(error) = result {
                tracing::debug!(%error, "could not take leave of the controller");
            },
            () = clock::sleep_until(clock::now() + FAREWELL) => {}
        }
    }
    Ok(())
}

impl Member {
    /// Registers and stays registered for as long as that works.
    async fn stay(&self, known: &mut Option<Membership>, told: &mut Told) -> LinkError {
        let mut client = match self.client().await {
            Ok(client) => client,
            Err(error) => return error,
        };
        match self.register(&mut client, known.as_ref()).await {
            Ok(membership) => {
                tracing::info!(member = membership.id, "registered with the controller");
                told.start_over();
                let lease = known.insert(membership).clone();
                self.hold_lease(client, &lease, told).await
            }
            Err(error) => error,
        }
    }

    async fn client(&self) -> Result<Client, LinkError> {
        let bearer = Bearer::new(self.tokens.get().engine.current())?;
        Ok(MembershipServiceClient::with_interceptor(connect(&self.controller, &self.tls).await?, bearer))
    }

    async fn register(&self, client: &mut Client, known: Option<&Membership>) -> Result<Membership, LinkError> {
        let answer = self.ask().await?;
        let response = client.register_member(RegisterMemberRequest {
            role: MemberRole::Scheduler.into(),
            incarnation: encode_id(self.incarnation.to_bytes()),
            peer: Some(self.identity.peer.clone()),
            member_id: known.map(|membership| membership.id),
            ticket: known.map(|membership| membership.ticket.clone()).unwrap_or_default(),
            endpoints: endpoint::encode(&self.endpoints),
            next_engine_id: answer.next_engine_id,
            ..RegisterMemberRequest::default()
        });
        let response = response.await.map_err(refused)?.into_inner();
        if response.cluster_id != self.identity.cluster_id {
            return Err(LinkError::OtherCluster(response.cluster_id));
        }
        let lease = Duration::from_millis(response.lease_millis.into());
        Ok(Membership { id: response.member_id, ticket: response.ticket, lease })
    }

    async fn leave(&self, membership: &Membership) -> Result<(), LinkError> {
        let incarnation = encode_id(self.incarnation.to_bytes());
        let request = DeregisterMemberRequest { member_id: membership.id, incarnation };
        self.client().await?.deregister_member(request).await?;
        Ok(())
    }

    /// What the scheduler holds.
    pub(super) async fn ask(&self) -> Result<Answer, LinkError> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.send(Stimulus::Ask { longest_running: 0, reply }).await.map_err(|_| LinkError::ShuttingDown)?;
        answer.await.map_err(|_| LinkError::ShuttingDown)
    }
}
