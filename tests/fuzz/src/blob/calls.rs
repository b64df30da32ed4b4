//! Calls of the scheduler's services in its own process. What is said is bytes, which may be no message at all.

use std::marker::PhantomData;

use bytes::{Buf, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use paraply_proto::{
    blob::v1::{QueryWriteStatusResponse, ReadBlobResponse, WriteBlobResponse},
    scheduler::v1::{AttachEngineResponse, OpenSessionResponse},
};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    service::Routes,
};

/// The sending side of a stream: what its receiver has not asked for waits there, as in a connection's window.
pub(super) type Line = mpsc::Sender<Bytes>;

/// A line with room for one message, and what is sent on it.
pub(super) fn line() -> (Line, ReceiverStream<Bytes>) {
    let (line, sent) = mpsc::channel(1);
    (line, ReceiverStream::new(sent))
}

/// Whoever calls.
#[derive(Clone)]
pub(super) struct Calls(pub(super) Routes);

impl Calls {
    pub(super) async fn write(self, sent: ReceiverStream<Bytes>) -> Result<WriteBlobResponse, Status> {
        let (mut grpc, path) = self.method("/paraply.blob.v1.BlobService/WriteBlob");
        let response = grpc.client_streaming(Request::new(sent), path, Raw::default()).await?;
        Ok(response.into_inner())
    }

    pub(super) async fn read(self, request: Bytes) -> Result<Streaming<ReadBlobResponse>, Status> {
        let (mut grpc, path) = self.method("/paraply.blob.v1.BlobService/ReadBlob");
        let response = grpc.server_streaming(Request::new(request), path, Raw::default()).await?;
        Ok(response.into_inner())
    }

    pub(super) async fn query(self, request: Bytes) -> Result<QueryWriteStatusResponse, Status> {
        let (mut grpc, path) = self.method("/paraply.blob.v1.BlobService/QueryWriteStatus");
        let response = grpc.unary(Request::new(request), path, Raw::default()).await?;
        Ok(response.into_inner())
    }

    pub(super) async fn session(self, sent: ReceiverStream<Bytes>) -> Result<Streaming<OpenSessionResponse>, Status> {
        let (mut grpc, path) = self.method("/paraply.scheduler.v1.TaskService/OpenSession");
        let response = grpc.streaming(Request::new(sent), path, Raw::default()).await?;
        Ok(response.into_inner())
    }

    pub(super) async fn engine(self, sent: ReceiverStream<Bytes>) -> Result<Streaming<AttachEngineResponse>, Status> {
        let (mut grpc, path) = self.method("/paraply.scheduler.v1.EngineLinkService/AttachEngine");
        let response = grpc.streaming(Request::new(sent), path, Raw::default()).await?;
        Ok(response.into_inner())
    }

    fn method(self, path: &'static str) -> (Grpc<Routes>, PathAndQuery) {
        (Grpc::new(self.0), PathAndQuery::from_static(path))
    }
}

/// Sends bytes as they are, and reads messages.
struct Raw<M>(PhantomData<M>);

impl<M> Default for Raw<M> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<M: Message + Default + Send + 'static> Codec for Raw<M> {
    type Encode = Bytes;
    type Decode = M;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self::default()
    }

    fn decoder(&mut self) -> Self {
        Self::default()
    }
}

impl<M> Encoder for Raw<M> {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl<M: Message + Default> Decoder for Raw<M> {
    type Item = M;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<M>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        M::decode(bytes).map(Some).map_err(|error| Status::internal(format!("a server's message: {error}")))
    }
}
