//! Addresses of services as they are written in settings: "host:port", "tls:host:port", or the path of a Unix socket.

use paraply_core::membership::Endpoint;

use super::boot_id;

const TLS: &str = "tls:";

/// What the text means. A path has a slash in it.
#[must_use]
pub fn parse(address: &str) -> Endpoint {
    if address.contains('/') {
        return Endpoint::Unix { path: address.to_owned(), boot_id: boot_id().to_owned() };
    }
    match address.strip_prefix(TLS) {
        Some(address) => Endpoint::Tls { address: address.to_owned(), server_name: String::new() },
        None => Endpoint::Tcp(address.to_owned()),
    }
}

/// The text for it; None where it has none.
#[must_use]
pub fn text(endpoint: &Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Unix { path, .. } => Some(path.clone()),
        Endpoint::Tcp(address) => Some(address.clone()),
        Endpoint::Tls { address, .. } => Some(format!("{TLS}{address}")),
        Endpoint::Same => None,
    }
}

/// The host of "host:port", without the brackets of IPv6.
#[must_use]
pub fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        let unix = Endpoint::Unix { path: "/run/c.sock".into(), boot_id: boot_id().into() };
        let tls = Endpoint::Tls { address: "c:7600".into(), server_name: String::new() };
        for (address, endpoint) in
            [("/run/c.sock", unix), ("localhost:7", Endpoint::Tcp("localhost:7".into())), ("tls:c:7600", tls)]
        {
            assert_eq!(parse(address), endpoint);
            assert_eq!(text(&endpoint).unwrap(), address);
        }
    }

    #[test]
    fn a_host_has_no_brackets() {
        for (address, name) in [("c:1", "c"), ("[::1]:1", "::1"), ("127.0.0.1:1", "127.0.0.1"), ("c", "c")] {
            assert_eq!(host(address), name);
        }
    }
}
