//! A span for each call, with its gRPC service and method as fields.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument as _, field::Empty};

/// Opens a span around each call.
#[derive(Clone, Copy, Debug)]
pub struct TraceLayer;

/// See [`TraceLayer`].
#[derive(Clone, Debug)]
pub struct Trace<S> {
    inner: S,
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace { inner }
    }
}

impl<S, B, R> Service<Request<B>> for Trace<S>
where
    S: Service<Request<B>, Response = Response<R>, Future: Send + 'static>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut parts = request.uri().path().splitn(3, '/').skip(1);
        let (service, method) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let span = tracing::debug_span!("rpc", service, method, code = Empty);
        let recorded = span.clone();
        let answer = span.in_scope(|| self.inner.call(request));
        let future = async move {
            let answer = answer.await;
            // A call that is refused says so in its headers; how a stream ends is its service's to trace.
            if let Some(status) = answer.as_ref().ok().and_then(|answer| Status::from_header_map(answer.headers())) {
                recorded.record("code", tracing::field::debug(status.code()));
                if status.code() != Code::Ok {
                    tracing::debug!(code = ?status.code(), message = status.message(), "call refused");
                }
            }
            answer
        };
        Box::pin(future.instrument(span))
    }
}
