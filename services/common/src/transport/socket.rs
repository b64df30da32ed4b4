//! One connection, of either kind.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::Sleep,
};
use tokio_rustls::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;

use super::{crowd::Guest, quiet::Quiet};
use crate::{clock, fork::Listed};

/// A TCP, TLS or Unix stream.
#[derive(Debug)]
pub(crate) struct Socket {
    /// First, so that it goes before the descriptor is closed.
    _listed: Option<Listed>,
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<Socket>>),
    Unix(Quiet),
}

impl Socket {
    pub(crate) fn tcp(stream: TcpStream, listed: Option<Listed>) -> Self {
        Self { _listed: listed, stream: Stream::Tcp(stream) }
    }

    /// Around a TCP stream, which knows whether it is listed.
    pub(crate) fn tls(stream: TlsStream<Self>) -> Self {
        Self { _listed: None, stream: Stream::Tls(Box::new(stream)) }
    }

    pub(crate) fn unix(stream: UnixStream, listed: Option<Listed>) -> io::Result<Self> {
        let stream = Quiet::new(stream.into_std()?, listed.is_some())?;
        Ok(Self { _listed: listed, stream: Stream::Unix(stream) })
    }
}

/// A socket that ends when its service is over, whatever its peer does: no connection outlives its service. Nor does one
/// last on which nobody has said what every HTTP/2 connection begins with.
#[derive(Debug)]
pub(super) struct Killable {
    socket: Socket,
    _guest: Guest,
    killed: Pin<Box<WaitForCancellationFutureOwned>>,
    greeting: Option<Greeting>,
}

/// The bytes that are due, and until when.
#[derive(Debug)]
struct Greeting {
    missing: usize,
    overdue: Pin<Box<Sleep>>,
}

/// Bytes of the preface of HTTP/2. After it, pings notice who does not answer.
const PREFACE: usize = 24;

/// How long it may take.
const GREETING: Duration = Duration::from_secs(10);

impl Killable {
    pub(super) fn new(socket: Socket, guest: Guest, killed: WaitForCancellationFutureOwned) -> Self {
        let overdue = Box::pin(clock::sleep_until(clock::now() + GREETING));
        Self { socket, _guest: guest, killed: Box::pin(killed), greeting: Some(Greeting { missing: PREFACE, overdue }) }
    }

    /// Whether the connection is to end here.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> bool {
        let overdue = self.greeting.as_mut().is_some_and(|greeting| greeting.overdue.as_mut().poll(cx).is_ready());
        overdue || self.killed.as_mut().poll(cx).is_ready()
    }

    fn heard(&mut self, bytes: usize) {
        if let Some(greeting) = &mut self.greeting {
            match greeting.missing.checked_sub(bytes) {
                Some(missing @ 1..) => greeting.missing = missing,
                _ => self.greeting = None,
            }
        }
    }
}

macro_rules! on_stream {
    ($self:ident, $method:ident, $($argument:expr),*) => {
        match &mut $self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tls(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_read, cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_stream!(self, poll_write, cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, poll_write_vectored, cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_shutdown, cx)
    }
}

impl AsyncRead for Killable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        self.heard(buffer.filled().len() - before);
        // HTTP/2 always has a read under way, so this is enough to end the connection.
        if read.is_pending() && self.poll_end(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        read
    }
}

impl AsyncWrite for Killable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl Connected for Killable {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}
