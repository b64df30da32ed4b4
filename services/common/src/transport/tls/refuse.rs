//! An answer for peers that are not let in: one call is answered with a status that says why, and that is all.

use std::{convert::Infallible, pin::pin, sync::Arc};

use http::{Request, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
};
use tonic::{Status, body::Body};

/// The largest head of a request, in bytes.
const HEAD: usize = 16 << 10;

/// Answers the first call, and ends the connection. The caller bounds the time.
pub(super) async fn refuse<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(io: IO, status: Status) {
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).max_buf_size(HEAD);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD as u32)
        .max_concurrent_streams(1)
        .initial_stream_window_size(HEAD as u32)
        .initial_connection_window_size(HEAD as u32);
    let answered = Arc::new(Notify::new());
    let telling = Arc::clone(&answered);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        telling.notify_one();
        let answer = answer(request.version(), &status);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut connection = pin!(server.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        // What goes wrong is between this peer and itself.
        _ = connection.as_mut() => return,
        () = answered.notified() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ended = connection.await;
}

fn answer(version: Version, status: &Status) -> Response<Body> {
    if version >= Version::HTTP_2 {
        return status.clone().into_http();
    }
    let mut answer = Response::new(Body::new(Full::new(format!("{}\n", status.message()).into())));
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer
}
