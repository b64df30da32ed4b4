//! Where a service listens: TCP, a Unix socket, or a socket that whoever started the process has bound.

use std::{
    fs, io,
    net::{SocketAddr, ToSocketAddrs as _},
    os::{
        fd::{OwnedFd, RawFd},
        unix::fs::{FileTypeExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use paraply_core::membership::Endpoint;
use rustix::net::AddressFamily;
use tokio::net::{TcpListener, UnixListener};

use super::{
    boot_id::boot_id,
    socket::Socket,
    tls::{ServerTls, shake_hands},
};
use crate::inherited;

/// The longest path of a Unix socket, in bytes.
pub const MAX_SOCKET_PATH: usize = 107;

/// A bound socket. Made within a runtime.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp { listener: TcpListener, tls: Option<ServerTls> },
    Unix { listener: UnixListener, path: String, unlink: Option<PathBuf> },
}

/// A connection that was accepted.
pub(super) enum Arrival {
    Ready(Socket),
    /// Not encrypted yet. None where it will not be.
    Shaking(BoxFuture<'static, Option<Socket>>),
}

/// Why a service cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is not one, or cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// As it was given.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// Others could reach the address, and what they send would travel in the open.
    #[error(
        "refusing to listen on {address}: it can be reached from other machines and connections are not encrypted; \
         set --tls-cert-file and --tls-key-file (`paraply credentials` makes both), or use `--listen 127.0.0.1:{port}` and \
         reach it through a tunnel (`ssh -L`, `kubectl port-forward`)"
    )]
    NotLoopback {
        /// What was asked for.
        address: SocketAddr,
        /// Its port.
        port: u16,
    },
    /// The path is longer than the system allows.
    #[error("the path of a Unix socket has at most {MAX_SOCKET_PATH} bytes, this one has {length}: {path}")]
    PathTooLong {
        /// As it was given.
        path: String,
        /// In bytes.
        length: usize,
    },
    /// The inherited descriptor is not a listening TCP or Unix socket.
    #[error("file descriptor {fd} is not a listening TCP or Unix socket: {source}")]
    Inherited {
        /// Its number.
        fd: RawFd,
        /// What the system says.
        source: io::Error,
    },
}

impl Listener {
    /// Binds "host:port", in plain text; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address cannot be bound or is not a loopback address.
    pub fn tcp(address: &str) -> Result<Self, ListenError> {
        Self::bind_tcp(address, None)
    }

    /// The same over TLS, on any address.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn tls(address: &str, tls: ServerTls) -> Result<Self, ListenError> {
        Self::bind_tcp(address, Some(tls))
    }

    fn bind_tcp(address: &str, tls: Option<ServerTls>) -> Result<Self, ListenError> {
        let bind = || -> io::Result<std::net::TcpListener> {
            let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
            if let Some(open) = addresses.iter().find(|address| tls.is_none() && !address.ip().is_loopback()) {
                return Err(io::Error::other(NotLoopback(*open)));
            }
            let listener = std::net::TcpListener::bind(&addresses[..])?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listener = bind().and_then(TcpListener::from_std);
        let listener = listener.map_err(|source| ListenError::bind(address, source))?;
        Ok(Self(Kind::Tcp { listener, tls }))
    }

    /// Binds a Unix socket that only this user can use. A socket that a dead process left behind is replaced.
    ///
    /// # Errors
    /// If the path is too long, is not a socket, is listened on, or cannot be made.
    pub fn unix(path: &Path) -> Result<Self, ListenError> {
        let name = path.display().to_string();
        if name.len() > MAX_SOCKET_PATH {
            return Err(ListenError::PathTooLong { length: name.len(), path: name });
        }
        let bind = || -> io::Result<UnixListener> {
            if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
                if std::os::unix::net::UnixStream::connect(path).is_ok() {
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there"));
                }
                fs::remove_file(path)?;
            }
            let listener = UnixListener::bind(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        let listener = bind().map_err(|source| ListenError::bind(&name, source))?;
        Ok(Self(Kind::Unix { listener, path: name, unlink: Some(path.to_owned()) }))
    }

    /// Takes over a listening socket that whoever started this process has bound and passed on. Its path, if it has one,
    /// is not removed at the end: it belongs to whoever bound it. With `tls`, a TCP socket speaks that.
    ///
    /// # Errors
    /// If the descriptor is not a listening TCP or Unix socket, or listens without TLS on an address that is not loopback.
    pub fn inherited(fd: RawFd, tls: Option<ServerTls>) -> Result<Self, ListenError> {
        let refused = |source: io::Error| ListenError::Inherited { fd, source };
        let listener = inherited::take(fd).and_then(|socket| Self::from_socket(socket, tls)).map_err(refused)?;
        match listener.local_address() {
            Some(address) if !listener.is_tls() && !address.ip().is_loopback() => {
                Err(ListenError::not_loopback(address))
            }
            _ => Ok(listener),
        }
    }

    fn from_socket(socket: OwnedFd, tls: Option<ServerTls>) -> io::Result<Self> {
        if !rustix::net::sockopt::socket_acceptconn(&socket)? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
        }
        match rustix::net::sockopt::socket_domain(&socket)? {
            AddressFamily::INET | AddressFamily::INET6 => {
                let listener = std::net::TcpListener::from(socket);
                listener.set_nonblocking(true)?;
                Ok(Self(Kind::Tcp { listener: TcpListener::from_std(listener)?, tls }))
            }
            AddressFamily::UNIX => {
                let listener = std::os::unix::net::UnixListener::from(socket);
                listener.set_nonblocking(true)?;
                let listener = UnixListener::from_std(listener)?;
                let path = listener.local_addr()?.as_pathname().map(|path| path.display().to_string());
                let path = path.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "its socket has no path"))?;
                Ok(Self(Kind::Unix { listener, path, unlink: None }))
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// How others on this machine reach it.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        match &self.0 {
            Kind::Tcp { tls, .. } => self.local_address().map(|address| match tls {
                Some(_) => Endpoint::Tls { address: address.to_string(), server_name: String::new() },
                None => Endpoint::Tcp(address.to_string()),
            }),
            Kind::Unix { path, .. } => Some(Endpoint::Unix { path: path.clone(), boot_id: boot_id().to_owned() }),
        }
    }

    /// Whether it listens on every address of the machine, so that its own says nobody where it is.
    #[must_use]
    pub fn is_everywhere(&self) -> bool {
        self.local_address().is_some_and(|address| address.ip().is_unspecified())
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.0, Kind::Tcp { tls: Some(_), .. })
    }

    fn local_address(&self) -> Option<SocketAddr> {
        if let Kind::Tcp { listener, .. } = &self.0 { listener.local_addr().ok() } else { None }
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        Poll::Ready(Ok(match &self.0 {
            Kind::Tcp { listener, tls } => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                stream.set_nodelay(true)?;
                match tls {
                    Some(tls) => Arrival::Shaking(shake_hands(stream, tls.clone()).boxed()),
                    None => Arrival::Ready(Socket::tcp(stream, None)),
                }
            }
            Kind::Unix { listener, .. } => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Arrival::Ready(Socket::unix(stream, None)?)
            }
        }))
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        if let Self::Unix { unlink: Some(path), .. } = self {
            let _already_gone = fs::remove_file(path);
        }
    }
}

/// Carries the refused address through the I/O error of name look-up.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a loopback address")]
struct NotLoopback(SocketAddr);

impl ListenError {
    fn bind(address: &str, source: io::Error) -> Self {
        match source.get_ref().and_then(|error| error.downcast_ref::<NotLoopback>()) {
            Some(NotLoopback(open)) => Self::not_loopback(*open),
            None => Self::Bind { address: address.to_owned(), source },
        }
    }

    fn not_loopback(address: SocketAddr) -> Self {
        Self::NotLoopback { address, port: address.port() }
    }
}
