//! TLS where we listen: the certificate, made anew when its files change.

use std::{path::PathBuf, sync::Arc};

use rustls::{ServerConfig, server::WebPkiClientVerifier};

use super::{
    ALPN,
    client::both,
    pem::{Pem, TlsError},
    provider,
};
use crate::reload::Reloaded;

/// Certificate and key of a service, and whose certificates its peers are to show.
#[derive(Clone, Debug)]
pub struct ServerTls(Reloaded<Setup>);

/// Where they are.
#[derive(Clone, Debug)]
pub struct ServerFiles {
    /// The certificate, then those between it and an authority.
    pub cert: Pem,
    /// Its key.
    pub key: Pem,
    /// The authorities that peers' certificates are to be by. Without it, none is asked for.
    pub client_ca: Option<Pem>,
}

/// What connections are accepted with.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) config: Arc<ServerConfig>,
    /// Who shows no certificate is told so, and nothing else.
    pub(super) wants_certificate: bool,
}

impl ServerTls {
    /// Reads the files, and again when they change for as long as the value or a clone of it lives. Within a runtime.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub fn new(files: ServerFiles) -> Result<Self, TlsError> {
        let watched = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()].into_iter().flatten();
        let watched: Vec<PathBuf> = watched
            .filter_map(|pem| match pem {
                Pem::File(path) => Some(path.clone()),
                Pem::Text(_) => None,
            })
            .collect();
        Reloaded::new("certificate", watched, move |_| setup(&files)).map(Self)
    }

    pub(super) fn current(&self) -> Arc<Setup> {
        self.0.get()
    }
}

fn setup(files: &ServerFiles) -> Result<Setup, TlsError> {
    let unusable = |source| TlsError::Unusable { place: both(&files.cert, &files.key), source };
    let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config.map_err(unusable)?;
    let config = match &files.client_ca {
        Some(ca) => {
            let roots = Arc::new(ca.authorities()?);
            // Who shows none is let in as far as to be told that one is needed: an alert says that to nobody.
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots, provider()).allow_unauthenticated().build();
            config.with_client_cert_verifier(
                verifier.map_err(|source| TlsError::Authorities { place: ca.place(), source })?,
            )
        }
        None => config.with_no_client_auth(),
    };
    let mut config = config.with_single_cert(files.cert.certificates()?, files.key.key()?).map_err(unusable)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Setup { config: Arc::new(config), wants_certificate: files.client_ca.is_some() })
}
