//! A large array from Rust to a Python engine and back, beside a relay of messages that does nothing else.
//!
//! `array MIB ROUNDS`, on the default cluster. Each round measures the relay, the way there and the way back, one after the
//! other; without rounds there is no relay, and the array goes there and back once. It fails if a bit differs.

mod hop;

use std::{
    env,
    error::Error,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use bytes::Bytes;
use paraply::{
    Client,
    values::{Dtype, Order, RawArray},
};
use paraply_common::clock;
use paraply_core::time::Time;
use paraply_proto::blob::v1::{
    BlobChunk, QueryWriteStatusRequest, QueryWriteStatusResponse, ReadBlobRequest, ReadBlobResponse, WriteBlobRequest,
    WriteBlobResponse,
    blob_service_client::BlobServiceClient,
    blob_service_server::{BlobService, BlobServiceServer},
    write_blob_request::Message,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming, transport::Channel};

const MIB: usize = 1 << 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hop", socket] => hop::serve(Path::new(socket), service(None)).await,
        ["hop", socket, next] => hop::serve(Path::new(socket), service(Some(hop::dial(Path::new(next)).await?))).await,
        [mib, rounds] => measure(mib.parse::<usize>()? * MIB, rounds.parse()?).await,
        _ => Err("array MIB ROUNDS".into()),
    }
}

async fn measure(size: usize, rounds: usize) -> Result<(), Box<dyn Error>> {
    let client = Client::connect().await?;
    client.wait_for_engines(1).await?;
    let engine = client.direct(0);
    let elements = Bytes::from(noise(size));
    let array = RawArray::new(Dtype::Uint8, vec![size], Order::C, elements.clone())?;
    let relay = if rounds > 0 { Some(Relay::start().await?) } else { None };
    let mut best = [0.0_f64; 3];
    for round in 0..rounds.max(1) {
        let bare = match &relay {
            Some(relay) => rate(size, clock::now(), relay.send(elements.clone()).await?),
            None => 0.0,
        };
        let begun = clock::now();
        engine.push("array", &array).await?;
        let there = rate(size, begun, ());
        let begun = clock::now();
        let mut back: Vec<RawArray> = engine.pull("array").await?;
        let here = rate(size, begun, ());
        if back.pop().ok_or("no array came back")?.elements() != &elements {
            return Err("the array that came back is another".into());
        }
        best = [best[0].max(bare), best[1].max(there), best[2].max(here)];
        println!("round {round}: {}", said([bare, there, here]));
    }
    println!("best: {}", said(best));
    println!("equal bits: {} MiB, {} times", size / MIB, rounds.max(1));
    client.close().await;
    Ok(())
}

/// MiB a second.
fn rate<T>(size: usize, begun: Time, _done: T) -> f64 {
    (size / MIB) as f64 / clock::now().since(begun).as_secs_f64()
}

fn said([relay, there, back]: [f64; 3]) -> String {
    let beside = |rate: f64| if relay > 0.0 { format!(" ({:.2} of the relay)", rate / relay) } else { String::new() };
    format!("relay {relay:.0} MiB/s, there {there:.0} MiB/s{}, back {back:.0} MiB/s{}", beside(there), beside(back))
}

/// Bytes that do not repeat where chunks begin.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

/// Two processes, as scheduler and engine are: one passes messages on to the other.
struct Relay {
    channel: Channel,
    hops: Vec<(Child, Option<ChildStdin>)>,
    folder: PathBuf,
}

impl Relay {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let folder = env::temp_dir().join(format!("paraply-relay-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let (first, second) = (folder.join("first"), folder.join("second"));
        let mut hops = Vec::new();
        for sockets in [vec![&second], vec![&first, &second]] {
            let mut command = Command::new(env::current_exe()?);
            command.arg("hop").args(sockets).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn()?;
            let input = child.stdin.take();
            let output = child.stdout.take().ok_or("no output")?;
            hops.push((child, input));
            if BufReader::new(output).lines().next().is_none() {
                return Err("the relay has not begun".into());
            }
        }
        Ok(Self { channel: hop::dial(&first).await?, hops, folder })
    }

    async fn send(&self, all: Bytes) -> Result<(), Box<dyn Error>> {
        let size = all.len();
        let messages = (0..size).step_by(MIB).map(move |offset| {
            let data = all.slice(offset..size.min(offset + MIB));
            let chunk = BlobChunk { offset: offset as u64, data };
            WriteBlobRequest { message: Some(Message::Chunk(chunk)) }
        });
        let said = BlobServiceClient::new(self.channel.clone()).write_blob(tokio_stream::iter(messages)).await?;
        if said.into_inner().committed_bytes == size as u64 { Ok(()) } else { Err("the relay has lost bytes".into()) }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for (child, input) in &mut self.hops {
            // It ends with its standard input. One that does not is the system's to end, and no result depends on it.
            drop(input.take());
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn service(next: Option<Channel>) -> BlobServiceServer<Hop> {
    BlobServiceServer::new(Hop { next }).max_decoding_message_size(2 * MIB)
}

struct Hop {
    next: Option<Channel>,
}

#[tonic::async_trait]
impl BlobService for Hop {
    async fn write_blob(
        &self,
        request: Request<Streaming<WriteBlobRequest>>,
    ) -> Result<Response<WriteBlobResponse>, Status> {
        let mut messages = request.into_inner();
        if let Some(next) = &self.next {
            let whole = messages.map_while(Result::ok);
            return BlobServiceClient::new(next.clone()).write_blob(whole).await;
        }
        let mut committed_bytes = 0;
        while let Some(message) = messages.next().await {
            if let Some(Message::Chunk(chunk)) = message?.message {
                committed_bytes += chunk.data.len() as u64;
            }
        }
        Ok(Response::new(WriteBlobResponse { committed_bytes, ..WriteBlobResponse::default() }))
    }

    type ReadBlobStream = Box<dyn Stream<Item = Result<ReadBlobResponse, Status>> + Send + Unpin>;

    async fn read_blob(&self, _: Request<ReadBlobRequest>) -> Result<Response<Self::ReadBlobStream>, Status> {
        Err(Status::unimplemented("the relay passes on what is written"))
    }

    async fn query_write_status(
        &self,
        _: Request<QueryWriteStatusRequest>,
    ) -> Result<Response<QueryWriteStatusResponse>, Status> {
        Err(Status::unimplemented("the relay passes on what is written"))
    }
}
