//! Which file of a cluster's credentials is in which Secret, and what is missing there.

use std::collections::BTreeMap;

use paraply_common::{
    certificates::bundle::{self, Bundle, BundleError, Wish},
    connection::Role,
    secret::SecretError,
};
use paraply_core::membership::Endpoint;

/// A connection file of engines, and of clients.
const ENGINE_FILE: &str = "engine.json";
const CLIENT_FILE: &str = "connection.json";

/// The Secrets, by who holds them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Holder {
    /// The services, and whoever makes certificates.
    Services,
    Engines,
    Clients,
}

/// Content by Secret and key.
pub(super) type Contents = BTreeMap<Holder, BTreeMap<String, String>>;

/// What the Secrets are to hold.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) wish: Wish,
    /// Where engines reach the controller, best first.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Where clients do.
    pub(crate) client_endpoints: Vec<Endpoint>,
}

/// What is there cannot be completed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Incomplete {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("a token in the Secret: {0}")]
    Token(#[from] SecretError),
    #[error("a connection file: {0}")]
    Json(#[from] serde_json::Error),
}

impl Holder {
    pub(super) const ALL: [Self; 3] = [Self::Services, Self::Engines, Self::Clients];

    /// The end of the Secret's name.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Services => "ca",
            Self::Engines => "engine",
            Self::Clients => "client",
        }
    }

    /// Who holds a file of the bundle.
    fn of(name: &str) -> Self {
        match name {
            bundle::ENGINE | bundle::ENGINE_KEY => Self::Engines,
            bundle::CLIENT | bundle::CLIENT_KEY => Self::Clients,
            _ => Self::Services,
        }
    }
}

/// What has to be written so that the Secrets are whole. What somebody has put there is left as it is; of what this made,
/// certificates are replaced in good time, and connection files when what they hold is.
pub(super) fn missing(there: &Contents, credentials: &Credentials) -> Result<Contents, Incomplete> {
    let files = bundle::NAMES.iter().filter_map(|name| {
        let content = there.get(&Holder::of(name))?.get(*name).filter(|content| !content.is_empty())?;
        Some(((*name).to_owned(), content.clone()))
    });
    let mut all: Bundle = files.collect();
    let mut contents = Contents::new();
    let made = bundle::complete(&all, &credentials.wish)?;
    for (name, content) in &made {
        contents.entry(Holder::of(name)).or_default().insert(name.clone(), content.clone());
    }
    let renewed = |token: &str| made.contains_key(token) || made.contains_key(bundle::CA);
    all.extend(made.clone());
    for (role, holder, file, token, endpoints) in [
        (Role::Engine, Holder::Engines, ENGINE_FILE, bundle::ENGINE_TOKEN, &credentials.endpoints),
        (Role::Client, Holder::Clients, CLIENT_FILE, bundle::CLIENT_TOKEN, &credentials.client_endpoints),
    ] {
        let is_there = there.get(&holder).and_then(|secret| secret.get(file)).is_some_and(|text| !text.is_empty());
        if is_there && !renewed(token) {
            continue;
        }
        let connection = bundle::connection(&all, role, &credentials.wish.cluster_id, endpoints.clone())?;
        let text = connection.as_ref().map(serde_json::to_string_pretty).transpose()?;
        let secret = contents.entry(holder).or_default();
        secret.extend(text.map(|text| (file.to_owned(), text)));
    }
    contents.retain(|_, secret| !secret.is_empty());
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use paraply_common::{connection::ConnectionFile, transport::address};

    use super::*;

    fn credentials() -> Credentials {
        let wish = Wish { cluster_id: "paraply".into(), hosts: vec!["paraply-controller".into()], days: 90 };
        let endpoints = vec![address::parse("tls:paraply-controller:7600")];
        let client_endpoints = vec![address::parse("tls:127.0.0.1:7600")];
        Credentials { wish, endpoints, client_endpoints }
    }

    fn keys(contents: &Contents, holder: Holder) -> Vec<&str> {
        contents.get(&holder).into_iter().flat_map(|secret| secret.keys().map(String::as_str)).collect()
    }

    #[test]
    fn empty_secrets_are_filled_and_full_ones_left_alone() {
        let mut there = missing(&Contents::new(), &credentials()).unwrap();
        let services = [
            "admin-token",
            "ca-key.pem",
            "ca.pem",
            "client-token",
            "engine-token",
            "server-key.pem",
            "server.pem",
            "ticket-key",
        ];
        assert_eq!(keys(&there, Holder::Services), services);
        assert_eq!(keys(&there, Holder::Engines), ["engine-key.pem", "engine.json", "engine.pem"]);
        assert_eq!(keys(&there, Holder::Clients), ["client-key.pem", "client.pem", "connection.json"]);
        let engine: ConnectionFile = serde_json::from_str(&there[&Holder::Engines]["engine.json"]).unwrap();
        assert_eq!(engine.token.expose(), there[&Holder::Services]["engine-token"]);
        assert_eq!(engine.endpoints, credentials().endpoints);
        let client: ConnectionFile = serde_json::from_str(&there[&Holder::Clients]["connection.json"]).unwrap();
        assert_eq!(client.endpoints, credentials().client_endpoints);
        assert!(missing(&there, &credentials()).unwrap().is_empty());

        // Somebody's own, and one that was emptied.
        there.get_mut(&Holder::Clients).unwrap().insert("connection.json".into(), "somebody's own".into());
        there.get_mut(&Holder::Services).unwrap().insert("engine-token".into(), String::new());
        let again = missing(&there, &credentials()).unwrap();
        assert_eq!(keys(&again, Holder::Services), ["engine-token"]);
        assert_eq!(keys(&again, Holder::Engines), ["engine.json"], "it holds the token");
        assert!(keys(&again, Holder::Clients).is_empty());
    }

    #[test]
    fn what_is_there_and_cannot_be_read_is_named() {
        let there = Contents::from([(
            Holder::Services,
            [("ca.pem", "x"), ("ca-key.pem", "y")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        )]);
        assert!(missing(&there, &credentials()).unwrap_err().to_string().contains("ca.pem"));
    }
}
