//! `ClusterService`: the control plane, as clients and operators call it.

use std::sync::Arc;

use paraply_common::{
    line::LineStream,
    peer, signal,
    transport::{INLINE_BYTES, MESSAGE_BYTES},
    wire::{endpoint, members},
};
use paraply_core::{
    id::EngineId,
    membership::{Endpoint, EngineStatus, PageLimit, Stimulus as Machine, WatchKind},
};
use paraply_proto::{
    common::v1::{Limits, PeerInfo},
    controller::v1::{
        DrainEngineRequest, DrainEngineResponse, GetClusterInfoRequest, GetClusterInfoResponse, GetEngineRequest,
        GetEngineResponse, ListEnginesRequest, ListEnginesResponse, RemoveEngineRequest, RemoveEngineResponse,
        ScaleEnginesRequest, ScaleEnginesResponse, SignalEnginesRequest, SignalEnginesResponse, WatchEnginesRequest,
        WatchEnginesResponse, cluster_service_server::ClusterService,
    },
};
use prost::Message as _;
use tonic::{Request, Response, Status};

use crate::handle::{Handle, unknown};

/// That one call may ask for.
pub(crate) const MOST_ENGINES: u32 = 4096;
const PAGE: usize = 1000;
const PAGE_LIMIT: PageLimit = PageLimit { engines: PAGE, bytes: MESSAGE_BYTES / 2 };

/// Answers clients and operators.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) cluster_id: Arc<str>,
    pub(crate) handle: Handle,
}

impl Cluster {
    async fn engine(&self, id: u32) -> Result<EngineStatus, Status> {
        let page = self.handle.engines(EngineId(id), PageLimit { engines: 1, bytes: 0 }).await?;
        let engine = page.engines.into_iter().next().filter(|engine| engine.info.id.0 == id);
        engine.ok_or_else(|| unknown(id))
    }
}

#[tonic::async_trait]
impl ClusterService for Cluster {
    async fn get_cluster_info(
        &self,
        request: Request<GetClusterInfoRequest>,
    ) -> Result<Response<GetClusterInfoResponse>, Status> {
        // A person at a command line need not introduce himself; who does has to be understood.
        if let Some(caller) = &request.get_ref().peer {
            peer::negotiate(Some(caller))?;
        }
        let scheduler = self.handle.scheduler().await?;
        let mut endpoints = scheduler.as_ref().map_or_else(Vec::new, |scheduler| scheduler.endpoints.clone());
        // Calls for the scheduler are passed on, so the caller's way here leads there too.
        endpoints.push(Endpoint::Same);
        Ok(Response::new(GetClusterInfoResponse {
            cluster_id: self.cluster_id.to_string(),
            controller: Some(peer::this_process("paraply-controller")),
            scheduler: scheduler.map(|scheduler| PeerInfo::decode(scheduler.peer).unwrap_or_default()),
            scheduler_endpoints: endpoint::encode(&endpoints),
            limits: Some(Limits {
                message_bytes: MESSAGE_BYTES as u32,
                inline_bytes: INLINE_BYTES as u32,
                ..Limits::default()
            }),
            capabilities: Vec::new(),
            autoscaling: self.handle.autoscaling().await?,
        }))
    }

    async fn list_engines(
        &self,
        request: Request<ListEnginesRequest>,
    ) -> Result<Response<ListEnginesResponse>, Status> {
        let ListEnginesRequest { page_size, page_token } = request.into_inner();
        let first = members::decode_page_token(&page_token);
        let first = first.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let asked = if page_size == 0 { PAGE } else { PAGE.min(page_size as usize) };
        let page = self.handle.engines(first, PageLimit { engines: asked, ..PAGE_LIMIT }).await?;
        Ok(Response::new(ListEnginesResponse {
            engines: page.engines.iter().map(members::encode_status).collect(),
            next_page_token: members::encode_page_token(page.next),
        }))
    }

    async fn get_engine(&self, request: Request<GetEngineRequest>) -> Result<Response<GetEngineResponse>, Status> {
        let engine = self.engine(request.get_ref().engine_id).await?;
        Ok(Response::new(GetEngineResponse { engine: Some(members::encode_status(&engine)) }))
    }

    type WatchEnginesStream = LineStream<WatchEnginesResponse>;

    async fn watch_engines(
        &self,
        request: Request<WatchEnginesRequest>,
    ) -> Result<Response<Self::WatchEnginesStream>, Status> {
        let kind = if request.get_ref().launcher { WatchKind::Launcher } else { WatchKind::Status };
        Ok(Response::new(self.handle.watch_engines(kind).await?))
    }

    async fn drain_engine(
        &self,
        request: Request<DrainEngineRequest>,
    ) -> Result<Response<DrainEngineResponse>, Status> {
        self.handle.order(request.get_ref().engine_id, |engine| Machine::Drain { engine }).await?;
        Ok(Response::new(DrainEngineResponse {}))
    }

    async fn scale_engines(
        &self,
        request: Request<ScaleEnginesRequest>,
    ) -> Result<Response<ScaleEnginesResponse>, Status> {
        let engines = request.get_ref().engines;
        if engines > MOST_ENGINES {
            return Err(Status::invalid_argument(format!(
                "engines: {engines} are too many, the most is {MOST_ENGINES}"
            )));
        }
        let engines_before = self.handle.scale(engines).await?;
        Ok(Response::new(ScaleEnginesResponse { engines_before }))
    }

    async fn remove_engine(
        &self,
        request: Request<RemoveEngineRequest>,
    ) -> Result<Response<RemoveEngineResponse>, Status> {
        self.handle.order(request.get_ref().engine_id, |engine| Machine::Remove { engine }).await?;
        Ok(Response::new(RemoveEngineResponse {}))
    }

    async fn signal_engines(
        &self,
        request: Request<SignalEnginesRequest>,
    ) -> Result<Response<SignalEnginesResponse>, Status> {
        let SignalEnginesRequest { engine_ids, signal } = request.into_inner();
        if signal::number(&signal).is_none() {
            let message = format!("signal: {signal:?} is not the name of a signal, such as SIGINT or SIGUSR1");
            return Err(Status::invalid_argument(message));
        }
        let engines = engine_ids.into_iter().map(EngineId).collect();
        self.handle.signal(engines, signal.into()).await?;
        Ok(Response::new(SignalEnginesResponse {}))
    }
}
