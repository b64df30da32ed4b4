//! A controller in this process, and clients of it.

use std::{path::PathBuf, time::Duration};

use paraply_common::{
    peer,
    secret::Secret,
    shutdown::{Stop, shutdown},
    spawn::{Task, spawn},
    transport::{Listener, connect, tls::ClientTls},
};
use paraply_controller::{Config, Error};
use paraply_core::membership::Endpoint;
use paraply_proto::{
    common::v1::PeerInfo,
    controller::v1::{
        KeepAliveRequest, KeepAliveResponse, MemberRole, RegisterMemberRequest, RegisterMemberResponse,
        cluster_service_client::ClusterServiceClient, membership_service_client::MembershipServiceClient,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status, Streaming,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

pub(crate) const CLIENT: &str = "client-token-client-token";
pub(crate) const ENGINE: &str = "engine-token-engine-token";

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) struct Bearer(&'static str);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.0).parse().unwrap());
        Ok(request)
    }
}

pub(crate) type Authed = InterceptedService<Channel, Bearer>;

pub(crate) fn authed(channel: Channel, token: &'static str) -> Authed {
    InterceptedService::new(channel, Bearer(token))
}

pub(crate) struct Controller {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) channel: Channel,
    stop: Stop,
    task: Task<Result<(), Error>>,
    _folder: tempfile::TempDir,
}

pub(crate) fn config() -> Config {
    let secret = |text: &str| Some(Secret::try_from(text.to_owned()).unwrap());
    Config {
        cluster_id: "quiet-heron".into(),
        client_token: secret(CLIENT),
        engine_token: secret(ENGINE),
        ..Config::default()
    }
}

impl Controller {
    pub(crate) async fn start() -> Self {
        Self::start_with(config()).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket: PathBuf = folder.path().join("controller.sock");
        let listeners = vec![Listener::unix(&socket).unwrap(), Listener::tcp("127.0.0.1:0").unwrap()];
        let endpoints: Vec<Endpoint> = listeners.iter().filter_map(Listener::endpoint).collect();
        let (stop, shutdown) = shutdown(Duration::from_millis(300));
        let task = spawn(paraply_controller::run(config, listeners, shutdown, None));
        let channel = connect(&endpoints, &ClientTls::default()).await.unwrap();
        Self { endpoints, channel, stop, task, _folder: folder }
    }

    pub(crate) fn cluster(&self) -> ClusterServiceClient<Authed> {
        ClusterServiceClient::new(authed(self.channel.clone(), CLIENT))
    }

    pub(crate) fn members(&self) -> MembershipServiceClient<Authed> {
        MembershipServiceClient::new(authed(self.channel.clone(), ENGINE))
    }

    pub(crate) async fn register(&self, request: RegisterMemberRequest) -> Result<RegisterMemberResponse, Status> {
        let answer = tokio::time::timeout(PATIENCE, self.members().register_member(request)).await;
        answer.expect("an answer in time").map(tonic::Response::into_inner)
    }

    /// Opens a keep-alive stream and says who it is of.
    pub(crate) async fn keep_alive(
        &self,
        first: KeepAliveRequest,
    ) -> Result<(mpsc::Sender<KeepAliveRequest>, Streaming<KeepAliveResponse>), Status> {
        let (says, said) = mpsc::channel(16);
        says.send(first).await.unwrap();
        let answers = self.members().keep_alive(ReceiverStream::new(said)).await?.into_inner();
        Ok((says, answers))
    }

    pub(crate) fn begin_to_stop(&self) {
        self.stop.stop();
    }

    /// Waits for its end, which is bounded in time.
    pub(crate) async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").unwrap().unwrap();
    }
}

pub(crate) fn me() -> PeerInfo {
    peer::this_process("paraply-test")
}

pub(crate) fn incarnation(number: u8) -> bytes::Bytes {
    bytes::Bytes::from(vec![number; 16])
}

pub(crate) fn engine(number: u8) -> RegisterMemberRequest {
    RegisterMemberRequest {
        role: MemberRole::Engine.into(),
        incarnation: incarnation(number),
        peer: Some(me()),
        ..RegisterMemberRequest::default()
    }
}

pub(crate) fn scheduler(number: u8, endpoints: &[Endpoint], next_engine_id: u32) -> RegisterMemberRequest {
    RegisterMemberRequest {
        role: MemberRole::Scheduler.into(),
        endpoints: paraply_common::wire::endpoint::encode(endpoints),
        next_engine_id,
        ..engine(number)
    }
}

pub(crate) fn hello(member_id: u32, number: u8) -> KeepAliveRequest {
    KeepAliveRequest { member_id, incarnation: incarnation(number), ..KeepAliveRequest::default() }
}
