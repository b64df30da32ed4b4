//! The admin listener: health and metrics for probes and scrapers, and nothing else. In the open and without a token,
//! which is why there is nothing else, and why whoever comes there has little to take.

mod answer;
mod listener;

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::net::TcpStream;
use tonic::body::Body;

pub use answer::Admin;
pub use listener::{AdminError, AdminListener};

use crate::{
    clock,
    spawn::{Task, spawn},
};

/// Connections at a time. One more ends the oldest: whoever holds on to many is in nobody's way.
const CONNECTIONS: usize = 64;

/// How long a connection may last. Who is cut off connects again.
const LIFETIME: Duration = Duration::from_secs(60);

/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest head of a request, in bytes.
const HEAD: usize = 16 << 10;

/// Calls at a time on one HTTP/2 connection.
const STREAMS: u32 = 16;

/// How long nothing is accepted after an error such as "too many open files".
const PAUSE: Duration = Duration::from_millis(50);

/// Answers for ever.
pub async fn serve(listener: AdminListener, admin: Admin) {
    let listener = match listener.listen() {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the admin listener cannot listen"),
    };
    let mut connections: VecDeque<Task<()>> = VecDeque::with_capacity(CONNECTIONS + 1);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.retain(|connection| !connection.is_finished());
                connections.push_back(spawn(connection(stream, admin.clone())));
                if connections.len() > CONNECTIONS {
                    // Dropping it ends it.
                    connections.pop_front();
                }
            }
            Err(error) => {
                tracing::debug!(%error, "the admin listener cannot accept a connection");
                clock::sleep_until(clock::now() + PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, admin: Admin) {
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD as u32)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(HEAD as u32)
        .initial_connection_window_size(HEAD as u32);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let admin = admin.clone();
        async move { Ok::<_, Infallible>(admin.answer(request.map(Body::new)).await) }
    });
    // What goes wrong is between this peer and itself.
    let _ended_or_overdue =
        tokio::time::timeout(LIFETIME, server.serve_connection(TokioIo::new(stream), service)).await;
}
