//! One blob, one way. A transfer that breaks goes on where it was, for as long as the task that needs it is wanted.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use paraply_common::{
    clock, heap,
    transport::{MAX_MESSAGE_BYTES, dial_lazily, tls::ClientTls},
    wire::id::encode_id,
};
use paraply_core::{
    id::{BlobId, SessionId, TransferId},
    membership::Endpoint,
    payload::{BlobRef, BlobWant},
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

/// After so many failures without a known reason the transfer has failed.
const STRANGE_TRIES: u32 = 5;

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

/// The way to the store that everybody who moves bytes shares: transfers that are under way take the new one for their
/// next try when the scheduler has moved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bulk {
    way: Arc<Mutex<Option<Way>>>,
}

/// A connection, made when it is first needed.
#[derive(Clone, Debug)]
struct Way {
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
}

impl Way {
    fn client(&self) -> BlobServiceClient<Channel> {
        BlobServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }
}

impl Bulk {
    /// From now on, to a scheduler at one of these, best first.
    pub(crate) fn lead_to(&self, endpoints: &[Endpoint], tls: &ClientTls, token: Option<MetadataValue<Ascii>>) {
        let way = dial_lazily(endpoints, tls).ok().map(|channel| Way { channel, token });
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }

    fn way(&self) -> Result<Way, Status> {
        let way = self.way.lock().unwrap_or_else(PoisonError::into_inner).clone();
        way.ok_or_else(|| Status::unavailable("no scheduler is known"))
    }

    /// Reads a whole blob of a session.
    pub(crate) async fn read(&self, blob: BlobRef, session: SessionId) -> Result<Bytes, TransferError> {
        let too_large = || TransferError::Memory { size: blob.size };
        let size = usize::try_from(blob.size).map_err(|_| too_large())?;
        let mut data = BytesMut::from(Bytes::from(heap::room_for(size).map_err(|_| too_large())?));
        let mut tries = Tries::default();
        loop {
            let before = data.len();
            match self.read_on(blob, session, &mut data).await {
                Ok(()) if data.len() as u64 == blob.size => return Ok(data.freeze()),
                Ok(()) => {
                    let found = data.len() as u64;
                    return Err(TransferError::Size { id: blob.id, found, expected: blob.size });
                }
                Err(status) => {
                    if data.len() > before {
                        tries = Tries::default();
                    }
                    tries.again(status).await?;
                }
            }
        }
    }

    async fn read_on(&self, blob: BlobRef, session: SessionId, data: &mut BytesMut) -> Result<(), Status> {
        let offset = data.len() as u64;
        let way = self.way()?;
        let (blob_id, session_id) = (encode_id(blob.id.to_bytes()), encode_id(session.to_bytes()));
        let request = way.request(ReadBlobRequest { blob_id, offset, session_id });
        let mut chunks = way.client().read_blob(request).await?.into_inner();
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

    /// Writes a blob to who reads it, from where they are, until they have it or have left. A reader whose transfer broke
    /// off in the middle asks again, and waits for this one no more.
    pub(crate) async fn pass_on(&self, want: BlobWant, session: SessionId, data: Bytes) {
        let mut tries = Tries::default();
        loop {
            let written = self.write_on(want.blob, session, &data, want.offset, Some(want.transfer)).await;
            let Err(status) = written else { return };
            if let Err(error) = tries.again(status).await {
                tracing::debug!(%error, blob = %want.blob, "a blob was not passed on to its end");
                return;
            }
        }
    }

    /// Writes a whole blob into the store, for `session`.
    pub(crate) async fn write(&self, id: BlobId, session: SessionId, data: Bytes) -> Result<(), TransferError> {
        let (mut committed, mut tries) = (0, Tries::default());
        loop {
            match self.write_on(id, session, &data, committed, None).await {
                Ok(()) => return Ok(()),
                Err(status) => tries.again(status).await?,
            }
            let before = committed;
            // A store that does not know the blob begins anew.
            committed = self.committed(id).await.unwrap_or(0).min(data.len() as u64);
            if committed > before {
                tries = Tries::default();
            }
        }
    }

    async fn committed(&self, id: BlobId) -> Result<u64, Status> {
        let way = self.way()?;
        let request = way.request(QueryWriteStatusRequest { blob_id: encode_id(id.to_bytes()) });
        Ok(way.client().query_write_status(request).await?.into_inner().committed_bytes)
    }

    async fn write_on(
        &self,
        id: BlobId,
        session: SessionId,
        data: &Bytes,
        from: u64,
        transfer: Option<TransferId>,
    ) -> Result<(), Status> {
        let header = BlobHeader {
            blob_id: encode_id(id.to_bytes()),
            size_bytes: data.len() as u64,
            session_id: encode_id(session.to_bytes()),
            transfer_id: transfer.map_or(0, |transfer| transfer.0),
            only_copy: transfer.is_none(),
        };
        let data = data.clone();
        let chunks = (usize::try_from(from).unwrap_or(0)..data.len()).step_by(CHUNK).map(move |start| {
            let data = data.slice(start..data.len().min(start + CHUNK));
            Message::Chunk(BlobChunk { offset: start as u64, data })
        });
        let messages = std::iter::once(Message::Header(header)).chain(chunks);
        let requests = messages.map(|message| WriteBlobRequest { message: Some(message) });
        let way = self.way()?;
        let request = way.request(tokio_stream::iter(requests));
        way.client().write_blob(request).await.map(drop)
    }
}

/// The tries of one transfer.
#[derive(Debug, Default)]
struct Tries {
    /// How many of the last failed for no reason that anyone knows, and came no further.
    strange: u32,
}

impl Tries {
    /// Waits a moment before the next try if `status` is the connection's trouble, or may be, and not the blob's.
    async fn again(&mut self, status: Status) -> Result<(), TransferError> {
        if self.is_final(status.code()) {
            return Err(TransferError::Status(Arc::new(status)));
        }
        tracing::debug!(%status, "a transfer was broken off; trying again");
        clock::sleep_until(clock::now() + RETRY_DELAY).await;
        Ok(())
    }

    fn is_final(&mut self, code: Code) -> bool {
        match code {
            // What breaks while it is in use can be reported as these, but not again and again.
            Code::Unknown | Code::Internal => self.strange += 1,
            Code::Unavailable | Code::Cancelled => self.strange = 0,
            _ => return true,
        }
        self.strange >= STRANGE_TRIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_connection_can_cause_is_tried_again_and_what_nothing_explains_only_a_few_times() {
        let mut tries = Tries::default();
        assert!((0..100).all(|_| !tries.is_final(Code::Unavailable)));
        assert!((1..STRANGE_TRIES).all(|_| !tries.is_final(Code::Internal)));
        assert!(!tries.is_final(Code::Unavailable));
        assert!((1..STRANGE_TRIES).all(|_| !tries.is_final(Code::Unknown)));
        assert!(tries.is_final(Code::Internal));
        assert!(Tries::default().is_final(Code::NotFound));
    }
}
