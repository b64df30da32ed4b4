//! The settings about TLS that services and engines have, by the names that they have everywhere.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use super::{
    client::ClientTls,
    pem::{Pem, TlsError},
    server::{ServerFiles, ServerTls},
};
use crate::config::ConfigError;

/// Files that a process was told of. All of them are read again when they are used, or have changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsSettings {
    /// `tls_cert_file`: the process's own certificate, and those between it and an authority.
    pub cert: Option<PathBuf>,
    /// `tls_key_file`: its key.
    pub key: Option<PathBuf>,
    /// `tls_ca_file`: the authorities that it trusts where it dials.
    pub ca: Option<PathBuf>,
    /// `tls_client_ca_file`: the authorities that peers' certificates are to be by.
    pub client_ca: Option<PathBuf>,
}

impl TlsSettings {
    /// The same files, wherever this process goes.
    ///
    /// # Errors
    /// If the folder it is in cannot be found out.
    pub fn absolute(self) -> io::Result<Self> {
        let absolute = |path: Option<PathBuf>| path.map(std::path::absolute).transpose();
        let Self { cert, key, ca, client_ca } = self;
        Ok(Self { cert: absolute(cert)?, key: absolute(key)?, ca: absolute(ca)?, client_ca: absolute(client_ca)? })
    }

    /// What every client of this user trusts and shows: `PARAPLY_CA`, `PARAPLY_CERT` and `PARAPLY_KEY`.
    #[must_use]
    pub fn of_clients() -> Self {
        Self::of_variables("PARAPLY_CA", "PARAPLY_CERT", "PARAPLY_KEY")
    }

    /// The same for an engine: `PARAPLY_ENGINE_TLS_CA_FILE`, `PARAPLY_ENGINE_TLS_CERT_FILE` and `PARAPLY_ENGINE_TLS_KEY_FILE`.
    #[must_use]
    pub fn of_engines() -> Self {
        Self::of_variables("PARAPLY_ENGINE_TLS_CA_FILE", "PARAPLY_ENGINE_TLS_CERT_FILE", "PARAPLY_ENGINE_TLS_KEY_FILE")
    }

    fn of_variables(ca: &str, cert: &str, key: &str) -> Self {
        let file = |variable| env::var_os(variable).filter(|file| !file.is_empty()).map(PathBuf::from);
        Self { ca: file(ca), cert: file(cert), key: file(key), client_ca: None }
    }

    /// What the service of that name shows where it listens; nothing where it has no certificate.
    ///
    /// # Errors
    /// If a file cannot be used, or one of two that go together is missing.
    pub fn server(&self, section: &'static str) -> Result<Option<ServerTls>, ConfigError> {
        let wrong = |error: TlsError| ConfigError::Value { place: section.to_owned(), message: error.to_string() };
        match (self.identity(section).map_err(wrong)?, &self.client_ca) {
            (Some((cert, key)), client_ca) => {
                let files = ServerFiles {
                    cert: Pem::File(cert.to_owned()),
                    key: Pem::File(key.to_owned()),
                    client_ca: client_ca.clone().map(Pem::File),
                };
                ServerTls::new(files).map(Some).map_err(wrong)
            }
            (None, Some(_)) => Err(wrong(TlsError::Half {
                place: section,
                given: "tls_client_ca_file",
                missing: "tls_cert_file` and `tls_key_file",
            })),
            (None, None) => Ok(None),
        }
    }

    /// What it trusts and shows where it dials. `ca` is what a connection file says, for where no setting does.
    ///
    /// # Errors
    /// If one of two files that go together is missing.
    pub fn client(&self, section: &'static str, ca: Option<&str>) -> Result<ClientTls, TlsError> {
        let identity = self.identity(section)?.map(|(cert, key)| (Pem::File(cert.into()), Pem::File(key.into())));
        let ca = self.ca.clone().map(Pem::File).or_else(|| ca.map(|text| Pem::Text(text.to_owned())));
        Ok(ClientTls::new(ca, identity))
    }

    fn identity(&self, place: &'static str) -> Result<Option<(&Path, &Path)>, TlsError> {
        match (self.cert.as_deref(), self.key.as_deref()) {
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(TlsError::Half { place, given: "tls_cert_file", missing: "tls_key_file" }),
            (None, Some(_)) => Err(TlsError::Half { place, given: "tls_key_file", missing: "tls_cert_file" }),
        }
    }
}
