//! `MembershipService`: the control plane, as engines and schedulers call it.

use std::sync::Arc;

use paraply_common::{
    clock,
    feed::first,
    line::LineStream,
    peer,
    secret::Secret,
    ticket,
    wire::{self, WireError, endpoint, members},
};
use paraply_core::{
    id::{EngineId, Incarnation},
    membership::{NewEngine, Stimulus as Machine, WatchKind},
};
use paraply_proto::controller::v1::{
    DeregisterMemberRequest, DeregisterMemberResponse, KeepAliveRequest, KeepAliveResponse, MemberRole,
    RegisterMemberRequest, RegisterMemberResponse, WatchMembersRequest, WatchMembersResponse,
    membership_service_server::MembershipService,
};
use tonic::{Request, Response, Status, Streaming};

use crate::{actor::AnyLine, handle::Handle};

/// Answers engines and schedulers.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    pub(crate) cluster_id: Arc<str>,
    /// What tickets are made with.
    pub(crate) ticket_key: Secret,
    pub(crate) lease_millis: u32,
    pub(crate) handle: Handle,
}

impl Members {
    /// An engine that names an id may have held it before; then it has the ticket for it.
    fn new_engine(&self, incarnation: Incarnation, request: RegisterMemberRequest) -> Result<NewEngine, Status> {
        let id = request.member_id.map(EngineId);
        let proven = match id {
            Some(id) if !request.ticket.is_empty() => {
                if !ticket::verify(&self.ticket_key, &self.cluster_id, id, incarnation, &request.ticket) {
                    return Err(Status::unauthenticated(format!(
                        "the ticket is not for engine id {id} and this incarnation; register without them to get a new id"
                    )));
                }
                true
            }
            _ => false,
        };
        let described = wire::peer::engine_info(EngineId(0), incarnation, request.peer, request.labels);
        Ok(NewEngine {
            incarnation,
            peer: described.peer,
            labels: described.labels,
            id,
            proven,
            registered_unix_nanos: clock::unix_nanos(),
        })
    }
}

fn invalid(error: WireError) -> Status {
    Status::invalid_argument(error.to_string())
}

#[tonic::async_trait]
impl MembershipService for Members {
    async fn register_member(
        &self,
        request: Request<RegisterMemberRequest>,
    ) -> Result<Response<RegisterMemberResponse>, Status> {
        let request = request.into_inner();
        peer::negotiate(request.peer.as_ref())?;
        let incarnation = wire::id::incarnation(&request.incarnation, "incarnation").map_err(invalid)?;
        let grant = match request.role() {
            MemberRole::Engine => {
                let engine = self.new_engine(incarnation, request)?;
                self.handle.register(|request| Machine::RegisterEngine { request, engine }).await?
            }
            MemberRole::Scheduler => {
                let scheduler = members::decode_scheduler(incarnation, request).map_err(invalid)?;
                self.handle.register(|request| Machine::RegisterScheduler { request, scheduler }).await?
            }
            MemberRole::Unspecified => {
                return Err(Status::invalid_argument("role: must be MEMBER_ROLE_ENGINE or MEMBER_ROLE_SCHEDULER"));
            }
        };
        let ticket = ticket::issue(&self.ticket_key, &self.cluster_id, EngineId(grant.member_id), incarnation);
        tracing::info!(member = grant.member_id, %incarnation, "registered");
        Ok(Response::new(RegisterMemberResponse {
            cluster_id: self.cluster_id.to_string(),
            member_id: grant.member_id,
            ticket: ticket.to_vec().into(),
            lease_millis: self.lease_millis,
            controller: Some(peer::this_process("paraply-controller")),
            scheduler_endpoints: endpoint::encode(&grant.scheduler_endpoints),
        }))
    }

    type KeepAliveStream = LineStream<KeepAliveResponse>;

    async fn keep_alive(
        &self,
        request: Request<Streaming<KeepAliveRequest>>,
    ) -> Result<Response<Self::KeepAliveStream>, Status> {
        let mut inbound = request.into_inner();
        let hello = first(&mut inbound).await?;
        let incarnation = wire::id::incarnation(&hello.incarnation, "incarnation").map_err(invalid)?;
        let (member_id, report_of) = (hello.member_id, members::decode_report(&hello));
        let open = |connection| Machine::KeepAliveOpened { connection, member_id, incarnation, report: report_of };
        let opened = self.handle.open(AnyLine::KeepAlive, open).await?;
        let decode = |connection, request: KeepAliveRequest| Machine::KeepAlive {
            connection,
            report: members::decode_report(&request),
        };
        Ok(Response::new(self.handle.read(opened, inbound, decode)))
    }

    async fn deregister_member(
        &self,
        request: Request<DeregisterMemberRequest>,
    ) -> Result<Response<DeregisterMemberResponse>, Status> {
        let DeregisterMemberRequest { member_id, incarnation } = request.into_inner();
        let incarnation = wire::id::incarnation(&incarnation, "incarnation").map_err(invalid)?;
        self.handle.tell(Machine::Deregister { member_id, incarnation }).await?;
        Ok(Response::new(DeregisterMemberResponse {}))
    }

    type WatchMembersStream = LineStream<WatchMembersResponse>;

    async fn watch_members(
        &self,
        _: Request<WatchMembersRequest>,
    ) -> Result<Response<Self::WatchMembersStream>, Status> {
        let watch = |connection| Machine::WatchOpened { connection, kind: WatchKind::Members };
        let opened = self.handle.open(AnyLine::Members, watch).await?;
        Ok(Response::new(self.handle.watch(opened)))
    }
}
