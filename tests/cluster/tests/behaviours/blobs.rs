//! Large bytes: written, read while they are written, resumed, refused when the store is full, gone with their session.

use bytes::Bytes;
use paraply_cluster_tests::{
    cluster::Cluster,
    dial::Bearer,
    session::RawSession,
    soon,
    words::{direct, payload},
};
use paraply_common::spawn::spawn;
use paraply_proto::{
    blob::v1::{
        BlobChunk, BlobHeader, QueryWriteStatusRequest, ReadBlobRequest, WriteBlobRequest,
        blob_service_client::BlobServiceClient, write_blob_request::Message,
    },
    common::v1::{BlobRef, Payload},
    scheduler::v1::{CloseSession, open_session_request},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, service::interceptor::InterceptedService, transport::Channel};

const CHUNK: usize = 1 << 20;

type Client = BlobServiceClient<InterceptedService<Channel, Bearer>>;

fn message(message: Message) -> WriteBlobRequest {
    WriteBlobRequest { message: Some(message) }
}

fn header(blob: u8, session: [u8; 16], size_bytes: usize) -> WriteBlobRequest {
    let session_id = Bytes::copy_from_slice(&session);
    let blob_id = vec![blob; 16].into();
    let header = BlobHeader { blob_id, size_bytes: size_bytes as u64, session_id, ..BlobHeader::default() };
    message(Message::Header(header))
}

/// `data`'s chunks from `offset`.
fn chunks(data: &Bytes, offset: usize) -> Vec<WriteBlobRequest> {
    let starts = (offset..data.len()).step_by(CHUNK);
    let chunk =
        |start: usize| BlobChunk { offset: start as u64, data: data.slice(start..data.len().min(start + CHUNK)) };
    starts.map(|start| message(Message::Chunk(chunk(start)))).collect()
}

async fn write(client: &mut Client, messages: Vec<WriteBlobRequest>) -> Result<u64, Status> {
    Ok(soon("a write", client.write_blob(tokio_stream::iter(messages))).await?.into_inner().committed_bytes)
}

async fn read(client: &mut Client, session: [u8; 16], blob: u8, offset: usize) -> Result<Vec<u8>, Status> {
    let session_id = Bytes::copy_from_slice(&session);
    let request = ReadBlobRequest { blob_id: vec![blob; 16].into(), offset: offset as u64, session_id };
    let mut stream = soon("a read", client.read_blob(request)).await?.into_inner();
    let mut data = Vec::new();
    while let Some(response) = soon("a chunk", stream.message()).await? {
        let chunk = response.chunk.unwrap();
        assert_eq!(chunk.offset as usize, offset + data.len());
        data.extend_from_slice(&chunk.data);
    }
    Ok(data)
}

async fn progress(client: &mut Client, blob: u8) -> Result<u64, Status> {
    let request = QueryWriteStatusRequest { blob_id: vec![blob; 16].into() };
    Ok(client.query_write_status(request).await?.into_inner().committed_bytes)
}

fn bytes(length: usize) -> Bytes {
    (0..length).map(|n| (n * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn what_is_written_is_read_whole_or_from_an_offset() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let channel = cluster.dial(&scheduler).await;
    let session = RawSession::open(&cluster, channel.clone()).await;
    let mut writer = BlobServiceClient::with_interceptor(channel.clone(), cluster.as_client());
    let mut reader = BlobServiceClient::with_interceptor(channel, cluster.as_engine());
    let data = bytes(5 * CHUNK + 17);
    let messages = [vec![header(1, session.id, data.len())], chunks(&data, 0)].concat();
    assert_eq!(write(&mut writer, messages).await.unwrap(), data.len() as u64);
    assert!(read(&mut reader, session.id, 1, 0).await.unwrap() == data);
    assert!(read(&mut reader, session.id, 1, 3 * CHUNK + 5).await.unwrap() == data[3 * CHUNK + 5..]);
    assert_eq!(read(&mut reader, session.id, 1, data.len() + 1).await.unwrap_err().code(), Code::OutOfRange);
    assert_eq!(read(&mut reader, session.id, 2, 0).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn they_pass_through_the_controller() {
    let cluster = Cluster::default();
    let (controller, _scheduler) = cluster.both();
    let channel = cluster.dial(&controller).await;
    let session = soon("a session through the controller", async {
        loop {
            match RawSession::try_open(&cluster, channel.clone()).await {
                Ok(session) => return session,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    let session = session.await;
    let mut client = BlobServiceClient::with_interceptor(channel, cluster.as_client());
    let data = bytes(3 * CHUNK);
    write(&mut client, [vec![header(1, session.id, data.len())], chunks(&data, 0)].concat()).await.unwrap();
    assert!(read(&mut client, session.id, 1, 0).await.unwrap() == data);
}

#[tokio::test]
async fn a_broken_write_goes_on_where_it_was_while_a_reader_waits() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let channel = cluster.dial(&scheduler).await;
    let session = RawSession::open(&cluster, channel.clone()).await;
    let mut writer = BlobServiceClient::with_interceptor(channel.clone(), cluster.as_client());
    let data = bytes(4 * CHUNK);

    let (messages, outgoing) = mpsc::channel(8);
    let mut broken = BlobServiceClient::with_interceptor(cluster.dial(&scheduler).await, cluster.as_client());
    let writing = spawn(async move { broken.write_blob(ReceiverStream::new(outgoing)).await });
    messages.send(header(1, session.id, data.len())).await.unwrap();
    for chunk in &chunks(&data, 0)[..2] {
        messages.send(chunk.clone()).await.unwrap();
    }
    soon("two chunks", async { while progress(&mut writer, 1).await.unwrap_or_default() < 2 * CHUNK as u64 {} }).await;
    drop(writing);

    let mut reader = BlobServiceClient::with_interceptor(channel, cluster.as_engine());
    let id = session.id;
    let reading = spawn(async move { read(&mut reader, id, 1, 0).await });
    let gap = [vec![header(1, session.id, data.len())], chunks(&data, 3 * CHUNK)].concat();
    let refused = write(&mut writer, gap).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
    assert!(refused.message().contains(&(2 * CHUNK).to_string()), "names the committed offset: {refused}");

    let repeated = [vec![header(1, session.id, data.len())], chunks(&data, CHUNK)].concat();
    assert_eq!(write(&mut writer, repeated).await.unwrap(), data.len() as u64);
    assert!(reading.await.unwrap().unwrap() == data);
}

#[tokio::test]
async fn a_task_waits_for_the_blob_that_it_names() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let mut engine = cluster.engine(&scheduler, 0).await;
    let channel = cluster.dial(&scheduler).await;
    let session = RawSession::open(&cluster, channel.clone()).await;
    let mut writer = BlobServiceClient::with_interceptor(channel, cluster.as_client());
    let data = bytes(2 * CHUNK);
    let data_blob = Some(BlobRef { blob_id: vec![9; 16].into(), size_bytes: data.len() as u64, kept: false });
    let mut call = direct(0, 0);
    call.arguments = vec![Payload { data: Bytes::new(), data_blob, ..payload() }];
    session.submit(vec![call]).await;
    let messages = [vec![header(9, session.id, data.len())], chunks(&data, 0)].concat();
    write(&mut writer, messages[..2].to_vec()).await.unwrap();
    let early = tokio::time::timeout(std::time::Duration::from_millis(50), engine.assigned()).await;
    assert!(early.is_err(), "half of the blob is there: {early:?}");
    write(&mut writer, messages).await.unwrap();
    assert_eq!(engine.assigned().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_store_refuses_what_does_not_fit_by_name() {
    let cluster = Cluster::default();
    let config = paraply_scheduler::Config {
        blob_bytes: 3 * CHUNK as u64,
        blob_memory_bytes: CHUNK as u64,
        ..cluster.scheduler_config()
    };
    let scheduler = cluster.scheduler_with(config, 0);
    let channel = cluster.dial(&scheduler).await;
    let session = RawSession::open(&cluster, channel.clone()).await;
    let mut writer = BlobServiceClient::with_interceptor(channel, cluster.as_client());
    let data = bytes(2 * CHUNK);
    write(&mut writer, [vec![header(1, session.id, data.len())], chunks(&data, 0)].concat()).await.unwrap();
    let refused = write(&mut writer, vec![header(2, session.id, data.len())]).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("blob_bytes"), "{refused}");
    assert!(read(&mut writer, session.id, 1, 0).await.unwrap() == data, "nothing else is refused");

    session.say(open_session_request::Message::Close(CloseSession {})).await;
    soon("the blob's end", async { while progress(&mut writer, 1).await.is_ok() {} }).await;
    write(&mut writer, vec![header(2, session.id, 3 * CHUNK - 512)]).await.unwrap();
}
