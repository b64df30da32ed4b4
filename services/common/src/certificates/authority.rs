//! An authority, and what it signs.

use std::{fmt, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::OffsetDateTime;

use super::{CLOCK_SKEW, unix_seconds};

/// A certificate and its key, both PEM.
#[derive(Clone)]
pub struct CertifiedKey {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// What a certificate is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Services: for who dials them, and where one service dials another.
    Service,
    /// Engines and clients, where services ask for a certificate.
    Peer,
}

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Neither a host name nor an address.
    #[error("{0:?} is neither a host name nor an IP address: a certificate cannot be for it")]
    Name(String),
    /// Valid for no time, or for longer than a calendar has.
    #[error("a certificate is valid for 1 to 36500 days, not for {0}")]
    Days(u64),
    /// It is something else.
    #[error("this is no certificate: {0}")]
    Malformed(String),
    /// The key is another's, or is none.
    #[error("the authority's certificate and key cannot be used: {0}")]
    Authority(rcgen::Error),
    /// The library's own.
    #[error("cannot make a certificate: {0}")]
    Make(rcgen::Error),
    /// The system has no randomness to give.
    #[error("the system has no random numbers to give: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl Authority {
    /// A new one, valid for so many days, and its certificate and key.
    ///
    /// # Errors
    /// If `days` is out of range, or the system has no randomness to give.
    pub fn make(name: &str, days: u64) -> Result<(Self, CertifiedKey), CertificateError> {
        let key = KeyPair::generate().map_err(CertificateError::Make)?;
        let mut params = params(&[], days)?;
        // Two authorities of one name would be told apart only by their signatures.
        let name = format!("{name} {:08x}", getrandom::u32()?);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(CertificateError::Make)?;
        let made = CertifiedKey { certificate: certificate.pem(), key: key.serialize_pem() };
        Ok((Self { issuer: Issuer::new(params, key) }, made))
    }

    /// One that was made before.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(authority: &CertifiedKey) -> Result<Self, CertificateError> {
        let key = KeyPair::from_pem(&authority.key).map_err(CertificateError::Authority)?;
        let issuer = Issuer::from_ca_cert_pem(&authority.certificate, key).map_err(CertificateError::Authority)?;
        Ok(Self { issuer })
    }

    /// A certificate for hosts and addresses, valid for so many days, and its key.
    ///
    /// # Errors
    /// If a name is none, `days` is out of range, or the system has no randomness to give.
    pub fn issue(
        &self,
        name: &str,
        hosts: &[String],
        purpose: Purpose,
        days: u64,
    ) -> Result<CertifiedKey, CertificateError> {
        let key = KeyPair::generate().map_err(CertificateError::Make)?;
        let mut params = params(hosts, days)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match purpose {
            Purpose::Service => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            Purpose::Peer => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(CertificateError::Make)?;
        Ok(CertifiedKey { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

fn params(hosts: &[String], days: u64) -> Result<CertificateParams, CertificateError> {
    if !(1..=36_500).contains(&days) {
        return Err(CertificateError::Days(days));
    }
    let mut params = CertificateParams::default();
    params.subject_alt_names = hosts.iter().map(|host| subject(host)).collect::<Result<_, _>>()?;
    params.distinguished_name = DistinguishedName::new();
    let now = unix_seconds();
    params.not_before = moment(now.saturating_sub(CLOCK_SKEW.as_secs()));
    params.not_after = moment(now + Duration::from_secs(days * 24 * 3600).as_secs());
    Ok(params)
}

fn subject(host: &str) -> Result<rcgen::SanType, CertificateError> {
    if let Ok(address) = host.parse() {
        return Ok(rcgen::SanType::IpAddress(address));
    }
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let labels = host.strip_prefix("*.").unwrap_or(host);
    let name = host.try_into().map_err(|_| CertificateError::Name(host.to_owned()))?;
    if labels.split('.').all(label) && host.len() <= 253 {
        Ok(rcgen::SanType::DnsName(name))
    } else {
        Err(CertificateError::Name(host.to_owned()))
    }
}

fn moment(seconds: u64) -> OffsetDateTime {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

impl fmt::Debug for CertifiedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertifiedKey").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_host_is_named() {
        let (authority, _) = Authority::make("test", 1).unwrap();
        for good in ["localhost", "*.paraply.svc", "127.0.0.1", "::1", "a-b.example"] {
            authority.issue("x", &[good.to_owned()], Purpose::Service, 1).unwrap();
        }
        for bad in ["", "a b", "https://x", "host:7600", "ü", ".x", "a..b"] {
            let error = authority.issue("x", &[bad.to_owned()], Purpose::Service, 1).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
        for days in [0, 40_000] {
            let error = authority.issue("x", &[], Purpose::Service, days).unwrap_err().to_string();
            assert!(error.contains("1 to 36500 days"), "{error}");
        }
    }
}
