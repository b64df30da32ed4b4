//! Blobs that a client or an engine keeps: passed on when somebody reads them, stored when their client is away, and
//! nowhere else.

use bytes::Bytes;
use paraply_cluster_tests::{
    cluster::Cluster,
    dial::Bearer,
    engine::RawEngine,
    session::RawSession,
    soon,
    words::{direct, finished, none, payload},
};
use paraply_common::spawn::{Task, spawn};
use paraply_proto::{
    blob::v1::{
        BlobChunk, BlobHeader, ReadBlobRequest, WriteBlobRequest, blob_service_client::BlobServiceClient,
        write_blob_request::Message,
    },
    common::v1::{AttemptId, BlobRef, BlobWant, Outcome, Payload, outcome::Outcome as Value},
    scheduler::v1::{EngineReports, ReleaseBlobs, open_session_request},
};
use tonic::{Code, Status, service::interceptor::InterceptedService, transport::Channel};

const CHUNK: usize = 1 << 20;
const BLOB: [u8; 16] = [9; 16];

type Client = BlobServiceClient<InterceptedService<Channel, Bearer>>;

fn bytes(length: usize) -> Bytes {
    (0..length).map(|n| (n * 31 % 251) as u8).collect()
}

fn named(size: usize) -> Payload {
    let data_blob = Some(BlobRef { blob_id: Bytes::from_static(&BLOB), size_bytes: size as u64, kept: true });
    Payload { data: Bytes::new(), data_blob, ..payload() }
}

/// Reads the blob of a session from an offset, to its end or until it breaks.
fn read(mut client: Client, session: [u8; 16], offset: usize) -> Task<(Vec<u8>, Result<(), Status>)> {
    spawn(async move {
        let session_id = Bytes::copy_from_slice(&session);
        let request = ReadBlobRequest { blob_id: Bytes::from_static(&BLOB), offset: offset as u64, session_id };
        let mut data = Vec::new();
        let mut stream = match soon("a read", client.read_blob(request)).await {
            Ok(stream) => stream.into_inner(),
            Err(status) => return (data, Err(status)),
        };
        loop {
            match soon("a chunk", stream.message()).await {
                Ok(Some(response)) => data.extend_from_slice(&response.chunk.unwrap().data),
                Ok(None) => return (data, Ok(())),
                Err(status) => return (data, Err(status)),
            }
        }
    })
}

/// Writes the first `chunks` of `data` from where its reader is.
async fn pass_on(
    client: &mut Client,
    session: [u8; 16],
    want: &BlobWant,
    data: &Bytes,
    chunks: usize,
) -> Result<u64, Status> {
    let header = BlobHeader {
        blob_id: want.blob_id.clone(),
        size_bytes: data.len() as u64,
        session_id: Bytes::copy_from_slice(&session),
        transfer_id: want.transfer_id,
        ..BlobHeader::default()
    };
    let starts = (want.offset as usize..data.len()).step_by(CHUNK).take(chunks);
    let chunk = |start: usize| {
        let data = data.slice(start..data.len().min(start + CHUNK));
        Message::Chunk(BlobChunk { offset: start as u64, data })
    };
    let messages: Vec<_> = std::iter::once(Message::Header(header)).chain(starts.map(chunk)).collect();
    let messages = messages.into_iter().map(|message| WriteBlobRequest { message: Some(message) });
    Ok(soon("a write", client.write_blob(tokio_stream::iter(messages))).await?.into_inner().committed_bytes)
}

/// What the client is asked for next.
async fn wanted_of(session: &mut RawSession) -> BlobWant {
    loop {
        if let Some(want) = session.update().await.wanted_blobs.pop() {
            return want;
        }
    }
}

struct Rig {
    cluster: Cluster,
    scheduler: paraply_cluster_tests::service::Service,
    engine: RawEngine,
    session: RawSession,
    client: Client,
    at_engine: Client,
}

impl Rig {
    async fn new() -> Self {
        let cluster = Cluster::default();
        // As long as this a new scheduler waits for engines of an earlier one.
        let config = paraply_scheduler::Config { lease_millis: 3000, ..cluster.scheduler_config() };
        let scheduler = cluster.scheduler_with(config, 0);
        let engine = cluster.engine(&scheduler, 0).await;
        let channel = cluster.dial(&scheduler).await;
        let session = RawSession::open(&cluster, channel.clone()).await;
        let client = BlobServiceClient::with_interceptor(channel.clone(), cluster.as_client());
        let at_engine = BlobServiceClient::with_interceptor(channel, cluster.as_engine());
        Self { cluster, scheduler, engine, session, client, at_engine }
    }

    /// A task whose argument its client keeps is with the engine.
    async fn with_argument(&mut self, size: usize) -> AttemptId {
        let mut call = direct(0, 0);
        call.arguments = vec![named(size)];
        self.session.submit(vec![call]).await;
        self.engine.assigned().await.unwrap().remove(0)
    }

    /// A task has a result that its engine keeps, and its client knows.
    async fn with_result(&mut self, size: usize) {
        self.session.submit(vec![direct(0, 0)]).await;
        let tasks = self.engine.assigned().await.unwrap();
        let outcome = Outcome { outcome: Some(Value::Result(named(size))), ..none() };
        self.engine.finish(tasks, &outcome).await;
        self.session.events_until(|event| finished(event).is_some()).await;
    }
}

#[tokio::test]
async fn an_argument_goes_from_its_client_to_its_engine() {
    let mut rig = Rig::new().await;
    let data = bytes(5 * CHUNK + 17);
    let task = rig.with_argument(data.len()).await;
    let reading = read(rig.at_engine.clone(), rig.session.id, 0);
    let want = wanted_of(&mut rig.session).await;
    let passed = pass_on(&mut rig.client, rig.session.id, &want, &data, usize::MAX).await;
    assert_eq!(passed.unwrap(), data.len() as u64);
    let (read, end) = reading.await.unwrap();
    assert!(read == data && end.is_ok());

    rig.engine.report(EngineReports { fetched: vec![task], ..EngineReports::default() }).await;
    assert_eq!(rig.session.update().await.taken_blobs, [&BLOB[..]]);
}

#[tokio::test]
async fn a_transfer_that_breaks_goes_on_where_its_reader_is() {
    let mut rig = Rig::new().await;
    let data = bytes(4 * CHUNK);
    rig.with_argument(data.len()).await;
    let reading = read(rig.at_engine.clone(), rig.session.id, 0);
    let want = wanted_of(&mut rig.session).await;
    pass_on(&mut rig.client, rig.session.id, &want, &data, 2).await.unwrap();
    let (mut all, end) = reading.await.unwrap();
    assert_eq!((all.len(), end.unwrap_err().code()), (2 * CHUNK, Code::Unavailable));
    let late = pass_on(&mut rig.client, rig.session.id, &want, &data, 1).await.unwrap_err();
    assert_eq!(late.code(), Code::Aborted, "nobody waits for that transfer any more");

    let reading = read(rig.at_engine.clone(), rig.session.id, all.len());
    let want = wanted_of(&mut rig.session).await;
    assert_eq!(want.offset as usize, 2 * CHUNK);
    pass_on(&mut rig.client, rig.session.id, &want, &data, usize::MAX).await.unwrap();
    let (rest, end) = reading.await.unwrap();
    all.extend(rest);
    assert!(all == data && end.is_ok());
}

#[tokio::test]
async fn a_client_that_has_an_argument_no_more_says_so() {
    let mut rig = Rig::new().await;
    rig.with_argument(CHUNK).await;
    let reading = read(rig.at_engine.clone(), rig.session.id, 0);
    let want = wanted_of(&mut rig.session).await;
    rig.session.say(open_session_request::Message::Release(ReleaseBlobs { blob_ids: vec![want.blob_id] })).await;
    let (_, end) = reading.await.unwrap();
    assert_eq!(end.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_client_that_comes_back_is_asked_again() {
    let mut rig = Rig::new().await;
    let data = bytes(CHUNK);
    rig.with_argument(data.len()).await;
    let reading = read(rig.at_engine.clone(), rig.session.id, 0);
    let asked = wanted_of(&mut rig.session).await;
    let mut hello = paraply_cluster_tests::words::session_hello();
    hello.session_id = Bytes::copy_from_slice(&rig.session.id);
    hello.resume = Some(paraply_proto::scheduler::v1::ResumePoint {
        epoch: rig.session.welcome.epoch,
        sequence: 0,
        next_index: 1,
    });
    let channel = rig.cluster.dial(&rig.scheduler).await;
    let mut session = RawSession::hello(&rig.cluster, channel, hello).await.unwrap();
    let again = wanted_of(&mut session).await;
    assert_eq!(again, asked, "what it was asked on its last stream may be lost with it");
    pass_on(&mut rig.client, session.id, &again, &data, usize::MAX).await.unwrap();
    assert!(reading.await.unwrap().0 == data);
}

#[tokio::test]
async fn a_result_goes_from_its_engine_to_its_client_and_is_released() {
    let mut rig = Rig::new().await;
    let data = bytes(3 * CHUNK);
    rig.with_result(data.len()).await;
    let reading = read(rig.client.clone(), rig.session.id, 0);
    let want = rig.engine.orders().await.unwrap().wanted_blobs.remove(0);
    pass_on(&mut rig.at_engine, rig.session.id, &want, &data, usize::MAX).await.unwrap();
    let (read, end) = reading.await.unwrap();
    assert!(read == data && end.is_ok());
    rig.session.say(open_session_request::Message::Release(ReleaseBlobs { blob_ids: vec![want.blob_id] })).await;
    assert_eq!(rig.engine.orders().await.unwrap().release_blobs, [&BLOB[..]]);
}

#[tokio::test]
async fn results_of_a_client_that_is_away_go_into_the_store_and_outlive_their_engine() {
    let mut rig = Rig::new().await;
    let data = bytes(2 * CHUNK);
    rig.with_result(data.len()).await;
    let id = rig.session.id;
    drop(rig.session);
    let orders = rig.engine.orders().await.unwrap();
    assert_eq!(orders.store_blobs, [&BLOB[..]], "after two seconds");
    let want = BlobWant { blob_id: Bytes::from_static(&BLOB), ..BlobWant::default() };
    pass_on(&mut rig.at_engine, id, &want, &data, usize::MAX).await.unwrap();
    drop(rig.engine);
    let (read, end) = read(rig.client.clone(), id, 0).await.unwrap();
    assert!(read == data && end.is_ok());
}

#[tokio::test]
async fn what_nobody_has_is_refused_and_says_why() {
    let rig = Rig::new().await;
    let (_, end) = read(rig.client.clone(), rig.session.id, 0).await.unwrap();
    let status = end.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().contains("nobody has it"), "{status}");
}
