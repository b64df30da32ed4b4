//! gRPC with nothing behind it: what a call and a byte cost at the least.
//!
//! `floor SOCKET` is the end of a road, `floor SOCKET NEXT` a relay to one, as engine and scheduler are. It serves until its
//! standard input ends. `Echo` answers each message with itself, `Write` takes messages and forgets them, `Read` sends as
//! many of 1 MiB as the metadata `mib` says.

mod hop;

use std::{
    convert::Infallible,
    env,
    error::Error,
    future::Future,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use tonic::{Status, body::Body, metadata::GRPC_CONTENT_TYPE, server::NamedService, transport::Channel};
use tower::{Service, ServiceExt as _};

const MIB: usize = 1 << 20;
/// An empty message, framed.
const NOTHING: &[u8] = &[0; 5];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let sockets: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    match &sockets[..] {
        [socket] => hop::serve(socket, Floor::end()).await,
        [socket, next] => hop::serve(socket, Floor::Relay(hop::dial(next).await?)).await,
        _ => Err("floor SOCKET [NEXT]".into()),
    }
}

/// Passes on bodies as they are, or answers.
#[derive(Clone)]
enum Floor {
    Relay(Channel),
    End {
        /// 1 MiB, framed.
        message: Bytes,
    },
}

impl Floor {
    fn end() -> Self {
        let mut message = BytesMut::with_capacity(5 + MIB);
        message.put_u8(0);
        message.put_u32(MIB as u32);
        message.put_bytes(1, MIB);
        Self::End { message: message.freeze() }
    }
}

impl NamedService for Floor {
    const NAME: &'static str = "paraply.bench.Floor";
}

impl Service<Request<Body>> for Floor {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let floor = self.clone();
        Box::pin(async move {
            Ok(match floor {
                Self::Relay(next) => next
                    .oneshot(request)
                    .await
                    .unwrap_or_else(|error| Status::unavailable(error.to_string()).into_http()),
                Self::End { message } => answer(message, request).await,
            })
        })
    }
}

async fn answer(message: Bytes, request: Request<Body>) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    match head.uri.path().rsplit('/').next() {
        Some("Echo") => answered(body.map_frame(|frame| frame)),
        Some("Write") => {
            while let Some(Ok(_)) = body.frame().await {}
            answered(Full::new(Bytes::from_static(NOTHING)))
        }
        Some("Read") => {
            let mib = head.headers.get("mib").and_then(|value| value.to_str().ok()?.parse().ok());
            let messages = (0..mib.unwrap_or(0)).map(move |_| Ok::<_, Infallible>(Frame::data(message.clone())));
            answered(StreamBody::new(stream::iter(messages)))
        }
        _ => Status::unimplemented("Echo, Write or Read").into_http(),
    }
}

fn answered<B>(body: B) -> Response<Body>
where
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let trailers = HeaderMap::from_iter([(Status::GRPC_STATUS, HeaderValue::from_static("0"))]);
    let mut response = Response::new(Body::new(body.with_trailers(async { Some(Ok(trailers)) })));
    response.headers_mut().insert(CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response
}
