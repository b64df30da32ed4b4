//! Where a cluster is, and what opens it.

use std::{
    env,
    path::{Path, PathBuf},
};

use paraply_common::{
    connection::{ConnectionFile, Role},
    secret::Secret,
    transport::{
        boot_id,
        tls::{ClientTls, TlsSettings},
    },
};
use paraply_core::membership::Endpoint;

use crate::connect::ConnectError;

/// The way to a cluster's controller, before anybody has gone it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The cluster to expect there; empty for any.
    pub(crate) cluster_id: String,
    /// Where its controller may be, best first.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) tls: ClientTls,
    pub(crate) token: Secret,
    /// Where this was read.
    pub(crate) file: Option<PathBuf>,
}

impl Place {
    /// Reads a connection file.
    pub(crate) fn read(file: &Path) -> Result<Self, ConnectError> {
        let ConnectionFile { cluster_id, role, endpoints, token, ca, .. } = ConnectionFile::read(file)?;
        if role == Role::Engine {
            return Err(ConnectError::EngineFile(file.to_owned()));
        }
        let tls = tls(ca.as_deref())?;
        Ok(Self { cluster_id, endpoints, tls, token, file: Some(file.to_owned()) })
    }

    /// What `PARAPLY_ADDRESS` and `PARAPLY_TOKEN` say: `host:port`, `tls:host:port` or `unix:/path`.
    pub(crate) fn at(address: &str, token: &str) -> Result<Self, ConnectError> {
        let token = Secret::try_from(token.to_owned()).map_err(|error| ConnectError::Token(error.to_string()))?;
        let endpoint = endpoint(address).ok_or_else(|| ConnectError::Address(address.to_owned()))?;
        Ok(Self { cluster_id: String::new(), endpoints: vec![endpoint], tls: tls(None)?, token, file: None })
    }

    /// The same with the credentials that its file has by now.
    pub(crate) fn read_again(&mut self) {
        if let Some(file) = &self.file
            && let Ok(latest) = Self::read(file)
            && latest.cluster_id == self.cluster_id
        {
            *self = latest;
        }
    }

    /// Whether the cluster has taken its connection file away, as it does when it is stopped on purpose.
    pub(crate) fn is_stopped(&self) -> bool {
        self.file.as_ref().is_some_and(|file| !file.exists())
    }

    /// For messages.
    pub(crate) fn name(&self) -> String {
        match &self.file {
            Some(file) => file.display().to_string(),
            None => "the address given".to_owned(),
        }
    }
}

fn endpoint(address: &str) -> Option<Endpoint> {
    if let Some(path) = address.strip_prefix("unix:") {
        return Some(Endpoint::Unix { path: path.to_owned(), boot_id: boot_id().to_owned() });
    }
    let plain = address.strip_prefix("tls:").unwrap_or(address);
    let (host, port) = plain.rsplit_once(':')?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return None;
    }
    if plain == address {
        return Some(Endpoint::Tcp(address.to_owned()));
    }
    let server_name = env::var("PARAPLY_SERVER_NAME").unwrap_or_default();
    Some(Endpoint::Tls { address: plain.to_owned(), server_name })
}

/// What every client of this user trusts and shows.
fn tls(ca: Option<&str>) -> Result<ClientTls, ConnectError> {
    Ok(TlsSettings::of_clients().client("PARAPLY_CERT and PARAPLY_KEY", ca)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn an_address_is_a_port_a_tls_port_or_a_socket() {
        let at = |address| Place::at(address, TOKEN).unwrap().endpoints.remove(0);
        assert_eq!(at("host:7"), Endpoint::Tcp("host:7".into()));
        assert_eq!(at("tls:host:7"), Endpoint::Tls { address: "host:7".into(), server_name: String::new() });
        assert_eq!(at("unix:/run/c.sock"), Endpoint::Unix { path: "/run/c.sock".into(), boot_id: boot_id().into() });
        for wrong in ["", "host", ":7", "host:port", "tls:host", "http://host"] {
            assert!(matches!(Place::at(wrong, TOKEN), Err(ConnectError::Address(_))), "{wrong}");
        }
        assert!(matches!(Place::at("host:7", ""), Err(ConnectError::Token(_))));
    }

    #[test]
    fn the_file_of_engines_is_none_for_clients() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.json");
        let text = include_str!("../../../proto/testdata/connection.json");
        let mut file = ConnectionFile::parse(text.as_bytes(), "vector").unwrap();
        file.write(&path).unwrap();
        assert_eq!(Place::read(&path).unwrap().cluster_id, "quiet-heron");
        file.role = Role::Engine;
        file.write(&path).unwrap();
        assert!(matches!(Place::read(&path), Err(ConnectError::EngineFile(_))));
    }
}
