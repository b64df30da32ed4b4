//! Certificates and keys in PEM, from files or from text.

use std::{fs, io, path::PathBuf};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// Where PEM text is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pem {
    /// In a file, which is read for each use.
    File(PathBuf),
    /// Here, as in a connection file.
    Text(String),
}

/// Certificates or keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not there, or not for us.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// It is something else.
    #[error("{place} holds no {what} in PEM")]
    Nothing {
        /// The file.
        place: String,
        /// What was looked for.
        what: &'static str,
    },
    /// It is damaged.
    #[error("{place}: the PEM is damaged: {source}")]
    Damaged {
        /// The file.
        place: String,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate or key that TLS has no use for, or a key that is not the certificate's.
    #[error("{place}: {source}")]
    Unusable {
        /// The file, or files.
        place: String,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The authorities that clients' certificates are to be by.
    #[error("{place}: {source}")]
    Authorities {
        /// The file.
        place: String,
        /// What is wrong with it.
        source: rustls::server::VerifierBuilderError,
    },
    /// Nothing to trust.
    #[error("this system trusts no certificate authority: name the cluster's with {setting}")]
    NoSystemAuthorities {
        /// The setting that names one.
        setting: &'static str,
    },
    /// One without the other.
    #[error("{place}: `{given}` is set and `{missing}` is not: a certificate is of no use without its key")]
    Half {
        /// The service.
        place: &'static str,
        /// What is set.
        given: &'static str,
        /// What is not.
        missing: &'static str,
    },
}

impl Pem {
    /// For messages.
    pub(super) fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => "the key `ca` of the connection file".to_owned(),
        }
    }

    fn bytes(&self) -> Result<Vec<u8>, TlsError> {
        match self {
            Self::File(path) => fs::read(path).map_err(|source| TlsError::Read { path: self.place(), source }),
            Self::Text(text) => Ok(text.as_bytes().to_vec()),
        }
    }

    /// All certificates in it, one at least.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let bytes = self.bytes()?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let all = all.map_err(|source| TlsError::Damaged { place: self.place(), source })?;
        if all.is_empty() { Err(TlsError::Nothing { place: self.place(), what: "certificate" }) } else { Ok(all) }
    }

    /// The first private key in it.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.bytes()?).map_err(|source| match source {
            rustls::pki_types::pem::Error::NoItemsFound => {
                TlsError::Nothing { place: self.place(), what: "private key" }
            }
            source => TlsError::Damaged { place: self.place(), source },
        })
    }

    /// All certificates in it, as authorities to trust.
    pub(super) fn authorities(&self) -> Result<RootCertStore, TlsError> {
        let mut store = RootCertStore::empty();
        for certificate in self.certificates()? {
            store.add(certificate).map_err(|source| TlsError::Unusable { place: self.place(), source })?;
        }
        Ok(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_nothing_or_is_damaged_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let pem = Pem::File(path.clone());
        let error = pem.certificates().unwrap_err().to_string();
        assert!(error.contains("cannot read") && error.contains("ca.pem"), "{error}");
        fs::write(&path, "nothing").unwrap();
        let error = pem.certificates().unwrap_err().to_string();
        assert!(error.contains("holds no certificate"), "{error}");
        assert!(pem.key().unwrap_err().to_string().contains("holds no private key"));
        fs::write(&path, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").unwrap();
        let error = pem.certificates().unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
        let text = Pem::Text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".into());
        let error = text.authorities().unwrap_err().to_string();
        assert!(error.contains("connection file"), "{error}");
    }
}
