//! One blob, one way. A transfer that breaks goes on where it was, for as long as the task that needs it is wanted.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use paraply_common::{
    clock,
    transport::{MAX_MESSAGE_BYTES, dial_lazily},
    wire::id::encode_id,
};
use paraply_core::{
    id::{BlobId, SessionId},
    membership::Endpoint,
    payload::BlobRef,
};
use paraply_proto::blob::v1::{
    BlobChunk, BlobHeader, QueryWriteStatusRequest, ReadBlobRequest, WriteBlobRequest,
    blob_service_client::BlobServiceClient, write_blob_request::Message,
};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

const CHUNK: usize = 1 << 20;
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// Why bytes could not be moved, trying again not helping.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("{} ({})", .0.message(), .0.code())]
    Status(Arc<Status>),
    #[error("blob {id} has {found} bytes instead of {expected}")]
    Size { id: BlobId, found: u64, expected: u64 },
    #[error("{size} bytes are more than this engine's memory can take")]
    Memory { size: u64 },
}

/// The connection for bulk, made when it is first needed, and again when the scheduler has moved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bulk {
    way: Option<(Channel, Option<MetadataValue<Ascii>>)>,
}

impl Bulk {
    /// To a scheduler at one of these, best first.
    pub(crate) fn to(endpoints: &[Endpoint], token: Option<MetadataValue<Ascii>>) -> Self {
        Self { way: dial_lazily(endpoints).ok().map(|channel| (channel, token)) }
    }

    /// Reads a whole blob.
    pub(crate) async fn read(&self, blob: BlobRef) -> Result<Bytes, TransferError> {
        let too_large = || TransferError::Memory { size: blob.size };
        let mut data = Vec::new();
        data.try_reserve_exact(usize::try_from(blob.size).map_err(|_| too_large())?).map_err(|_| too_large())?;
        let mut data = BytesMut::from(Bytes::from(data));
        loop {
            match self.read_on(blob, &mut data).await {
                Ok(()) if data.len() as u64 == blob.size => return Ok(data.freeze()),
                Ok(()) => {
                    let found = data.len() as u64;
                    return Err(TransferError::Size { id: blob.id, found, expected: blob.size });
                }
                Err(status) => retry_later(status).await?,
            }
        }
    }

    async fn read_on(&self, blob: BlobRef, data: &mut BytesMut) -> Result<(), Status> {
        let offset = data.len() as u64;
        let request = self.request(ReadBlobRequest { blob_id: encode_id(blob.id.to_bytes()), offset });
        let mut chunks = self.client()?.read_blob(request).await?.into_inner();
        while let Some(answer) = chunks.message().await? {
            let chunk = answer.chunk.unwrap_or_default();
            let room = blob.size - data.len() as u64;
            if chunk.offset != data.len() as u64 || chunk.data.len() as u64 > room {
                return Err(Status::data_loss(format!("blob {}: a chunk at {} does not fit", blob.id, chunk.offset)));
            }
            data.extend_from_slice(&chunk.data);
        }
        Ok(())
    }

    /// Writes a whole blob, which `session` pays for.
    pub(crate) async fn write(&self, id: BlobId, session: SessionId, data: Bytes) -> Result<(), TransferError> {
        let mut committed = 0;
        loop {
            match self.write_on(id, session, &data, committed).await {
                Ok(()) => return Ok(()),
                Err(status) => retry_later(status).await?,
            }
            let request = self.request(QueryWriteStatusRequest { blob_id: encode_id(id.to_bytes()) });
            let asked = match self.client() {
                Ok(mut client) => client.query_write_status(request).await,
                Err(status) => Err(status),
            };
            // A store that does not know the blob begins anew.
            committed = asked.map_or(0, |answer| answer.into_inner().committed_bytes.min(data.len() as u64));
        }
    }

    async fn write_on(&self, id: BlobId, session: SessionId, data: &Bytes, from: u64) -> Result<(), Status> {
        let header = BlobHeader {
            blob_id: encode_id(id.to_bytes()),
            size_bytes: data.len() as u64,
            session_id: encode_id(session.to_bytes()),
        };
        let data = data.clone();
        let chunks = (usize::try_from(from).unwrap_or(0)..data.len()).step_by(CHUNK).map(move |start| {
            let data = data.slice(start..data.len().min(start + CHUNK));
            Message::Chunk(BlobChunk { offset: start as u64, data })
        });
        let messages = std::iter::once(Message::Header(header)).chain(chunks);
        let requests = messages.map(|message| WriteBlobRequest { message: Some(message) });
        let request = self.request(tokio_stream::iter(requests));
        self.client()?.write_blob(request).await.map(drop)
    }

    fn client(&self) -> Result<BlobServiceClient<Channel>, Status> {
        let (channel, _) = self.way.as_ref().ok_or_else(|| Status::unavailable("no scheduler is known"))?;
        Ok(BlobServiceClient::new(channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES))
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some((_, Some(token))) = &self.way {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }
}

/// Waits a moment if `status` is the connection's trouble, not the blob's.
async fn retry_later(status: Status) -> Result<(), TransferError> {
    match status.code() {
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal => {
            tracing::debug!(%status, "a transfer was broken off; trying again");
            clock::sleep_until(clock::now() + RETRY_DELAY).await;
            Ok(())
        }
        _ => Err(TransferError::Status(Arc::new(status))),
    }
}
