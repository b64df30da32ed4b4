//! Where the admin listener is: an address, or a socket that whoever started the process has bound.

use std::{io, net::TcpListener, os::fd::RawFd};

use crate::inherited;

/// A bound socket.
#[derive(Debug)]
pub struct AdminListener(TcpListener);

/// Why it cannot listen.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} (the setting `admin`: a port, host:port, or fd:NUMBER of a socket that listens): {source}"
)]
pub struct AdminError {
    /// As it was given.
    address: String,
    /// What the system says.
    source: io::Error,
}

impl AdminListener {
    /// Binds a port of this machine for itself, "host:port" for whoever can reach it, or takes over "fd:number". Port 0 is
    /// a free one.
    ///
    /// # Errors
    /// If the address is not one, or taken.
    pub fn bind(address: &str) -> Result<Self, AdminError> {
        let bound = match (address.strip_prefix("fd:"), address.parse::<u16>()) {
            (Some(number), _) => number.parse().map_err(io::Error::other).and_then(inherit),
            (None, Ok(port)) => TcpListener::bind(("127.0.0.1", port)),
            (None, Err(_)) => TcpListener::bind(address),
        };
        // Asked here, so that it is there to be told later.
        let bound = bound.and_then(|listener| listener.local_addr().map(|_| listener));
        bound.map(Self).map_err(|source| AdminError { address: address.to_owned(), source })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> String {
        self.0.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string())
    }

    /// For the runtime that this is called on.
    pub(super) fn listen(self) -> io::Result<tokio::net::TcpListener> {
        self.0.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(self.0)
    }
}

fn inherit(number: RawFd) -> io::Result<TcpListener> {
    let socket = inherited::take(number)?;
    if !rustix::net::sockopt::socket_acceptconn(&socket)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
    }
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_for_this_machine_and_what_is_no_address_is_named() {
        assert!(AdminListener::bind("0").unwrap().address().starts_with("127.0.0.1:"));
        assert!(AdminListener::bind("localhost:0").is_ok());
        for bad in ["", "nowhere", "fd:x", "fd:2", "fd:100000", "65536"] {
            let error = AdminListener::bind(bad).unwrap_err().to_string();
            assert!(error.contains("`admin`"), "{error}");
        }
    }
}
