//! The thread that bulk has for itself. Its calls arrive on the service's connections; all that the two threads share
//! of a call are frames of bytes and a bounded channel.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use paraply_common::{
    spawn::Task,
    thread::{RuntimeThread, Spawner},
};
use tokio::sync::{mpsc, oneshot};
use tonic::{Status, body::Body, server::NamedService};
use tower::Service;

/// Frames of an answer on their way from one thread to the other; a frame is a message of at most 1 MiB.
const FRAMES: usize = 4;

/// Threads that wait for the disk.
const DISK_THREADS: usize = 4;

/// How long the end of the thread waits for them.
const DISK_PATIENCE: Duration = Duration::from_secs(60);

/// Starts the thread.
///
/// # Errors
/// If the system has none left.
pub(crate) fn start() -> io::Result<RuntimeThread> {
    RuntimeThread::start("paraply-blobs", DISK_THREADS, DISK_PATIENCE)
}

/// Answers the calls of a gRPC service on the blob thread.
#[derive(Clone, Debug)]
pub(crate) struct OnBlobThread<S> {
    inner: S,
    thread: Spawner,
}

impl<S> OnBlobThread<S> {
    pub(crate) fn new(inner: S, thread: Spawner) -> Self {
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
        let task = self.thread.spawn(answer);
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
    _task: Task<()>,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.frames.poll_recv(context)
    }
}
