//! `BlobService`, as clients and engines call it. Its streams are read and written by hand: bytes that are passed on are
//! copied by nobody here.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use http::{Request, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::StreamBody;
use paraply_common::{
    chunks::{self, Arrived, Carrier, Chunks},
    clock,
    feed::in_good_time,
    mailbox::Mailbox,
    transport::MESSAGE_BYTES,
    wire::{WireError, id},
};
use paraply_core::{
    id::{BlobId, SessionId, TransferId},
    scheduler,
};
use paraply_proto::blob::v1::{
    BlobChunk, BlobHeader, QueryWriteStatusRequest, QueryWriteStatusResponse, ReadBlobRequest, WriteBlobRequest,
    WriteBlobResponse, blob_service_server::SERVICE_NAME, write_blob_request::Message,
};
use tonic::{Status, body::Body, metadata::GRPC_CONTENT_TYPE, server::NamedService};
use tower::Service;

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

    async fn write(&self, mut stream: Chunks) -> Result<WriteBlobResponse, Status> {
        let first: WriteBlobRequest = in_good_time(stream.message()).await?;
        let Some(Message::Header(header)) = first.message else {
            return Err(Status::invalid_argument("the first message of a written blob is `header`"));
        };
        if header.transfer_id == 0 {
            let Progress { committed, durable, .. } = self.keep(&header, &mut stream).await?;
            return Ok(WriteBlobResponse { committed_bytes: committed, durable });
        }
        Ok(WriteBlobResponse { committed_bytes: self.pass_on(&header, &mut stream).await?, durable: false })
    }

    async fn keep(&self, header: &BlobHeader, stream: &mut Chunks) -> Result<Progress, Status> {
        let blob = id::blob(&header.blob_id, "header.blob_id").map_err(malformed)?;
        let session = id::session(&header.session_id, "header.session_id").map_err(malformed)?;
        let mut before = self.store.progress(blob).ok();
        let mut progress = self.store.begin(blob, session, header.size_bytes, header.only_copy, clock::now()).await?;
        self.tell(blob, before, progress);
        while let Some(BlobChunk { offset, data }) = self.next_bytes(stream).await? {
            // What stays is not to hold the memory of whole frames.
            let data = stream.whole(data).await?;
            self.traffic.received(data.len());
            before = Some(progress);
            progress = self.store.append(blob, offset, data, clock::now()).await?;
            self.tell(blob, before, progress);
        }
        Ok(progress)
    }

    async fn pass_on(&self, header: &BlobHeader, stream: &mut Chunks) -> Result<u64, Status> {
        let blob = id::blob(&header.blob_id, "header.blob_id").map_err(malformed)?;
        let reader = self.transfers.begin(TransferId(header.transfer_id), blob, header.size_bytes)?;
        let mut passed = 0;
        while let Some(BlobChunk { offset, data }) = self.next_bytes(stream).await? {
            self.traffic.received(data.len());
            passed = offset.saturating_add(data.len() as u64);
            reader.pass(offset, data).await?;
        }
        reader.finish(passed).await?;
        Ok(passed)
    }

    /// The next bytes of a written blob: a chunk, or a piece of one.
    async fn next_bytes(&self, stream: &mut Chunks) -> Result<Option<BlobChunk>, Status> {
        let chunk = match stream.next().await? {
            None => return Ok(None),
            Some(Arrived::Piece { offset, data }) => BlobChunk { offset, data },
            Some(Arrived::Message(message)) => match stream.decode::<WriteBlobRequest>(message)?.message {
                Some(Message::Chunk(chunk)) => chunk,
                _ => {
                    return Err(Status::invalid_argument("after its `header` a written blob has nothing but `chunk`s"));
                }
            },
        };
        Ok(Some(chunk))
    }

    async fn read(&self, request: ReadBlobRequest) -> Result<Reader, Status> {
        let blob = id::blob(&request.blob_id, "blob_id").map_err(malformed)?;
        let session = id::session(&request.session_id, "session_id").map_err(malformed)?;
        let source = self.source(blob, session, request.offset).await?;
        Ok(Reader { blobs: self.clone(), blob, source, offset: request.offset })
    }

    fn query(&self, request: &QueryWriteStatusRequest) -> Result<QueryWriteStatusResponse, Status> {
        let blob = id::blob(&request.blob_id, "blob_id").map_err(malformed)?;
        let Progress { committed, size, durable } = self.store.progress(blob)?;
        Ok(QueryWriteStatusResponse { committed_bytes: committed, size_bytes: size, durable })
    }

    /// Stores a blob of this process's own.
    ///
    /// # Errors
    /// If the store has no room for it.
    pub(crate) async fn put(&self, blob: BlobId, session: SessionId, data: Bytes) -> Result<(), Status> {
        let before = self.store.begin(blob, session, data.len() as u64, false, clock::now()).await?;
        let after = self.store.append(blob, 0, data, clock::now()).await?;
        self.tell(blob, Some(before), after);
        Ok(())
    }

    /// Reads a blob of that size whole.
    ///
    /// # Errors
    /// As `ReadBlob`; what has another size is DATA_LOSS.
    pub(crate) async fn get(&self, blob: BlobId, session: SessionId, size: u64) -> Result<Bytes, Status> {
        let mut data = BytesMut::new();
        let mut reader = Reader { blobs: self.clone(), blob, source: self.source(blob, session, 0).await?, offset: 0 };
        while let Some(more) = reader.next_bytes().await? {
            data.extend_from_slice(&more);
            if data.len() as u64 > size {
                break;
            }
        }
        let read = data.len();
        let whole = read as u64 == size;
        if whole {
            Ok(data.freeze())
        } else {
            Err(Status::data_loss(format!("blob {blob} has {size} bytes, {read} came")))
        }
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

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        let method = parts.uri.path().rsplit('/').next().unwrap_or_default();
        let mut stream = Chunks::new(Carrier::Write, body);
        match method {
            "WriteBlob" => Ok(unary(&self.write(stream).await?)),
            // Refused before the stream begins, where it can be.
            "ReadBlob" => Ok(response(self.read(in_good_time(stream.message()).await?).await?.frames())),
            "QueryWriteStatus" => Ok(unary(&self.query(&in_good_time(stream.message()).await?)?)),
            _ => Err(Status::unimplemented(format!("{SERVICE_NAME} has no method {method}"))),
        }
    }
}

impl NamedService for Blobs {
    const NAME: &'static str = SERVICE_NAME;
}

impl Service<Request<Body>> for Blobs {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let blobs = self.clone();
        Box::pin(async move { Ok(blobs.answer(request).await.unwrap_or_else(|status| status.into_http())) })
    }
}

/// One who reads a blob.
struct Reader {
    blobs: Blobs,
    blob: BlobId,
    source: Source,
    offset: u64,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<[Frame<Bytes>; 2]>, Status> {
        let start = self.offset;
        let Some(data) = self.next_bytes().await? else { return Ok(None) };
        self.blobs.traffic.sent(data.len());
        Ok(Some(chunks::chunk(Carrier::Read, start, data)))
    }

    async fn next_bytes(&mut self) -> Result<Option<Bytes>, Status> {
        let next = match &mut self.source {
            Source::Store => next_stored(&self.blobs.store, self.blob, self.offset).await?,
            Source::Writer(incoming) => incoming.next(self.offset).await?,
        };
        self.offset += next.as_ref().map_or(0, Bytes::len) as u64;
        Ok(next)
    }

    fn frames(self) -> impl Stream<Item = Frame<Bytes>> {
        let answers = stream::unfold(Some(self), |reader| async move {
            let mut reader = reader?;
            Some(match reader.next().await {
                Ok(Some(chunk)) => (Vec::from(chunk), Some(reader)),
                Ok(None) => (vec![chunks::trailers(&Status::ok(""))], None),
                Err(status) => (vec![chunks::trailers(&status)], None),
            })
        });
        answers.flat_map(stream::iter)
    }
}

fn unary(message: &impl prost::Message) -> Response<Body> {
    response(stream::iter([chunks::message(message), chunks::trailers(&Status::ok(""))]))
}

fn response(frames: impl Stream<Item = Frame<Bytes>> + Send + 'static) -> Response<Body> {
    let mut response = Response::new(Body::new(StreamBody::new(frames.map(Ok::<_, Status>))));
    response.headers_mut().insert(CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response
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
