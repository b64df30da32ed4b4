//! A hop of a road: a process that serves one service on a Unix socket until its standard input ends, with the settings
//! that ours have: nothing that is measured beside them is to be slower for its settings.

use std::{
    convert::Infallible,
    error::Error,
    io::{self, Read as _},
    path::Path,
};

use http::{Request, Response};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{
    body::Body,
    server::NamedService,
    transport::{self, Channel, Endpoint, Server},
};
use tower::Service;

const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;
const FRAME: u32 = 256 << 10;

/// A connection to a hop.
pub(crate) async fn dial(socket: &Path) -> Result<Channel, transport::Error> {
    Endpoint::try_from(format!("unix://{}", socket.display()))?
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect()
        .await
}

/// Serves, and says so on standard output once it does.
pub(crate) async fn serve<S>(socket: &Path, service: S) -> Result<(), Box<dyn Error>>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let incoming = UnixListenerStream::new(UnixListener::bind(socket)?);
    println!("ready");
    let ended = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, async {
            // The parent has closed it, or is gone.
            let _ = ended.await;
        })
        .await?;
    Ok(())
}
