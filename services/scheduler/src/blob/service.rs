//! `BlobService`, as clients and engines call it.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use paraply_common::{
    clock,
    feed::{first, next},
    mailbox::Mailbox,
    transport::MESSAGE_BYTES,
    wire::{WireError, id},
};
use paraply_core::{
    id::{BlobId, SessionId, TransferId},
    scheduler,
};
use paraply_proto::blob::v1::{
    BlobChunk, BlobHeader, QueryWriteStatusRequest, QueryWriteStatusResponse, ReadBlobRequest, ReadBlobResponse,
    WriteBlobRequest, WriteBlobResponse, blob_service_server::BlobService, write_blob_request::Message,
};
use tonic::{Request, Response, Status, Streaming};

use super::{
    store::{BlobError, BlobStore, Progress, Reading},
    transfers::{Answer, Incoming, Transfers},
};
use crate::{figures::BlobTraffic, shell::Stimulus};

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    pub(crate) store: Arc<BlobStore>,
    pub(crate) transfers: Transfers,
    pub(crate) mailbox: Mailbox<Stimulus>,
    pub(crate) traffic: Arc<BlobTraffic>,
}

/// Where a reader's bytes come from.
enum Source {
    Store,
    Writer(Incoming),
}

impl Blobs {
    /// Tells the machine once that a blob is complete.
    fn tell(&self, blob: BlobId, before: Option<Progress>, after: Progress) {
        if after.is_complete() && !before.is_some_and(Progress::is_complete) {
            self.mailbox.notice(Stimulus::Machine(scheduler::Stimulus::BlobReady { blob }));
        }
    }

    async fn keep(&self, header: &BlobHeader, stream: &mut Streaming<WriteBlobRequest>) -> Result<Progress, Status> {
        let blob = id::blob(&header.blob_id, "header.blob_id").map_err(malformed)?;
        let session = id::session(&header.session_id, "header.session_id").map_err(malformed)?;
        let mut before = self.store.progress(blob).ok();
        let mut progress = self.store.begin(blob, session, header.size_bytes, header.only_copy, clock::now()).await?;
        self.tell(blob, before, progress);
        while let Some(chunk) = self.next_chunk(stream).await? {
            before = Some(progress);
            progress = self.store.append(blob, chunk.offset, chunk.data, clock::now()).await?;
            self.tell(blob, before, progress);
        }
        Ok(progress)
    }

    async fn pass_on(&self, header: &BlobHeader, stream: &mut Streaming<WriteBlobRequest>) -> Result<u64, Status> {
        let blob = id::blob(&header.blob_id, "header.blob_id").map_err(malformed)?;
        let reader = self.transfers.begin(TransferId(header.transfer_id), blob, header.size_bytes)?;
        let mut passed = 0;
        while let Some(BlobChunk { offset, data }) = self.next_chunk(stream).await? {
            passed = offset.saturating_add(data.len() as u64);
            reader.pass(offset, data).await?;
        }
        reader.finish(passed).await?;
        Ok(passed)
    }

    async fn next_chunk(&self, stream: &mut Streaming<WriteBlobRequest>) -> Result<Option<BlobChunk>, Status> {
        let Some(message) = next(stream).await? else { return Ok(None) };
        let Some(Message::Chunk(chunk)) = message.message else {
            return Err(Status::invalid_argument("after its `header` a written blob has nothing but `chunk`s"));
        };
        self.traffic.received(chunk.data.len());
        Ok(Some(chunk))
    }

    /// Where to read a blob from, once there is something to read.
    async fn source(&self, blob: BlobId, session: SessionId, offset: u64) -> Result<Source, Status> {
        loop {
            match self.store.read(blob, offset) {
                Ok(_) => return Ok(Source::Store),
                Err(BlobError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
            match self.transfers.read(blob, session, offset).await? {
                Answer::Writer(incoming) => return Ok(Source::Writer(incoming)),
                Answer::Nobody(reason) => return Err(Status::not_found(format!("blob {blob}: {reason}"))),
                Answer::Stored => {}
            }
        }
    }
}

#[tonic::async_trait]
impl BlobService for Blobs {
    type ReadBlobStream = Pin<Box<dyn Stream<Item = Result<ReadBlobResponse, Status>> + Send>>;

    async fn write_blob(
        &self,
        request: Request<Streaming<WriteBlobRequest>>,
    ) -> Result<Response<WriteBlobResponse>, Status> {
        let mut stream = request.into_inner();
        let Some(Message::Header(header)) = first(&mut stream).await?.message else {
            return Err(Status::invalid_argument("the first message of a written blob is `header`"));
        };
        let (committed_bytes, durable) = match header.transfer_id {
            0 => self.keep(&header, &mut stream).await.map(|progress| (progress.committed, progress.durable))?,
            _ => (self.pass_on(&header, &mut stream).await?, false),
        };
        Ok(Response::new(WriteBlobResponse { committed_bytes, durable }))
    }

    async fn read_blob(&self, request: Request<ReadBlobRequest>) -> Result<Response<Self::ReadBlobStream>, Status> {
        let request = request.into_inner();
        let blob = id::blob(&request.blob_id, "blob_id").map_err(malformed)?;
        let session = id::session(&request.session_id, "session_id").map_err(malformed)?;
        // Refused before the stream begins, where it can be.
        let source = self.source(blob, session, request.offset).await?;
        let traffic = Arc::clone(&self.traffic);
        let from = (Arc::clone(&self.store), source, request.offset);
        let chunks = stream::try_unfold(from, move |(store, mut source, offset)| {
            let traffic = Arc::clone(&traffic);
            async move {
                let next = match &mut source {
                    Source::Store => next_stored(&store, blob, offset).await?,
                    Source::Writer(incoming) => incoming.next(offset).await?,
                };
                let Some(data) = next else { return Ok(None) };
                traffic.sent(data.len());
                let after = offset + data.len() as u64;
                Ok(Some((ReadBlobResponse { chunk: Some(BlobChunk { offset, data }) }, (store, source, after))))
            }
        });
        Ok(Response::new(chunks.boxed()))
    }

    async fn query_write_status(
        &self,
        request: Request<QueryWriteStatusRequest>,
    ) -> Result<Response<QueryWriteStatusResponse>, Status> {
        let blob = id::blob(&request.get_ref().blob_id, "blob_id").map_err(malformed)?;
        let Progress { committed, size, durable } = self.store.progress(blob)?;
        Ok(Response::new(QueryWriteStatusResponse { committed_bytes: committed, size_bytes: size, durable }))
    }
}

/// The bytes at `offset`, as soon as they are there; `None` at the end.
async fn next_stored(store: &BlobStore, blob: BlobId, offset: u64) -> Result<Option<Bytes>, Status> {
    let dropped = || Status::aborted("the blob was dropped: its writer gave up");
    loop {
        match store.read(blob, offset) {
            Ok(Reading::Bytes(mut bytes)) => {
                bytes.truncate(MESSAGE_BYTES);
                return Ok(Some(bytes));
            }
            Ok(Reading::File(file, length)) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX).min(MESSAGE_BYTES);
                let read = file.read(offset, length).await;
                let lost = |error| Status::data_loss(format!("blob {blob} cannot be read from its file: {error}"));
                return read.map(Some).map_err(lost);
            }
            Ok(Reading::End) => return Ok(None),
            Ok(Reading::NotYet(mut committed)) => {
                // An error says that the blob was dropped: reading again says so.
                let _ = committed.wait_for(|committed| *committed > offset).await;
            }
            Err(BlobError::NotFound) => return Err(dropped()),
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
            BlobError::Full { .. } | BlobError::Disk { full: true, .. } => Self::resource_exhausted(message),
            BlobError::Disk { full: false, .. } => Self::data_loss(message),
            BlobError::Gap { .. } | BlobError::Beyond { .. } => Self::out_of_range(message),
        }
    }
}
