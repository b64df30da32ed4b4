use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use paraply_common::{clock, spawn::spawn, transport::MAX_MESSAGE_BYTES};
use paraply_proto::{
    blob::v1::{
        BlobChunk, QueryWriteStatusRequest, ReadBlobRequest, WriteBlobRequest, blob_service_client::BlobServiceClient,
        write_blob_request,
    },
    scheduler::v1::{AttachEngineRequest, engine_link_service_client::EngineLinkServiceClient},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};

use crate::{
    fake_scheduler::{CHUNK, FakeScheduler},
    support::{Authed, CLIENT, Controller, ENGINE, PATIENCE, authed, scheduler},
};

/// Far more than what two connections have room for.
const CHUNKS: u64 = 512;

async fn start() -> (Controller, FakeScheduler) {
    let (controller, scheduler_) = (Controller::start().await, FakeScheduler::start());
    controller.register(scheduler(100, &scheduler_.endpoints, 0)).await.unwrap();
    (controller, scheduler_)
}

fn blobs(controller: &Controller) -> BlobServiceClient<Authed> {
    BlobServiceClient::new(authed(controller.channel.clone(), CLIENT)).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

/// The count, once it has stood still for a while.
async fn settled(count: &AtomicU64) -> u64 {
    let begun = clock::now();
    let (mut last, mut since) = (0, begun);
    loop {
        let now = clock::now();
        let value = count.load(Ordering::Relaxed);
        if value != last {
            (last, since) = (value, now);
        } else if value > 0 && now.since(since) > Duration::from_millis(500) {
            return value;
        }
        assert!(now.since(begun) < PATIENCE, "{value} and counting");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_stream_both_ways_with_its_metadata_and_its_status() {
    let (controller, scheduler) = start().await;
    let mut link = EngineLinkServiceClient::new(authed(controller.channel.clone(), ENGINE));
    let (says, said) = mpsc::channel(1);
    let mut request = Request::new(ReceiverStream::new(said));
    request.metadata_mut().insert("note", "kept".parse().unwrap());
    let mut answers = link.attach_engine(request).await.unwrap().into_inner();
    for _turn in 0..100 {
        says.send(AttachEngineRequest::default()).await.unwrap();
        assert!(answers.message().await.unwrap().is_some(), "each is answered before the next is sent");
    }
    drop(says);
    let status = answers.message().await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::AlreadyExists, "so it ends"));
    assert_eq!(scheduler.fake.note.lock().unwrap().as_deref(), Some("kept"));
}

#[tokio::test]
async fn a_slow_reader_slows_the_writer_on_the_far_side() {
    let (controller, scheduler) = start().await;
    let request = ReadBlobRequest { offset: CHUNKS, ..ReadBlobRequest::default() };
    let mut chunks = blobs(&controller).read_blob(request).await.unwrap().into_inner();
    let made = settled(&scheduler.fake.made).await;
    assert!(made < CHUNKS / 2, "{made} chunks were made for a reader that reads nothing");
    for offset in 0..CHUNKS {
        let chunk = chunks.message().await.unwrap().unwrap().chunk.unwrap();
        assert_eq!((chunk.offset, chunk.data.len()), (offset, CHUNK));
    }
    assert!(chunks.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_slow_reader_on_the_far_side_slows_the_writer() {
    let (controller, scheduler) = start().await;
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let chunks = stream::iter(0..CHUNKS).map(move |offset| {
        count.fetch_add(1, Ordering::Relaxed);
        let chunk = BlobChunk { offset, data: Bytes::from(vec![0; CHUNK]) };
        WriteBlobRequest { message: Some(write_blob_request::Message::Chunk(chunk)) }
    });
    let mut blobs = blobs(&controller);
    let write = spawn(async move { blobs.write_blob(chunks).await });
    let before = settled(&sent).await;
    assert!(before < CHUNKS / 2, "{before} chunks were sent to a reader that reads nothing");
    scheduler.fake.read.notify_one();
    let written = tokio::time::timeout(PATIENCE, write).await.unwrap().unwrap().unwrap().into_inner();
    assert_eq!(written.committed_bytes, CHUNKS * CHUNK as u64);
}

#[tokio::test]
async fn without_a_scheduler_the_call_says_so() {
    let controller = Controller::start().await;
    let status = blobs(&controller).query_write_status(QueryWriteStatusRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("no scheduler is known"), "{status}");
}

#[tokio::test]
async fn a_scheduler_that_dies_ends_its_calls_as_unavailable_and_its_successor_is_found() {
    let (controller, before) = start().await;
    let mut link = EngineLinkServiceClient::new(authed(controller.channel.clone(), ENGINE));
    let (says, said) = mpsc::channel(1);
    let mut answers = link.attach_engine(ReceiverStream::new(said)).await.unwrap().into_inner();
    says.send(AttachEngineRequest::default()).await.unwrap();
    answers.message().await.unwrap();
    before.die().await;
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let status = blobs(&controller).query_write_status(QueryWriteStatusRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("scheduler cannot be reached"), "{status}");

    let after = FakeScheduler::start();
    controller.register(scheduler(101, &after.endpoints, 0)).await.unwrap();
    let status = blobs(&controller).query_write_status(QueryWriteStatusRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no such blob"));
}

#[tokio::test]
async fn a_circle_is_seen() {
    let controller = Controller::start().await;
    controller.register(scheduler(100, &controller.endpoints, 0)).await.unwrap();
    let status = blobs(&controller).query_write_status(QueryWriteStatusRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("circle"), "{status}");
}
