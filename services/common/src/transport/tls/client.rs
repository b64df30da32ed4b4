//! TLS where we dial. Files are read for each connection, so a new certificate or authority counts from the next one on.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustls::{CertificateError, ClientConfig, Error, RootCertStore, pki_types::ServerName};
use tokio_rustls::TlsConnector;

use super::{
    ALPN,
    pem::{Pem, TlsError},
    provider,
};
use crate::transport::{address, socket::Socket};

/// What a process trusts, and shows, where it dials an endpoint that is TLS.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientTls {
    ca: Option<Pem>,
    identity: Option<(Pem, Pem)>,
}

impl ClientTls {
    /// Trusts the authorities of `ca`, or whom the system trusts; shows the certificate and key of `identity`, if any.
    #[must_use]
    pub fn new(ca: Option<Pem>, identity: Option<(Pem, Pem)>) -> Self {
        Self { ca, identity }
    }

    fn config(&self) -> Result<ClientConfig, TlsError> {
        let place = || self.identity.as_ref().map_or_else(String::new, |(cert, key)| both(cert, key));
        let unusable = |source| TlsError::Unusable { place: place(), source };
        let roots = match &self.ca {
            Some(ca) => Arc::new(ca.authorities()?),
            None => system()?,
        };
        let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let config = config.map_err(unusable)?.with_root_certificates(roots);
        let mut config = match &self.identity {
            Some((cert, key)) => config.with_client_auth_cert(cert.certificates()?, key.key()?).map_err(unusable)?,
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(config)
    }

    /// Shakes hands on a connection to `address`, whose certificate is to be for `server_name`, or for its host.
    pub(in crate::transport) async fn connect(
        &self,
        address: &str,
        server_name: &str,
        stream: Socket,
    ) -> io::Result<Socket> {
        let name = if server_name.is_empty() { address::host(address) } else { server_name };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| io::Error::other(format!("{name:?} is no name that a certificate could be for")))?;
        let this = self.clone();
        // Files may be on a disk that takes its time.
        #[allow(clippy::disallowed_methods, reason = "nothing waits for it but the line below")]
        let config = tokio::task::spawn_blocking(move || this.config()).await.map_err(io::Error::other)?;
        let config = config.map_err(io::Error::other)?;
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        connected.map(|stream| Socket::tls(stream.into())).map_err(|error| explained(&error))
    }
}

/// For messages.
pub(super) fn both(cert: &Pem, key: &Pem) -> String {
    format!("{} with {}", cert.place(), key.place())
}

/// Whom the system trusts, read once.
fn system() -> Result<Arc<RootCertStore>, TlsError> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let store = SYSTEM.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    });
    if store.is_empty() {
        return Err(TlsError::NoSystemAuthorities { setting: "`tls_ca_file`, or the key `ca` of the connection file" });
    }
    Ok(Arc::clone(store))
}

/// What went wrong, and what to do about it where TLS alone does not say.
fn explained(error: &io::Error) -> io::Error {
    let hint = match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(_)) => "it speaks plain text: name it as a `tcp` endpoint, without `tls:`",
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "its certificate is by no authority that is trusted here (`tls_ca_file`, or `ca` of the connection file)"
        }
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "its certificate has expired: renew it (`paraply credentials` does)"
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "say with `server_name` of the endpoint what name it is for, if this is the right service",
        None if error.kind() == io::ErrorKind::UnexpectedEof => "it hung up in the TLS handshake: it may not speak TLS",
        _ => return io::Error::new(error.kind(), format!("TLS: {error}")),
    };
    io::Error::new(error.kind(), format!("TLS: {error}; {hint}"))
}
