//! Reaching a service: the first of its endpoints that answers.

use std::{io, time::Duration};

use hyper_util::rt::TokioIo;
use paraply_core::membership::Endpoint;
use tokio::net::{TcpSocket, UnixSocket};
use tonic::{Status, transport::Channel};

use super::{boot_id, http2, socket::Socket, tls::ClientTls};
use crate::fork;

/// How long one candidate may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a service cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No endpoint is one that this process can try.
    #[error("no address to reach it by ({0} given, none for this machine)")]
    NoAddress(usize),
    /// "host:port" it is not.
    #[error("{0:?} is not an address of the form host:port")]
    Malformed(String),
    /// None answered.
    #[error("{}", with_sources(.0))]
    Unreachable(#[from] tonic::transport::Error),
}

/// Connects to the first endpoint that answers, in the order given.
///
/// # Errors
/// If none answers; each that was tried is named.
pub async fn connect(endpoints: &[Endpoint], tls: &ClientTls) -> Result<Channel, DialError> {
    let (settings, candidates) = plan(endpoints)?;
    Ok(settings.connect_with_connector(connector(candidates, tls.clone())).await?)
}

/// A channel that connects at its first call, and again when its connection has ended, each time to the first endpoint
/// that answers.
///
/// # Errors
/// If no endpoint is one that this process can try.
pub fn dial_lazily(endpoints: &[Endpoint], tls: &ClientTls) -> Result<Channel, DialError> {
    let (settings, candidates) = plan(endpoints)?;
    Ok(settings.connect_with_connector_lazy(connector(candidates, tls.clone())))
}

/// The same to a program that is none of ours, "host:port", with no more than what every one takes: some end a connection
/// on which they are pinged.
///
/// # Errors
/// If it is no address.
pub fn dial_other(address: &str) -> Result<Channel, DialError> {
    let settings = tonic::transport::Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| DialError::Malformed(address.to_owned()))?;
    Ok(settings.connect_with_connector_lazy(connector(vec![Endpoint::Tcp(address.to_owned())], ClientTls::default())))
}

/// Channel settings, and what can be tried from here.
fn plan(endpoints: &[Endpoint]) -> Result<(tonic::transport::Endpoint, Vec<Endpoint>), DialError> {
    let here = |endpoint: &&Endpoint| match endpoint {
        Endpoint::Unix { boot_id, .. } => boot_id == boot_id::boot_id(),
        Endpoint::Tcp(_) | Endpoint::Tls { .. } => true,
        Endpoint::Same => false,
    };
    let candidates: Vec<Endpoint> = endpoints.iter().filter(here).cloned().collect();
    // h2 refuses a path as the authority, which is what a socket's address would make.
    let (scheme, authority) = match candidates.first().ok_or(DialError::NoAddress(endpoints.len()))? {
        Endpoint::Tcp(address) => ("http", address.as_str()),
        Endpoint::Tls { address, server_name } if server_name.is_empty() => ("https", address.as_str()),
        Endpoint::Tls { server_name, .. } => ("https", server_name.as_str()),
        Endpoint::Unix { .. } | Endpoint::Same => ("http", "localhost"),
    };
    let malformed = || DialError::Malformed(authority.to_owned());
    // TLS is the connector's affair; to tonic the connection is a plain one.
    let settings = tonic::transport::Endpoint::from_shared(format!("http://{authority}")).map_err(|_| malformed())?;
    let origin = format!("{scheme}://{authority}").parse().map_err(|_| malformed())?;
    Ok((http2::client(settings).origin(origin), candidates))
}

fn connector(
    candidates: Vec<Endpoint>,
    tls: ClientTls,
) -> impl tower::Service<
    http::Uri,
    Response = TokioIo<Socket>,
    Error = io::Error,
    Future = impl Future<Output = io::Result<TokioIo<Socket>>> + Send,
> + Send
+ 'static {
    tower::service_fn(move |_| {
        let (candidates, tls) = (candidates.clone(), tls.clone());
        async move { first_that_answers(&candidates, &tls).await.map(TokioIo::new) }
    })
}

async fn first_that_answers(candidates: &[Endpoint], tls: &ClientTls) -> io::Result<Socket> {
    let mut tried = Vec::new();
    for endpoint in candidates {
        let (name, answer) = match endpoint {
            Endpoint::Unix { path, .. } => (path, in_time(unix(path)).await),
            Endpoint::Tcp(address) => (address, in_time(tcp(address)).await),
            Endpoint::Tls { address, server_name } => (address, in_time(encrypted(address, server_name, tls)).await),
            Endpoint::Same => continue,
        };
        match answer {
            Ok(socket) => return Ok(socket),
            Err(error) => tried.push(format!("{name}: {error}")),
        }
    }
    Err(io::Error::new(io::ErrorKind::NotConnected, tried.join("; ")))
}

/// Each candidate has its own time: one that swallows what is sent to it does not use up that of the next.
async fn in_time(connecting: impl Future<Output = io::Result<Socket>>) -> io::Result<Socket> {
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
    connected.unwrap_or_else(|_| {
        let message = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, message))
    })
}

async fn unix(path: &str) -> io::Result<Socket> {
    let (socket, listed) = fork::list(|| fork::above_standard_streams(UnixSocket::new_stream))?;
    Socket::unix(socket.connect(path).await?, Some(listed))
}

async fn encrypted(address: &str, server_name: &str, tls: &ClientTls) -> io::Result<Socket> {
    tls.connect(address, server_name, tcp(address).await?).await
}

async fn tcp(address: &str) -> io::Result<Socket> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host(address).await? {
        let new = if address.is_ipv4() { TcpSocket::new_v4 } else { TcpSocket::new_v6 };
        let (socket, listed) = fork::list(|| fork::above_standard_streams(new))?;
        match socket.connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(Socket::tcp(stream, Some(listed)));
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// tonic says "transport error"; what the matter is, as a certificate that the other end does not want, its sources say.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}

/// A status, and what its sources say.
#[must_use]
pub fn said(status: &Status) -> String {
    let message = status.message();
    let sources = std::error::Error::source(status).map(with_sources).unwrap_or_default();
    let code = status.code();
    match sources.strip_prefix(message) {
        Some(more) => format!("{code}: {message}{more}"),
        None if sources.is_empty() => format!("{code}: {message}"),
        None => format!("{code}: {message}: {sources}"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Takes connections that are never answered: its queue is full.
    async fn swallower() -> (TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
            queued.push(stream);
        }
        (listener, queued)
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_answer_leaves_time_for_the_next() {
        let (hung, _queued) = swallower().await;
        let well = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoints = [&hung, &well].map(|listener| Endpoint::Tcp(listener.local_addr().unwrap().to_string()));
        let tls = ClientTls::default();
        connect(&endpoints, &tls).await.unwrap();
        let error = connect(&endpoints[..1], &tls).await.unwrap_err().to_string();
        assert!(error.contains("no answer within 5 s"), "{error}");
    }
}
