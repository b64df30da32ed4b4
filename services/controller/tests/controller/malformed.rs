use bytes::Bytes;
use paraply_proto::{
    common::v1::PeerInfo,
    controller::v1::{GetClusterInfoRequest, KeepAliveRequest, RegisterMemberRequest},
};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::support::{Controller, ENGINE, authed, engine, hello, scheduler};

/// Sends bytes as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put(buffer, item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = bytes::Buf::remaining(buffer);
        Ok(Some(bytes::Buf::copy_to_bytes(buffer, length)))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

const GARBAGE: &[u8] = &[0xff; 40];

async fn raw(controller: &Controller, method: &'static str, bodies: &[Bytes]) -> Status {
    let mut grpc = Grpc::new(authed(controller.channel.clone(), ENGINE));
    grpc.ready().await.unwrap();
    let path = format!("/paraply.controller.v1.MembershipService/{method}").parse().unwrap();
    let request = Request::new(tokio_stream::iter(bodies.to_vec()));
    match grpc.streaming(request, path, Raw).await {
        Err(status) => status,
        Ok(answers) => {
            let mut answers = answers.into_inner();
            loop {
                match answers.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("garbage was accepted"),
                    Err(status) => break status,
                }
            }
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_end_their_own_call_and_nothing_else() {
    let controller = Controller::start().await;
    controller.register(scheduler(100, &[], 0)).await.unwrap();
    let id = controller.register(engine(1)).await.unwrap().member_id;

    let status = raw(&controller, "RegisterMember", &[Bytes::from_static(GARBAGE)]).await;
    assert!(matches!(status.code(), Code::Internal | Code::InvalidArgument), "{status}");
    let status = raw(&controller, "KeepAlive", &[Bytes::from_static(GARBAGE)]).await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("cannot be read"), "{status}");

    let first = Bytes::from(prost::Message::encode_to_vec(&hello(id, 1)));
    let status = raw(&controller, "KeepAlive", &[first, Bytes::from_static(GARBAGE)]).await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");

    controller.cluster().get_cluster_info(GetClusterInfoRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_field_that_cannot_be_taken_is_named() {
    let controller = Controller::start().await;
    let mut short = engine(1);
    short.incarnation = Bytes::from_static(b"short");
    let nobody = RegisterMemberRequest { role: 0, ..engine(1) };
    let mut chatty = engine(1);
    chatty.labels.insert("essay".into(), "x".repeat(1 << 17));
    for (request, code, word) in [
        (short, Code::InvalidArgument, "incarnation"),
        (nobody, Code::InvalidArgument, "role"),
        (chatty, Code::InvalidArgument, "labels"),
        (RegisterMemberRequest { peer: None, ..engine(1) }, Code::FailedPrecondition, "protocol"),
        (
            RegisterMemberRequest {
                peer: Some(PeerInfo { protocol_min: 9, protocol_max: 9, ..PeerInfo::default() }),
                ..engine(1)
            },
            Code::FailedPrecondition,
            "9 to 9",
        ),
    ] {
        let status = controller.register(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(word), "{word}: {status}");
    }
    let status = controller.keep_alive(KeepAliveRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("incarnation"), "{status}");
}
