//! A client that keeps the rules beside others that do not: whatever it writes, it reads the same.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use paraply_common::{
    clock,
    spawn::{Task, spawn},
};
use paraply_core::{
    id::{BlobId, SessionId},
    payload::BlobRef,
    session_link::{CancelMode, ToScheduler},
};
use paraply_proto::blob::v1::{
    BlobChunk, BlobHeader, QueryWriteStatusRequest, ReadBlobRequest, WriteBlobRequest, write_blob_request::Message,
};
use paraply_sim::Random;
use prost::Message as _;
use tonic::{Code, Status};

use super::{
    calls::{Calls, line},
    session::Session,
};

/// How long anything may take: longer than any rule has it wait for others.
const PATIENCE: Duration = Duration::from_secs(100);
/// The largest blob.
const LARGEST: u64 = 30_000;
/// The smallest chunk that it writes, but for a last one.
const CHUNK: u64 = 300;
/// Milliseconds between two blobs.
const BETWEEN: u64 = 3000;
/// Milliseconds until it answers, where it is slow to.
const LATE: u64 = 1000;
/// How often a reader goes on where it was broken off.
const AGAIN: usize = 50;

/// What others see of it.
#[derive(Clone, Default)]
pub(super) struct Progress {
    /// Blobs that it has read as they were written.
    pub(super) read: Arc<AtomicU64>,
    /// It is to come to an end.
    pub(super) stop: Arc<AtomicBool>,
    /// There is nobody else: there is room for all that it has.
    pub(super) alone: bool,
}

struct Client {
    calls: Calls,
    session: Session,
    random: Random,
    /// So many it has named.
    blobs: u128,
}

/// A blob, and who may read it.
#[derive(Clone)]
struct Blob {
    id: BlobId,
    session: SessionId,
    data: Bytes,
}

/// Writes and reads until it is told to stop, and leaves nothing behind. Says what it did not get.
pub(super) async fn rounds(calls: Calls, id: SessionId, seed: u64, progress: Progress) -> Result<(), String> {
    let session = Session::open(calls.clone(), id, 1);
    let mut client = Client { calls, session, random: Random::new(seed), blobs: 0 };
    while !progress.stop.load(Ordering::Relaxed) {
        let stored = client.random.chance(500);
        let round = async { if stored { client.stored(progress.alone).await } else { client.kept().await } };
        let read = patiently(round).await.map_err(|what| format!("an honest client, stored {stored}: {what}"))?;
        progress.read.fetch_add(u64::from(read), Ordering::Relaxed);
        pause(client.random.below(BETWEEN)).await;
    }
    client.session.tell(ToScheduler::Close).await;
    patiently(async { Ok((&mut client.session.listening).await.is_ok()) }).await.map(drop)
}

impl Client {
    /// A blob goes through the store, and is read while it is being written. False if there was no room for it.
    async fn stored(&mut self, alone: bool) -> Result<bool, String> {
        let blob = self.blob();
        let header = BlobHeader { only_copy: self.random.chance(300), ..blob.header(0) };
        let mut writing = write(self.calls.clone(), header, blob.data.clone(), 0, self.random.between(CHUNK, 9000));
        while !writing.is_finished() && self.committed(&blob).await.is_err() {
            pause(1).await;
        }
        let mut reading = pin!(read(self.calls.clone(), blob.clone(), self.random.below(blob.data.len() as u64)));
        let mut is_read = false;
        let written = loop {
            tokio::select! {
                biased;
                written = &mut writing => break written.map_err(|panic| panic.to_string())?,
                read = &mut reading, if !is_read => {
                    read?;
                    is_read = true;
                }
            }
        };
        match written {
            Ok(()) if !is_read => reading.await?,
            Ok(()) => {}
            Err(status) if status.code() == Code::ResourceExhausted && !alone => return Ok(false),
            Err(status) => return Err(format!("writing ended with {status}")),
        }
        match self.committed(&blob).await {
            Ok(committed) if committed == blob.data.len() as u64 => Ok(true),
            other => Err(format!("{} bytes were written, and {other:?} are known", blob.data.len())),
        }
    }

    /// A blob stays here, and goes to its reader when that asks for it.
    async fn kept(&mut self) -> Result<bool, String> {
        let blob = self.blob();
        let index = self.session.next;
        let argument = BlobRef { id: blob.id, size: blob.data.len() as u64, kept: true };
        let chunk = self.random.between(CHUNK, 9000);
        self.session.submit(&mut self.random, argument).await;
        // Nobody asks for what no call has named yet.
        pause(5).await;
        let mut passing = Vec::new();
        let mut reading = pin!(read(self.calls.clone(), blob.clone(), 0));
        loop {
            tokio::select! {
                biased;
                read = &mut reading => break read?,
                want = self.session.wants() => match want {
                    Some(want) if want.blob_id == blob.name() => {
                        if self.random.chance(300) {
                            pause(self.random.below(LATE)).await;
                        }
                        let header = blob.header(want.transfer_id);
                        passing.push(write(self.calls.clone(), header, blob.data.clone(), want.offset, chunk));
                    }
                    Some(_) => {}
                    None => return Err("its session has ended".to_owned()),
                },
            }
        }
        for passed in passing {
            match passed.await.map_err(|panic| panic.to_string())? {
                Err(status) if status.code() != Code::Aborted => return Err(format!("passing on ended with {status}")),
                _ => {}
            }
        }
        self.session.tell(ToScheduler::Cancel { indexes: vec![index], mode: CancelMode::Abort }).await;
        Ok(true)
    }

    async fn committed(&self, blob: &Blob) -> Result<u64, Status> {
        let request = QueryWriteStatusRequest { blob_id: blob.name() }.encode_to_vec();
        Ok(self.calls.clone().query(request.into()).await?.committed_bytes)
    }

    fn blob(&mut self) -> Blob {
        self.blobs += 1;
        let (length, first) = (self.random.between(1, LARGEST), self.random.any() as u8);
        let data = (0..length).map(|at| first ^ (at % 251) as u8).collect();
        Blob { id: BlobId(self.session.id.0 ^ self.blobs << 64), session: self.session.id, data }
    }
}

impl Blob {
    fn name(&self) -> Bytes {
        Bytes::copy_from_slice(&self.id.to_bytes())
    }

    fn header(&self, transfer_id: u64) -> BlobHeader {
        let session_id = Bytes::copy_from_slice(&self.session.to_bytes());
        let size_bytes = self.data.len() as u64;
        BlobHeader { blob_id: self.name(), size_bytes, session_id, transfer_id, only_copy: false }
    }
}

/// Writes from an offset on, a chunk at a time.
fn write(calls: Calls, header: BlobHeader, data: Bytes, from: u64, chunk: u64) -> Task<Result<(), Status>> {
    spawn(async move {
        let (line, sent) = line();
        let say = async move {
            let at = |offset: u64| usize::try_from(offset).unwrap_or(data.len()).min(data.len());
            let starts = (from..data.len() as u64).step_by(at(chunk).max(1));
            let chunks = starts
                .map(|offset| Message::Chunk(BlobChunk { offset, data: data.slice(at(offset)..at(offset + chunk)) }));
            for message in std::iter::once(Message::Header(header)).chain(chunks) {
                let message = WriteBlobRequest { message: Some(message) }.encode_to_vec();
                if line.send(message.into()).await.is_err() {
                    break;
                }
            }
        };
        let ((), answer) = tokio::join!(say, calls.write(sent));
        answer.map(drop)
    })
}

/// Reads from an offset to the end, and goes on where it is broken off. Says what is not as it was written.
async fn read(calls: Calls, blob: Blob, from: u64) -> Result<(), String> {
    let mut offset = from;
    let mut told = Vec::new();
    while told.len() < AGAIN {
        match read_once(calls.clone(), &blob, &mut offset).await? {
            Ok(()) if offset == blob.data.len() as u64 => return Ok(()),
            Ok(()) => return Err(format!("a reader was told that {offset} of {} bytes are all", blob.data.len())),
            Err(status) if matches!(status.code(), Code::Unavailable | Code::Aborted) => told.push(status.to_string()),
            Err(status) => return Err(format!("a reader was told {status}")),
        }
        pause(10).await;
    }
    Err(format!("a reader was broken off again and again: {told:?}"))
}

async fn read_once(calls: Calls, blob: &Blob, offset: &mut u64) -> Result<Result<(), Status>, String> {
    let session_id = Bytes::copy_from_slice(&blob.session.to_bytes());
    let request = ReadBlobRequest { blob_id: blob.name(), offset: *offset, session_id }.encode_to_vec();
    let mut chunks = match calls.read(request.into()).await {
        Ok(chunks) => chunks,
        Err(status) => return Ok(Err(status)),
    };
    loop {
        let chunk = match chunks.message().await {
            Ok(Some(message)) => message.chunk.unwrap_or_default(),
            Ok(None) => return Ok(Ok(())),
            Err(status) => return Ok(Err(status)),
        };
        let end = chunk.offset + chunk.data.len() as u64;
        let written = usize::try_from(chunk.offset).ok().zip(usize::try_from(end).ok());
        let written = written.and_then(|(start, end)| blob.data.get(start..end));
        if chunk.offset != *offset || written != Some(&chunk.data) {
            return Err(format!("{} bytes at {} are not as they were written", chunk.data.len(), chunk.offset));
        }
        *offset = end;
    }
}

async fn patiently<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err("it waited in vain".to_owned()))
}

async fn pause(millis: u64) {
    clock::sleep_until(clock::now() + Duration::from_millis(millis)).await;
}
