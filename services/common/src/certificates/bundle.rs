//! All that a cluster needs to be reached safely, by file name: what is there is left alone, and what is missing is made.
//! The same names are those of files in a folder and of keys in a Secret.

use std::collections::BTreeMap;

use paraply_core::membership::Endpoint;

use super::{Authority, Certificate, CertificateError, CertifiedKey, Purpose};
use crate::{
    connection::{self, ConnectionFile, Role},
    secret::{Secret, SecretError},
};

/// The authority's certificate: everybody has it.
pub const CA: &str = "ca.pem";
/// Its key: nobody has it but who makes certificates.
pub const CA_KEY: &str = "ca-key.pem";
/// The services' certificate.
pub const SERVER: &str = "server.pem";
/// Its key.
pub const SERVER_KEY: &str = "server-key.pem";
/// What an engine shows where services ask for a certificate.
pub const ENGINE: &str = "engine.pem";
/// Its key.
pub const ENGINE_KEY: &str = "engine-key.pem";
/// What a client shows where services ask for a certificate.
pub const CLIENT: &str = "client.pem";
/// Its key.
pub const CLIENT_KEY: &str = "client-key.pem";
/// The token of clients.
pub const CLIENT_TOKEN: &str = "client-token";
/// The token of engines and the scheduler.
pub const ENGINE_TOKEN: &str = "engine-token";
/// The token of admins.
pub const ADMIN_TOKEN: &str = "admin-token";
/// What engines' tickets are made with.
pub const TICKET_KEY: &str = "ticket-key";

/// Every name there is.
pub const NAMES: [&str; 12] = [
    CA,
    CA_KEY,
    SERVER,
    SERVER_KEY,
    ENGINE,
    ENGINE_KEY,
    CLIENT,
    CLIENT_KEY,
    CLIENT_TOKEN,
    ENGINE_TOKEN,
    ADMIN_TOKEN,
    TICKET_KEY,
];

/// How long the authority is valid, in days.
const AUTHORITY_DAYS: u64 = 3650;

/// Content by name.
pub type Bundle = BTreeMap<String, String>;

/// What certificates are to be like.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Which cluster: for people who read a certificate.
    pub cluster_id: String,
    /// What services are reached by: host names and addresses.
    pub hosts: Vec<String>,
    /// How long certificates are valid.
    pub days: u64,
}

/// What cannot be completed.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {source}")]
pub struct BundleError {
    /// Of what was there, or was to be made.
    pub name: &'static str,
    /// What is wrong with it.
    pub source: CertificateError,
}

/// What has to be added to, or replaced in, what is `there` so that it is whole. Replaced are certificates by the authority
/// that is there, when less than a third of their time is left or, of services, when they are not for all hosts. A
/// certificate of another authority is somebody's own, and is left alone.
///
/// # Errors
/// If something that is there cannot be read, or a wish cannot be met.
pub fn complete(there: &Bundle, wish: &Wish) -> Result<Bundle, BundleError> {
    let mut made = Bundle::new();
    for name in [CLIENT_TOKEN, ENGINE_TOKEN, ADMIN_TOKEN, TICKET_KEY] {
        if !there.contains_key(name) {
            let token = Secret::random().map_err(|error| BundleError { name, source: error.into() })?;
            made.insert(name.to_owned(), token.expose().to_owned());
        }
    }
    let ca = match (there.get(CA), there.get(CA_KEY)) {
        (Some(certificate), Some(key)) => Some(CertifiedKey { certificate: certificate.clone(), key: key.clone() }),
        // Its key is in better hands.
        (Some(_), None) => None,
        (None, _) => {
            let name = format!("Paraply {}", wish.cluster_id);
            let (_, ca) = Authority::make(&name, AUTHORITY_DAYS.max(wish.days)).map_err(at(CA))?;
            made.insert(CA.to_owned(), ca.certificate.clone());
            made.insert(CA_KEY.to_owned(), ca.key.clone());
            Some(ca)
        }
    };
    let Some(ca) = ca else { return Ok(made) };
    let authority = Authority::read(&ca).map_err(at(CA))?;
    let read = Certificate::read(&ca.certificate).map_err(at(CA))?;
    for (name, key_name, purpose) in [
        (SERVER, SERVER_KEY, Purpose::Service),
        (ENGINE, ENGINE_KEY, Purpose::Peer),
        (CLIENT, CLIENT_KEY, Purpose::Peer),
    ] {
        let hosts: &[String] = if purpose == Purpose::Service { &wish.hosts } else { &[] };
        if let (Some(certificate), Some(_)) = (there.get(name), there.get(key_name)) {
            let certificate = Certificate::read(certificate).map_err(at(name))?;
            if !certificate.is_by(&read) || (certificate.is_for(hosts) && !certificate.is_about_to_expire()) {
                continue;
            }
        }
        let subject = format!("{} of Paraply {}", name.trim_end_matches(".pem"), wish.cluster_id);
        let leaf = authority.issue(&subject, hosts, purpose, wish.days).map_err(at(name))?;
        made.insert(name.to_owned(), leaf.certificate);
        made.insert(key_name.to_owned(), leaf.key);
    }
    Ok(made)
}

/// The connection file of who has that role: its token and the authority of the bundle. None where the bundle has no such
/// token.
///
/// # Errors
/// If what is there is no token.
pub fn connection(
    bundle: &Bundle,
    role: Role,
    cluster_id: &str,
    endpoints: Vec<Endpoint>,
) -> Result<Option<ConnectionFile>, SecretError> {
    let name = match role {
        Role::Client => CLIENT_TOKEN,
        Role::Engine => ENGINE_TOKEN,
        Role::Admin => ADMIN_TOKEN,
    };
    let token = bundle.get(name).cloned().map(Secret::try_from).transpose()?;
    Ok(token.map(|token| ConnectionFile {
        version: connection::VERSION,
        cluster_id: cluster_id.to_owned(),
        role,
        profile: "default".to_owned(),
        endpoints,
        token,
        admin_token: None,
        ca: bundle.get(CA).cloned(),
        launcher: None,
    }))
}

fn at(name: &'static str) -> impl Fn(CertificateError) -> BundleError {
    move |source| BundleError { name, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(hosts: &[&str], days: u64) -> Wish {
        Wish { cluster_id: "c".into(), hosts: hosts.iter().map(|&host| host.to_owned()).collect(), days }
    }

    fn names(bundle: &Bundle) -> Vec<&str> {
        bundle.keys().map(String::as_str).collect()
    }

    #[test]
    fn all_is_made_once() {
        let mut bundle = complete(&Bundle::new(), &wish(&["localhost", "127.0.0.1"], 90)).unwrap();
        let mut all = NAMES.to_vec();
        all.sort_unstable();
        assert_eq!(names(&bundle), all);
        assert!(complete(&bundle, &wish(&["localhost"], 90)).unwrap().is_empty(), "fewer hosts are no reason");
        // One that is missing is made by the authority that is there.
        bundle.remove(CLIENT_KEY);
        let made = complete(&bundle, &wish(&["localhost"], 90)).unwrap();
        assert_eq!(names(&made), [CLIENT_KEY, CLIENT]);
        let ca = Certificate::read(&bundle[CA]).unwrap();
        assert!(Certificate::read(&made[CLIENT]).unwrap().is_by(&ca));
    }

    #[test]
    fn another_host_and_an_end_that_is_near_are_reasons_and_anothers_certificate_is_none() {
        let bundle = complete(&Bundle::new(), &wish(&["localhost"], 90)).unwrap();
        let made = complete(&bundle, &wish(&["localhost", "::1"], 90)).unwrap();
        assert_eq!(names(&made), [SERVER_KEY, SERVER]);
        assert!(Certificate::read(&made[SERVER]).unwrap().is_for(&["::1".into(), "localhost".into()]));

        let (other, _) = Authority::make("other", 10).unwrap();
        let own = other.issue("own", &[], Purpose::Service, 1).unwrap();
        let mut mixed = bundle;
        mixed.extend([(SERVER.into(), own.certificate), (SERVER_KEY.into(), own.key)]);
        assert!(complete(&mixed, &wish(&["elsewhere"], 90)).unwrap().is_empty());
        // Nothing can be made where the authority's key is not.
        mixed.remove(CA_KEY);
        mixed.remove(CLIENT);
        assert!(complete(&mixed, &wish(&[], 90)).unwrap().is_empty());
    }

    #[test]
    fn each_role_has_a_connection_file_with_its_own_token() {
        let bundle = complete(&Bundle::new(), &wish(&["localhost"], 90)).unwrap();
        for (role, token) in [(Role::Client, CLIENT_TOKEN), (Role::Engine, ENGINE_TOKEN), (Role::Admin, ADMIN_TOKEN)] {
            let file = connection(&bundle, role, "c", vec![]).unwrap().unwrap();
            assert_eq!((file.token.expose(), file.ca.as_ref()), (bundle[token].as_str(), bundle.get(CA)));
        }
        assert!(connection(&Bundle::new(), Role::Client, "c", vec![]).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let mut bundle = complete(&Bundle::new(), &wish(&["localhost"], 90)).unwrap();
        bundle.insert(SERVER.into(), "nothing".into());
        assert!(complete(&bundle, &wish(&[], 90)).unwrap_err().to_string().contains("server.pem"));
        bundle.insert(CA.into(), "nothing".into());
        assert!(complete(&bundle, &wish(&[], 90)).unwrap_err().to_string().contains("ca.pem"));
    }
}
