//! Where services can be reached.

use paraply_core::membership::Endpoint;
use paraply_proto::controller::v1::{self as proto, endpoint::Address};

use super::error::{Problem, WireError, each, required};

/// Endpoints, best first.
///
/// # Errors
/// If one of them is none of the known kinds, or is empty.
pub fn decode(messages: Vec<proto::Endpoint>, field: &str) -> Result<Vec<Endpoint>, WireError> {
    let empty = |field| Err(WireError::new(field, Problem::Rule("must not be empty")));
    each(messages, field, |message| match required(message.address, "address")? {
        Address::Unix(socket) if socket.path.is_empty() => empty("unix.path"),
        Address::Unix(socket) => Ok(Endpoint::Unix { path: socket.path, boot_id: socket.boot_id }),
        Address::Tcp(address) if address.is_empty() => empty("tcp"),
        Address::Tcp(address) => Ok(Endpoint::Tcp(address)),
        Address::Tls(tls) if tls.address.is_empty() => empty("tls.address"),
        Address::Tls(tls) => Ok(Endpoint::Tls { address: tls.address, server_name: tls.server_name }),
        Address::Same(proto::Same {}) => Ok(Endpoint::Same),
    })
}

/// The wire form of endpoints.
#[must_use]
pub fn encode(endpoints: &[Endpoint]) -> Vec<proto::Endpoint> {
    let address = |endpoint: &Endpoint| match endpoint.clone() {
        Endpoint::Unix { path, boot_id } => Address::Unix(proto::UnixSocket { path, boot_id }),
        Endpoint::Tcp(address) => Address::Tcp(address),
        Endpoint::Tls { address, server_name } => Address::Tls(proto::Tls { address, server_name }),
        Endpoint::Same => Address::Same(proto::Same {}),
    };
    endpoints.iter().map(|endpoint| proto::Endpoint { address: Some(address(endpoint)) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back() {
        let unix = Endpoint::Unix { path: "/run/s.sock".into(), boot_id: "b".into() };
        let tls = Endpoint::Tls { address: "localhost:2".into(), server_name: "c".into() };
        let endpoints = vec![unix, Endpoint::Tcp("localhost:1".into()), tls, Endpoint::Same];
        assert_eq!(decode(encode(&endpoints), "endpoints").unwrap(), endpoints);
    }

    #[test]
    fn what_leads_nowhere_is_refused_by_name() {
        let error = |address| decode(vec![proto::Endpoint { address }], "endpoints").unwrap_err().to_string();
        assert_eq!(error(None), "endpoints[0].address: must be set");
        assert_eq!(error(Some(Address::Tcp(String::new()))), "endpoints[0].tcp: must not be empty");
        assert_eq!(error(Some(Address::Tls(proto::Tls::default()))), "endpoints[0].tls.address: must not be empty");
    }
}
