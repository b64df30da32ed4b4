//! What a certificate says of itself, as far as renewing it needs.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use super::{CertificateError, unix_seconds};

/// A certificate that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// Distinguished names, as they are encoded.
    subject: Vec<u8>,
    issuer: Vec<u8>,
    hosts: Vec<String>,
    /// Seconds since the Unix epoch.
    not_before: u64,
    not_after: u64,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(pem: &str) -> Result<Self, CertificateError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes());
        let der = der.map_err(|error| CertificateError::Malformed(error.to_string()))?;
        let (_, read) = parse_x509_certificate(&der).map_err(|error| CertificateError::Malformed(error.to_string()))?;
        let names = read.subject_alternative_name().ok().flatten();
        let hosts = names.map(|names| names.value.general_names.iter().filter_map(host).collect());
        let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).unwrap_or(0);
        Ok(Self {
            subject: read.subject().as_raw().to_vec(),
            issuer: read.issuer().as_raw().to_vec(),
            hosts: hosts.unwrap_or_default(),
            not_before: seconds(read.validity().not_before),
            not_after: seconds(read.validity().not_after),
        })
    }

    /// Whether it says that it is by that authority.
    #[must_use]
    pub fn is_by(&self, authority: &Self) -> bool {
        self.issuer == authority.subject
    }

    /// Whether it is for all of these.
    #[must_use]
    pub fn is_for(&self, hosts: &[String]) -> bool {
        hosts.iter().all(|host| self.hosts.contains(host))
    }

    /// How long it is still valid.
    #[must_use]
    pub fn left(&self) -> Duration {
        Duration::from_secs(self.not_after.saturating_sub(unix_seconds()))
    }

    /// Whether less than a third of its time is left: time enough to replace it.
    #[must_use]
    pub fn is_about_to_expire(&self) -> bool {
        self.left().as_secs() < self.not_after.saturating_sub(self.not_before) / 3
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
            let v6 = || <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
            v4.or_else(|_| v6()).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
