//! One blob, one way. A transfer that breaks goes on where it was, for as long as the task that needs it is wanted.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use http_body::Frame;
use paraply_core::{
    id::{BlobId, SessionId, TransferId},
    membership::Endpoint,
    payload::{BlobRef, BlobWant},
};
use paraply_proto::blob::v1::{
    BlobHeader, QueryWriteStatusRequest, QueryWriteStatusResponse, ReadBlobRequest, ReadBlobResponse, WriteBlobRequest,
    WriteBlobResponse, write_blob_request::Message,
};
use tonic::{
    Code, Status,
    metadata::{Ascii, MetadataMap, MetadataValue},
    transport::Channel,
};

use crate::{
    chunks::{self, Arrived, Carrier, Chunks},
    clock, heap,
    transport::{MESSAGE_BYTES, dial_lazily, tls::ClientTls},
    wire::id::encode_id,
};

const READ: &str = "/paraply.blob.v1.BlobService/ReadBlob";
const WRITE: &str = "/paraply.blob.v1.BlobService/WriteBlob";
const QUERY: &str = "/paraply.blob.v1.BlobService/QueryWriteStatus";

const RETRY_DELAY: Duration = Duration::from_millis(100);

/// After so many failures without a known reason the transfer has failed.
const STRANGE_TRIES: u32 = 5;

/// Why bytes could not be moved, trying again not helping.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransferError {
    /// The other end has said no.
    #[error("{} ({})", .0.message(), .0.code())]
    Status(Arc<Status>),
    /// It is not what its name says.
    #[error("blob {id} has {found} bytes instead of {expected}")]
    Size {
        /// Which.
        id: BlobId,
        /// Bytes that came.
        found: u64,
        /// Bytes that were to come.
        expected: u64,
    },
    /// Who wrote it has let it go.
    #[error("nobody needs blob {0} any more")]
    Unneeded(BlobId),
    /// It does not fit.
    #[error("{size} bytes are more than the memory of this process can take")]
    Memory {
        /// Bytes that were to come.
        size: u64,
    },
}

/// Bytes to write, asked for piece by piece: they may move meanwhile.
pub trait Source: Clone + Send + 'static {
    /// How many.
    fn size(&self) -> usize;

    /// Some of them; None once they were let go, for good.
    fn piece(&self, range: Range<usize>) -> Option<Bytes>;

    /// Whether they were let go.
    fn is_gone(&self) -> bool {
        self.piece(0..0).is_none()
    }
}

impl Source for Bytes {
    fn size(&self) -> usize {
        self.len()
    }

    fn piece(&self, range: Range<usize>) -> Option<Bytes> {
        Some(self.slice(range))
    }
}

/// The way to the store that everybody who moves bytes shares: transfers that are under way take the new one for their
/// next try when the scheduler has moved.
#[derive(Clone, Debug, Default)]
pub struct Bulk {
    way: Arc<Mutex<Option<Way>>>,
}

/// A connection, made when it is first needed.
#[derive(Clone, Debug)]
struct Way {
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
}

/// Who is to have the bytes that are written.
#[derive(Clone, Copy, Debug)]
enum To {
    Store { only_copy: bool },
    Reader(TransferId),
}

impl Way {
    async fn call(
        self,
        method: &'static str,
        frames: impl Stream<Item = Frame<Bytes>> + Send + 'static,
    ) -> Result<Chunks, Status> {
        let mut metadata = MetadataMap::new();
        if let Some(token) = self.token {
            metadata.insert("authorization", token);
        }
        chunks::call(self.channel, method, metadata, frames).await
    }

    /// A call that is answered with one message.
    async fn ask<M: prost::Message + Default>(
        self,
        method: &'static str,
        frames: impl Stream<Item = Frame<Bytes>> + Send + 'static,
    ) -> Result<M, Status> {
        let mut answer = self.call(method, frames).await?;
        let message = answer.message().await?;
        // Whether it was all right comes at the end.
        answer.message::<M>().await?;
        message.ok_or_else(|| Status::internal(format!("{method} was answered with nothing")))
    }
}

impl Bulk {
    /// From now on, to a scheduler at one of these, best first.
    pub fn lead_to(&self, endpoints: &[Endpoint], tls: &ClientTls, token: Option<MetadataValue<Ascii>>) {
        let way = dial_lazily(endpoints, tls).ok().map(|channel| Way { channel, token });
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }

    fn way(&self) -> Result<Way, Status> {
        let way = self.way.lock().unwrap_or_else(PoisonError::into_inner).clone();
        way.ok_or_else(|| Status::unavailable("no scheduler is known"))
    }

    /// Reads a whole blob of a session.
    ///
    /// # Errors
    /// If nobody has it any more, or it does not fit into memory. A way that is broken is waited for.
    pub async fn read(&self, blob: BlobRef, session: SessionId) -> Result<Bytes, TransferError> {
        let too_large = || TransferError::Memory { size: blob.size };
        let size = usize::try_from(blob.size).map_err(|_| too_large())?;
        let mut data = heap::room_for(size).map_err(|_| too_large())?;
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
        let (blob_id, session_id) = (encode_id(blob.id.to_bytes()), encode_id(session.to_bytes()));
        let request = chunks::message(&ReadBlobRequest { blob_id, offset, session_id });
        let mut answer = self.way()?.call(READ, stream::iter([request])).await?;
        while let Some(arrived) = answer.next().await? {
            let (offset, piece) = match arrived {
                Arrived::Piece { offset, data } => (offset, data),
                Arrived::Message(message) => {
                    let chunk = answer.decode::<ReadBlobResponse>(message)?.chunk.unwrap_or_default();
                    (chunk.offset, chunk.data)
                }
            };
            let room = blob.size - data.len() as u64;
            if offset != data.len() as u64 || piece.len() as u64 > room {
                return Err(Status::data_loss(format!("blob {}: a chunk at {offset} does not fit", blob.id)));
            }
            data.extend_from_slice(&piece);
        }
        Ok(())
    }

    /// Writes a blob to who reads it, from where they are, until they have it or have left. A reader whose transfer broke
    /// off in the middle asks again, and waits for this one no more.
    pub async fn pass_on(&self, want: BlobWant, session: SessionId, data: impl Source) {
        let mut tries = Tries::default();
        while !data.is_gone() {
            let written = self.write_on(want.blob, session, &data, want.offset, To::Reader(want.transfer)).await;
            let Err(status) = written else { return };
            if let Err(error) = tries.again(status).await {
                tracing::debug!(%error, blob = %want.blob, "a blob was not passed on to its end");
                return;
            }
        }
    }

    /// Writes a whole blob into the store, for `session`. With `only_copy` it is not kept here.
    ///
    /// # Errors
    /// If the store refuses it, or `data` is let go meanwhile. A way that is broken is waited for.
    pub async fn write(
        &self,
        id: BlobId,
        session: SessionId,
        data: impl Source,
        only_copy: bool,
    ) -> Result<(), TransferError> {
        let (mut committed, mut tries) = (0, Tries::default());
        let (size, to) = (data.size() as u64, To::Store { only_copy });
        while !data.is_gone() {
            match self.write_on(id, session, &data, committed, to).await {
                Ok(found) if found == size => return Ok(()),
                Ok(_) if data.is_gone() => break,
                Ok(found) => return Err(TransferError::Size { id, found, expected: size }),
                Err(status) => tries.again(status).await?,
            }
            let before = committed;
            // A store that does not know the blob begins anew.
            committed = self.committed(id).await.unwrap_or(0).min(size);
            if committed > before {
                tries = Tries::default();
            }
        }
        Err(TransferError::Unneeded(id))
    }

    async fn committed(&self, id: BlobId) -> Result<u64, Status> {
        let request = chunks::message(&QueryWriteStatusRequest { blob_id: encode_id(id.to_bytes()) });
        let answer: QueryWriteStatusResponse = self.way()?.ask(QUERY, stream::iter([request])).await?;
        Ok(answer.committed_bytes)
    }

    /// Answers how many bytes the other end has now.
    async fn write_on(
        &self,
        id: BlobId,
        session: SessionId,
        data: &impl Source,
        from: u64,
        to: To,
    ) -> Result<u64, Status> {
        let (transfer_id, only_copy) = match to {
            To::Store { only_copy } => (0, only_copy),
            To::Reader(transfer) => (transfer.0, false),
        };
        let header = BlobHeader {
            blob_id: encode_id(id.to_bytes()),
            size_bytes: data.size() as u64,
            session_id: encode_id(session.to_bytes()),
            transfer_id,
            only_copy,
        };
        let header = chunks::message(&WriteBlobRequest { message: Some(Message::Header(header)) });
        let (data, size) = (data.clone(), data.size());
        let starts = (usize::try_from(from).unwrap_or(0)..size).step_by(MESSAGE_BYTES);
        let chunks = starts.map_while(move |start| {
            let piece = data.piece(start..size.min(start + MESSAGE_BYTES))?;
            Some(chunks::chunk(Carrier::Write, start as u64, piece))
        });
        let chunks = stream::iter(chunks.flatten());
        let frames = stream::iter([header]).chain(chunks);
        let written: WriteBlobResponse = self.way()?.ask(WRITE, frames).await?;
        Ok(written.committed_bytes)
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
