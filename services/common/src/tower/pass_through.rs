//! Calls of the other service's packages are passed on undecoded, so that a client needs one address, whichever it is:
//! HTTP/2 stream to HTTP/2 stream, each frame when the other side has room for it, metadata and trailers as they are.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll, ready},
};

use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use paraply_core::membership::Endpoint;
use tonic::{Status, body::Body, transport::Channel};
use tower::{Layer, Service, ServiceExt as _};

use crate::transport::{dial_lazily, tls::ClientTls};

/// Marks a call that was passed on once: one that comes back was sent in a circle.
const PASSED: HeaderName = HeaderName::from_static("paraply-passed");

/// Where calls are passed on to. Cheap to clone; all clones see what is set on one.
#[derive(Clone)]
pub struct Upstream {
    name: &'static str,
    tls: ClientTls,
    channel: Arc<RwLock<Option<Channel>>>,
}

/// Passes on the calls of some packages.
#[derive(Clone, Debug)]
pub struct PassThroughLayer {
    upstream: Upstream,
    packages: &'static [&'static str],
}

impl Upstream {
    /// Of the service of that name ("scheduler", say), not known yet; `tls` is for where it is at a TLS endpoint.
    #[must_use]
    pub fn new(name: &'static str, tls: ClientTls) -> Self {
        Self { name, tls, channel: Arc::default() }
    }

    /// It is at one of these, best first; at none of them: it is not known any more. Calls under way go on where they
    /// are.
    pub fn set(&self, endpoints: &[Endpoint]) {
        let channel = if endpoints.is_empty() { None } else { dial_lazily(endpoints, &self.tls).ok() };
        *self.channel.write().unwrap_or_else(PoisonError::into_inner) = channel;
    }

    fn get(&self) -> Option<Channel> {
        self.channel.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn call(self, mut request: Request<Body>) -> Response<Body> {
        let name = self.name;
        if request.headers_mut().insert(PASSED, HeaderValue::from_static("1")).is_some() {
            let message = format!("this call went in a circle: the address known for the {name} leads back here");
            return Status::failed_precondition(message).into_http();
        }
        let Some(channel) = self.get() else {
            let message = format!("this call is the {name}'s, and no {name} is known here yet; try again in a moment");
            return Status::unavailable(message).into_http();
        };
        match channel.oneshot(request).await {
            Ok(response) => response.map(|body| Body::new(Passed { body, name, over: false })),
            Err(error) => unreachable_upstream(name, &error).into_http(),
        }
    }
}

fn unreachable_upstream(name: &str, error: &dyn std::error::Error) -> Status {
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Status::unavailable(format!("the {name} cannot be reached ({cause}); it may be restarting, try again"))
}

impl PassThroughLayer {
    /// Calls of `packages`, such as "paraply.blob.v1", go to `upstream`.
    #[must_use]
    pub fn new(upstream: Upstream, packages: &'static [&'static str]) -> Self {
        Self { upstream, packages }
    }
}

impl<S> Layer<S> for PassThroughLayer {
    type Service = PassThrough<S>;

    fn layer(&self, inner: S) -> PassThrough<S> {
        PassThrough { inner, layer: self.clone() }
    }
}

/// See [`PassThroughLayer`].
#[derive(Clone, Debug)]
pub struct PassThrough<S> {
    inner: S,
    layer: PassThroughLayer,
}

impl<S> Service<Request<Body>> for PassThrough<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Future: Send + 'static>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = request.uri().path().split('/').nth(1).unwrap_or_default();
        let package = service.rsplit_once('.').map_or("", |(package, _)| package);
        if self.layer.packages.contains(&package) {
            let upstream = self.layer.upstream.clone();
            return Box::pin(async move { Ok(upstream.call(request).await) });
        }
        Box::pin(self.inner.call(request))
    }
}

/// A response on its way through. A connection that breaks on the far side becomes a status that says so; left alone it
/// would reset the stream, and the caller would learn nothing.
struct Passed {
    body: Body,
    name: &'static str,
    over: bool,
}

impl http_body::Body for Passed {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Err(error)) => {
                self.over = true;
                let headers = unreachable_upstream(self.name, &error).into_http::<()>().into_parts().0.headers;
                Some(Ok(Frame::trailers(headers)))
            }
            frame => frame,
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("name", &self.name).finish_non_exhaustive()
    }
}
