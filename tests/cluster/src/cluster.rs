//! A controller and a scheduler, with the tokens and folders of one cluster.

use std::{path::PathBuf, time::Duration};

use paraply_common::{secret::Secret, ticket};
use paraply_core::id::{EngineId, Incarnation};
use paraply_proto::controller::v1::{
    MemberRole, RegisterMemberRequest, RegisterMemberResponse, membership_service_client::MembershipServiceClient,
};
use tempfile::TempDir;
use tonic::{Code, transport::Channel};

use crate::{
    dial::{Bearer, bearer, dial},
    engine::RawEngine,
    service::Service,
    words,
};

/// How long stopping may take in tests.
pub const GRACE: Duration = Duration::from_millis(500);

/// A cluster in a folder of its own.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    /// Its id.
    pub id: String,
    /// What clients show.
    pub client_token: Secret,
    /// What engines show.
    pub engine_token: Secret,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            id: "test".to_owned(),
            client_token: Secret::random().unwrap(),
            engine_token: Secret::random().unwrap(),
        }
    }
}

impl Cluster {
    /// A configuration of the scheduler, without a controller.
    #[must_use]
    pub fn scheduler_config(&self) -> paraply_scheduler::Config {
        paraply_scheduler::Config {
            cluster_id: self.id.clone(),
            client_token: Some(self.client_token.clone()),
            engine_token: Some(self.engine_token.clone()),
            ..paraply_scheduler::Config::default()
        }
    }

    /// A scheduler on its own.
    #[must_use]
    pub fn scheduler(&self) -> Service {
        self.scheduler_with(self.scheduler_config(), 0)
    }

    /// A scheduler with a configuration and a port.
    #[must_use]
    pub fn scheduler_with(&self, config: paraply_scheduler::Config, port: u16) -> Service {
        let run = move |listeners, shutdown| paraply_scheduler::run(config, listeners, shutdown);
        Service::start(&self.scheduler_socket(), port, GRACE, run)
    }

    /// A scheduler beside the one that [`Cluster::scheduler`] makes, with a socket of this name.
    #[must_use]
    pub fn scheduler_at(&self, socket: &str, config: paraply_scheduler::Config) -> Service {
        let run = move |listeners, shutdown| paraply_scheduler::run(config, listeners, shutdown);
        Service::start(&self.folder.path().join(socket), 0, GRACE, run)
    }

    /// A controller.
    #[must_use]
    pub fn controller(&self) -> Service {
        let config = paraply_controller::Config {
            cluster_id: self.id.clone(),
            client_token: Some(self.client_token.clone()),
            engine_token: Some(self.engine_token.clone()),
            ..paraply_controller::Config::default()
        };
        let run = move |listeners, shutdown| paraply_controller::run(config, listeners, shutdown, None);
        Service::start(&self.folder.path().join("controller.sock"), 0, GRACE, run)
    }

    /// A controller and a scheduler that is its member.
    #[must_use]
    pub fn both(&self) -> (Service, Service) {
        let controller = self.controller();
        let config = paraply_scheduler::Config { controller: controller.addresses(), ..self.scheduler_config() };
        let scheduler = self.scheduler_with(config, 0);
        (controller, scheduler)
    }

    /// Where the scheduler's socket is.
    #[must_use]
    pub fn scheduler_socket(&self) -> PathBuf {
        self.folder.path().join("scheduler.sock")
    }

    /// What a client shows with its calls.
    #[must_use]
    pub fn as_client(&self) -> Bearer {
        bearer(&self.client_token)
    }

    /// What an engine shows with its calls.
    #[must_use]
    pub fn as_engine(&self) -> Bearer {
        bearer(&self.engine_token)
    }

    /// What the controller would give an engine.
    #[must_use]
    pub fn ticket(&self, engine: u32, incarnation: u128) -> [u8; 32] {
        ticket::issue(&self.engine_token, &self.id, EngineId(engine), Incarnation(incarnation))
    }

    /// Registers an engine that wishes for this id; its incarnation is its id.
    pub async fn register_engine(&self, controller: &Service, id: u32) -> RegisterMemberResponse {
        let mut client = MembershipServiceClient::with_interceptor(dial(controller).await, self.as_engine());
        let request = RegisterMemberRequest {
            role: MemberRole::Engine.into(),
            incarnation: u128::from(id).to_be_bytes().to_vec().into(),
            peer: Some(words::peer()),
            member_id: Some(id),
            ..RegisterMemberRequest::default()
        };
        crate::soon("registration", async {
            loop {
                match client.register_member(request.clone()).await {
                    Ok(response) => return response.into_inner(),
                    // No scheduler has registered yet.
                    Err(status) if status.code() == Code::Unavailable => tokio::task::yield_now().await,
                    Err(status) => panic!("{status}"),
                }
            }
        })
        .await
    }

    /// A raw engine of that id, attached.
    pub async fn engine(&self, scheduler: &Service, id: u32) -> RawEngine {
        RawEngine::attach(self, dial(scheduler).await, id).await.unwrap()
    }

    /// A connection of its own to a service.
    pub async fn dial(&self, service: &Service) -> Channel {
        dial(service).await
    }
}
