//! `BlobService`, as clients and engines call it.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use paraply_common::{
    clock,
    feed::first,
    mailbox::Mailbox,
    transport::MESSAGE_BYTES,
    wire::{WireError, id},
};
use paraply_core::{id::BlobId, scheduler};
use paraply_proto::blob::v1::{
    BlobChunk, BlobHeader, QueryWriteStatusRequest, QueryWriteStatusResponse, ReadBlobRequest, ReadBlobResponse,
    WriteBlobRequest, WriteBlobResponse, blob_service_server::BlobService, write_blob_request::Message,
};
use tonic::{Request, Response, Status, Streaming};

use super::store::{BlobError, BlobStore, Progress, Reading};
use crate::shell::Stimulus;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct BlobTransfers {
    pub(crate) store: Arc<BlobStore>,
    pub(crate) mailbox: Mailbox<Stimulus>,
}

impl BlobTransfers {
    /// Tells the machine once that a blob is complete.
    fn tell(&self, blob: BlobId, before: Option<Progress>, after: Progress) {
        if after.is_complete() && !before.is_some_and(Progress::is_complete) {
            self.mailbox.notice(Stimulus::Machine(scheduler::Stimulus::BlobReady { blob }));
        }
    }

    fn begin(&self, header: &BlobHeader) -> Result<(BlobId, Progress), Status> {
        let blob = id::blob(&header.blob_id, "header.blob_id").map_err(malformed)?;
        let session = id::session(&header.session_id, "header.session_id").map_err(malformed)?;
        let before = self.store.progress(blob).ok();
        let progress = self.store.begin(blob, session, header.size_bytes, clock::now())?;
        self.tell(blob, before, progress);
        Ok((blob, progress))
    }
}

#[tonic::async_trait]
impl BlobService for BlobTransfers {
    type ReadBlobStream = Pin<Box<dyn Stream<Item = Result<ReadBlobResponse, Status>> + Send>>;

    async fn write_blob(
        &self,
        request: Request<Streaming<WriteBlobRequest>>,
    ) -> Result<Response<WriteBlobResponse>, Status> {
        let mut stream = request.into_inner();
        let Some(Message::Header(header)) = first(&mut stream).await?.message else {
            return Err(Status::invalid_argument("the first message of a written blob is `header`"));
        };
        let (blob, mut progress) = self.begin(&header)?;
        while let Some(message) = stream.message().await? {
            let Some(Message::Chunk(chunk)) = message.message else {
                return Err(Status::invalid_argument("after its `header` a written blob has nothing but `chunk`s"));
            };
            let before = progress;
            progress = self.store.append(blob, chunk.offset, chunk.data, clock::now())?;
            self.tell(blob, Some(before), progress);
        }
        Ok(Response::new(WriteBlobResponse { committed_bytes: progress.committed }))
    }

    async fn read_blob(&self, request: Request<ReadBlobRequest>) -> Result<Response<Self::ReadBlobStream>, Status> {
        let request = request.into_inner();
        let blob = id::blob(&request.blob_id, "blob_id").map_err(malformed)?;
        // Refused before the stream begins, where it can be.
        self.store.read(blob, request.offset)?;
        let from = (Arc::clone(&self.store), request.offset);
        let chunks = stream::try_unfold(from, move |(store, offset)| async move {
            let Some(data) = next(&store, blob, offset).await? else { return Ok(None) };
            let after = offset + data.len() as u64;
            Ok(Some((ReadBlobResponse { chunk: Some(BlobChunk { offset, data }) }, (store, after))))
        });
        Ok(Response::new(chunks.boxed()))
    }

    async fn query_write_status(
        &self,
        request: Request<QueryWriteStatusRequest>,
    ) -> Result<Response<QueryWriteStatusResponse>, Status> {
        let blob = id::blob(&request.get_ref().blob_id, "blob_id").map_err(malformed)?;
        let Progress { committed, size } = self.store.progress(blob)?;
        Ok(Response::new(QueryWriteStatusResponse { committed_bytes: committed, size_bytes: size }))
    }
}

/// The bytes at `offset`, as soon as they are there; `None` at the end.
async fn next(store: &BlobStore, blob: BlobId, offset: u64) -> Result<Option<Bytes>, Status> {
    loop {
        match store.read(blob, offset) {
            Ok(Reading::Bytes(mut bytes)) => {
                bytes.truncate(MESSAGE_BYTES);
                return Ok(Some(bytes));
            }
            Ok(Reading::End) => return Ok(None),
            Ok(Reading::NotYet(mut committed)) => {
                // An error says that the blob was dropped: reading again says so.
                let _ = committed.wait_for(|committed| *committed > offset).await;
            }
            Err(BlobError::NotFound) => return Err(Status::aborted("the blob was dropped: its writer gave up")),
            Err(error) => return Err(error.into()),
        }
    }
}

fn malformed(error: WireError) -> Status {
    Status::invalid_argument(error.to_string())
}

impl From<BlobError> for Status {
    fn from(error: BlobError) -> Self {
        let message = error.to_string();
        match error {
            BlobError::NotFound => Self::not_found(message),
            BlobError::Mismatch => Self::invalid_argument(message),
            BlobError::Full { .. } => Self::resource_exhausted(message),
            BlobError::Gap { .. } | BlobError::Beyond { .. } => Self::out_of_range(message),
        }
    }
}
