//! The thread that bulk has for itself. Its calls arrive on the service's connections; all that the two threads share
//! of a call are frames of bytes and a bounded channel.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use tokio::{
    runtime::{Builder, Handle},
    sync::{mpsc, oneshot},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};
use tonic::{Status, body::Body, server::NamedService};
use tower::Service;

/// Frames of an answer on their way from one thread to the other; a frame is a message of at most 1 MiB.
const FRAMES: usize = 4;

/// Threads that wait for the disk.
const DISK_THREADS: usize = 4;

/// A running thread. Dropping it ends the thread and every call on it.
#[derive(Debug)]
pub(crate) struct BlobThread {
    handle: Handle,
    stop: Option<DropGuard>,
    thread: Option<JoinHandle<()>>,
}

impl BlobThread {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(DISK_THREADS).build()?;
        let handle = runtime.handle().clone();
        let stopped = CancellationToken::new();
        let stop = Some(stopped.clone().drop_guard());
        let run = move || runtime.block_on(stopped.cancelled());
        let thread = Some(thread::Builder::new().name("paraply-blobs".to_owned()).spawn(run)?);
        Ok(Self { handle, stop, thread })
    }

    /// For starting tasks on the thread.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for BlobThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It has panicked if this fails, and has said so itself.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Answers the calls of a gRPC service on the blob thread.
#[derive(Clone, Debug)]
pub(crate) struct OnBlobThread<S> {
    inner: S,
    thread: Handle,
}

impl<S> OnBlobThread<S> {
    pub(crate) fn new(inner: S, thread: Handle) -> Self {
        Self { inner, thread }
    }
}

impl<S: NamedService> NamedService for OnBlobThread<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for OnBlobThread<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut inner = self.inner.clone();
        let (head, head_in) = oneshot::channel();
        let (frames, frames_in) = mpsc::channel(FRAMES);
        let answer = async move {
            let Ok(response) = inner.call(request).await;
            let (parts, mut body) = response.into_parts();
            if head.send((parts, body.is_end_stream())).is_err() {
                return;
            }
            while let Some(frame) = body.frame().await {
                if frames.send(frame).await.is_err() {
                    return;
                }
            }
        };
        #[allow(clippy::disallowed_methods, reason = "on the other thread, and ended with its handle")]
        let task = AbortOnDropHandle::new(self.thread.spawn(answer));
        Box::pin(async move {
            Ok(match head_in.await {
                // A status without a body ends the stream with its headers, or grpc-core does not see the status.
                Ok((parts, true)) => Response::from_parts(parts, Body::empty()),
                Ok((parts, false)) => Response::from_parts(parts, Body::new(Frames { frames: frames_in, _task: task })),
                Err(_) => Status::unavailable("the scheduler is shutting down").into_http(),
            })
        })
    }
}

/// An answer's body as it comes from the blob thread.
struct Frames {
    frames: mpsc::Receiver<Result<Frame<Bytes>, Status>>,
    _task: AbortOnDropHandle<()>,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.frames.poll_recv(context)
    }
}
