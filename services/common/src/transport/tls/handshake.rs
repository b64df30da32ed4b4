//! The first moments of a connection on a port that speaks TLS.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;
use tonic::Status;

use super::{refuse::refuse, server::ServerTls};
use crate::transport::socket::Socket;

/// How long a peer has until it has shaken hands. It takes milliseconds; who sends nothing is gone after that.
const DEADLINE: Duration = Duration::from_secs(5);

/// What every TLS connection begins with: a record of the handshake.
const HANDSHAKE: u8 = 22;

const PLAIN_TEXT: &str = "this port speaks TLS, and the call came in plain text: use the cluster's connection file, or an \
    address of the form tls:host:port and PARAPLY_CA; the token has travelled in the open, replace it if others could read it";

const NO_CERTIFICATE: &str = "this port takes only peers with a certificate of its own authority, and none was shown: name \
    one with PARAPLY_CERT and PARAPLY_KEY (engines and services: tls_cert_file and tls_key_file)";

/// The connection, once it is encrypted; None where it will not be.
pub(in crate::transport) async fn shake_hands(stream: TcpStream, tls: ServerTls) -> Option<Socket> {
    match timeout(DEADLINE, handshake(stream, tls)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took longer than {} s", DEADLINE.as_secs());
            None
        }
    }
}

async fn handshake(stream: TcpStream, tls: ServerTls) -> io::Result<Option<Socket>> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => return Ok(None),
        _ if first[0] != HANDSHAKE => {
            refuse(stream, Status::failed_precondition(PLAIN_TEXT)).await;
            return Ok(None);
        }
        _ => {}
    }
    let setup = tls.current();
    let stream = TlsAcceptor::from(setup.config.clone()).accept(Socket::tcp(stream, None)).await?;
    if setup.wants_certificate && stream.get_ref().1.peer_certificates().is_none() {
        refuse(stream, Status::unauthenticated(NO_CERTIFICATE)).await;
        return Ok(None);
    }
    Ok(Some(Socket::tls(stream.into())))
}
