//! What is behind the controller in the tests of passing on: one echo, one endless source, one slow sink.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use paraply_common::{
    shutdown::{Stop, shutdown},
    spawn::{Task, spawn},
    tokens::{TokenSet, Tokens},
    tower::{
        auth::AuthLayer,
        count::CountLayer,
        pass_through::{PassThroughLayer, Upstream},
    },
    transport::{Listener, MAX_MESSAGE_BYTES, Server, serve, tls::ClientTls},
};
use paraply_core::membership::Endpoint;
use paraply_proto::{
    blob::v1::{
        BlobChunk, QueryWriteStatusRequest, QueryWriteStatusResponse, ReadBlobRequest, ReadBlobResponse,
        WriteBlobRequest, WriteBlobResponse,
        blob_service_server::{BlobService, BlobServiceServer},
    },
    scheduler::v1::{
        AttachEngineRequest, AttachEngineResponse, SchedulerHeartbeat, attach_engine_response,
        engine_link_service_server::{EngineLinkService, EngineLinkServiceServer},
    },
};
use tokio::sync::Notify;
use tonic::{Request, Response, Status, Streaming, service::Routes};

use crate::support::config;

/// Bytes of one chunk.
pub(crate) const CHUNK: usize = 256 << 10;

#[derive(Clone, Debug, Default)]
pub(crate) struct Fake {
    /// Chunks that it made.
    pub(crate) made: Arc<AtomicU64>,
    /// When it begins to read what is written.
    pub(crate) read: Arc<Notify>,
    /// The metadata `note` of the last call.
    pub(crate) note: Arc<std::sync::Mutex<Option<String>>>,
}

pub(crate) struct FakeScheduler {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) fake: Fake,
    stop: Stop,
    task: Task<()>,
}

impl FakeScheduler {
    pub(crate) fn start() -> Self {
        let fake = Fake::default();
        let mut routes = Routes::builder();
        routes
            .add_service(BlobServiceServer::new(fake.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES))
            .add_service(EngineLinkServiceServer::new(fake.clone()));
        let config = config();
        let tokens = TokenSet::new(config.client_token.unwrap(), config.engine_token.unwrap(), None);
        let server = Server {
            calls: CountLayer::default(),
            routes: routes.routes(),
            auth: Some(AuthLayer::new(Tokens::fixed(tokens))),
            pass_through: Some(PassThroughLayer::new(
                Upstream::new("controller", ClientTls::default()),
                &["paraply.controller.v1"],
            )),
        };
        let listener = Listener::tcp("127.0.0.1:0").unwrap();
        let endpoints = vec![listener.endpoint().unwrap()];
        let (stop, shutdown) = shutdown(Duration::ZERO);
        let task = spawn(async move { serve(vec![listener], server, &shutdown).await.unwrap() });
        Self { endpoints, fake, stop, task }
    }

    pub(crate) async fn die(self) {
        self.stop.stop();
        self.task.await.unwrap();
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl EngineLinkService for Fake {
    type AttachEngineStream = Answers<AttachEngineResponse>;

    /// A heartbeat for each message, then a status.
    async fn attach_engine(
        &self,
        request: Request<Streaming<AttachEngineRequest>>,
    ) -> Result<Response<Self::AttachEngineStream>, Status> {
        let note = request.metadata().get("note").and_then(|note| note.to_str().ok()).map(ToOwned::to_owned);
        *self.note.lock().unwrap() = note;
        let echo = request.into_inner().map(|message| {
            message.map(|_| AttachEngineResponse {
                message: Some(attach_engine_response::Message::Heartbeat(SchedulerHeartbeat {})),
            })
        });
        let end = stream::iter([Err(Status::already_exists("so it ends"))]);
        Ok(Response::new(echo.chain(end).boxed()))
    }
}

#[tonic::async_trait]
impl BlobService for Fake {
    /// Reads nothing until it is told to.
    async fn write_blob(
        &self,
        request: Request<Streaming<WriteBlobRequest>>,
    ) -> Result<Response<WriteBlobResponse>, Status> {
        self.read.notified().await;
        let mut chunks = request.into_inner();
        let mut committed_bytes = 0;
        while chunks.message().await?.is_some() {
            committed_bytes += CHUNK as u64;
        }
        Ok(Response::new(WriteBlobResponse { committed_bytes, durable: false }))
    }

    type ReadBlobStream = Answers<ReadBlobResponse>;

    /// As many chunks as the offset says.
    async fn read_blob(&self, request: Request<ReadBlobRequest>) -> Result<Response<Self::ReadBlobStream>, Status> {
        let made = Arc::clone(&self.made);
        let chunks = stream::iter(0..request.get_ref().offset).map(move |offset| {
            made.fetch_add(1, Ordering::Relaxed);
            let data = Bytes::from(vec![offset as u8; CHUNK]);
            Ok(ReadBlobResponse { chunk: Some(BlobChunk { offset, data }) })
        });
        Ok(Response::new(chunks.boxed()))
    }

    async fn query_write_status(
        &self,
        _: Request<QueryWriteStatusRequest>,
    ) -> Result<Response<QueryWriteStatusResponse>, Status> {
        Err(Status::not_found("no such blob"))
    }
}
