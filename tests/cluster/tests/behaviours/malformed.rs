//! What cannot be understood ends its own stream, by name, while others go on working.

use std::marker::PhantomData;

use bytes::Bytes;
use paraply_cluster_tests::{
    cluster::Cluster,
    session::{RawSession, stream},
    soon,
    words::{direct, finished, session_hello},
};
use paraply_common::spawn::spawn;
use paraply_proto::scheduler::v1::{
    CancelIndexes, OpenSessionResponse, SessionHello, Submit, open_session_request::Message, session_closed::Reason,
};
use tokio_stream::StreamExt as _;
use tonic::{
    Code, Request, Status,
    codec::{BufferSettings, Codec, EncodeBuf, Encoder},
    service::Interceptor as _,
};

/// Another client, at work before and after.
async fn works(cluster: &Cluster, other: &mut RawSession, index: u64) {
    let _ = cluster;
    other.submit(vec![direct(index, 0)]).await;
    other.events_until(|event| finished(event).is_some_and(|done| done.index == index)).await;
}

#[tokio::test]
async fn a_malformed_field_is_named_and_others_work_on() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let _serving = spawn(cluster.engine(&scheduler, 0).await.serve());
    let mut other = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    works(&cluster, &mut other, 0).await;

    let mut bad = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    let mut call = direct(0, 0);
    call.placement = None;
    bad.say(Message::Submit(Submit { calls: vec![call], ..Submit::default() })).await;
    let closed = bad.closed().await;
    assert_eq!(closed.reason(), Reason::ProtocolError);
    assert_eq!(closed.message, "submit.calls[0].placement: must be set");
    assert!(bad.next().await.unwrap().is_none(), "and the stream ends");

    works(&cluster, &mut other, 1).await;
}

#[tokio::test]
async fn a_malformed_first_message_is_an_invalid_argument() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let short = SessionHello { session_id: Bytes::from_static(b"short"), ..session_hello() };
    let refused = RawSession::hello(&cluster, cluster.dial(&scheduler).await, short).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("hello.session_id: must be 16 bytes"), "{refused}");
    let early = Message::Cancel(CancelIndexes::default());
    let refused = stream(&cluster, cluster.dial(&scheduler).await, early).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("`hello`"), "{refused}");
}

/// Sends bytes as they are.
#[derive(Debug, Default)]
struct RawCodec<T>(PhantomData<T>);

impl<T: prost::Message + Default + 'static> Codec for RawCodec<T> {
    type Encode = Bytes;
    type Decode = T;
    type Encoder = Self;
    type Decoder = tonic_prost::ProstDecoder<T>;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        tonic_prost::ProstDecoder::new(BufferSettings::default())
    }
}

impl<T> Encoder for RawCodec<T> {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put(buffer, item);
        Ok(())
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_close_their_session_only() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let _serving = spawn(cluster.engine(&scheduler, 0).await.serve());
    let mut other = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;

    let (bytes, outgoing) = tokio::sync::mpsc::channel(4);
    let hello = paraply_proto::scheduler::v1::OpenSessionRequest { message: Some(Message::Hello(session_hello())) };
    bytes.send(Bytes::from(prost::Message::encode_to_vec(&hello))).await.unwrap();
    let request = cluster.as_client().call(Request::new(())).unwrap();
    let request = request.map(|()| tokio_stream::wrappers::ReceiverStream::new(outgoing));
    let mut grpc = tonic::client::Grpc::new(cluster.dial(&scheduler).await);
    grpc.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/paraply.scheduler.v1.TaskService/OpenSession");
    let codec = RawCodec::<OpenSessionResponse>(PhantomData);
    let mut responses = soon("headers", grpc.streaming(request, path, codec)).await.unwrap().into_inner();
    soon("a welcome", responses.next()).await.unwrap().unwrap();

    bytes.send(Bytes::from_static(&[0xff; 40])).await.unwrap();
    let closed = loop {
        let response = soon("closed", responses.next()).await.unwrap().unwrap();
        if let Some(paraply_proto::scheduler::v1::open_session_response::Message::Closed(closed)) = response.message {
            break closed;
        }
    };
    assert_eq!(closed.reason(), Reason::ProtocolError);
    assert!(closed.message.contains("decode"), "{}", closed.message);
    works(&cluster, &mut other, 0).await;
}

#[tokio::test]
async fn a_message_over_the_limit_closes_its_session_only() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let _serving = spawn(cluster.engine(&scheduler, 0).await.serve());
    let mut other = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    let mut bad = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    let mut call = direct(0, 0);
    call.arguments[0].data = Bytes::from(vec![0; 2 << 20]);
    bad.submit(vec![call]).await;
    let closed = bad.closed().await;
    assert_eq!(closed.reason(), Reason::ProtocolError);
    assert!(closed.message.contains("too large"), "{}", closed.message);
    works(&cluster, &mut other, 0).await;
}
