//! What can be configured.

use std::{path::PathBuf, time::Duration};

use paraply_common::{
    config::{Credentials, TOKEN_OVERLAP_MILLIS, TokenSetting, TokenSettings, lease_millis},
    secret::Secret,
    transport::tls::TlsSettings,
};
use serde::Deserialize;

/// The controller's configuration: `[controller]` in the file, `PARAPLY_CONTROLLER_*`, flags.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which cluster this is: what clients expect to find.
    pub cluster_id: String,
    /// Of clients.
    #[serde(default)]
    pub client_token: Option<Secret>,
    /// Where `client_token` is, instead of the token itself.
    #[serde(default)]
    pub client_token_file: Option<PathBuf>,
    /// Of engines and schedulers.
    #[serde(default)]
    pub engine_token: Option<Secret>,
    /// Where `engine_token` is, instead of the token itself.
    #[serde(default)]
    pub engine_token_file: Option<PathBuf>,
    /// Of who changes the cluster for others. Without it, a client's token is enough for that.
    #[serde(default)]
    pub admin_token: Option<Secret>,
    /// Where `admin_token` is, instead of the token itself.
    #[serde(default)]
    pub admin_token_file: Option<PathBuf>,
    /// What engines' tickets are made with: the scheduler has the same. Without it, the engine token.
    #[serde(default)]
    pub ticket_key: Option<Secret>,
    /// Where `ticket_key` is, instead of the key itself.
    #[serde(default)]
    pub ticket_key_file: Option<PathBuf>,
    /// How long a token that another has taken the place of in its file is still good, in milliseconds.
    #[serde(default = "default_token_overlap_millis")]
    pub token_overlap_millis: u64,
    /// The certificate, PEM, with which TCP listeners speak TLS, and those between it and an authority.
    #[serde(default)]
    pub tls_cert_file: Option<PathBuf>,
    /// The certificate's key, PEM.
    #[serde(default)]
    pub tls_key_file: Option<PathBuf>,
    /// The authorities, PEM, that the scheduler's certificate is to be by. Without it, whoever the system trusts.
    #[serde(default)]
    pub tls_ca_file: Option<PathBuf>,
    /// The authorities, PEM, that peers' certificates are to be by. Without it, none is asked for.
    #[serde(default)]
    pub tls_client_ca_file: Option<PathBuf>,
    /// Where metrics and health are shown to whoever asks: a port of this machine, "host:port", or "fd:number" of a socket
    /// that listens. Without it, nowhere.
    #[serde(default)]
    pub admin: Option<String>,
    /// Where to keep which engine ids were given. Without it, engines that come after a restart wait for the scheduler,
    /// which has seen them.
    #[serde(default)]
    pub state_dir: Option<PathBuf>,
    /// Whether engines that end are started again by what runs them, as containers are. Then it takes who launches engines
    /// to have fewer, as well as to have more.
    #[serde(default)]
    pub engines_restart: bool,
    /// How long a member may be silent, in milliseconds.
    #[serde(default = "default_lease_millis", deserialize_with = "lease_millis")]
    pub lease_millis: u32,
    /// How long a new engine waits for a scheduler to register, in milliseconds.
    #[serde(default = "default_scheduler_wait_millis")]
    pub scheduler_wait_millis: u32,
}

fn default_token_overlap_millis() -> u64 {
    TOKEN_OVERLAP_MILLIS
}

fn default_lease_millis() -> u32 {
    10_000
}

fn default_scheduler_wait_millis() -> u32 {
    10_000
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cluster_id: "default".to_owned(),
            client_token: None,
            client_token_file: None,
            engine_token: None,
            engine_token_file: None,
            admin_token: None,
            admin_token_file: None,
            ticket_key: None,
            ticket_key_file: None,
            token_overlap_millis: default_token_overlap_millis(),
            tls_cert_file: None,
            tls_key_file: None,
            tls_ca_file: None,
            tls_client_ca_file: None,
            admin: None,
            state_dir: None,
            engines_restart: false,
            lease_millis: default_lease_millis(),
            scheduler_wait_millis: default_scheduler_wait_millis(),
        }
    }
}

impl Config {
    /// The tokens as they are set.
    pub(crate) fn tokens(&self) -> TokenSettings {
        TokenSettings {
            section: "controller",
            client: TokenSetting::new("client_token", &self.client_token, &self.client_token_file),
            engine: TokenSetting::new("engine_token", &self.engine_token, &self.engine_token_file),
            admin: TokenSetting::new("admin_token", &self.admin_token, &self.admin_token_file),
            ticket_key: TokenSetting::new("ticket_key", &self.ticket_key, &self.ticket_key_file),
            overlap: Duration::from_millis(self.token_overlap_millis),
        }
    }

    pub(crate) fn tls(&self) -> TlsSettings {
        TlsSettings {
            cert: self.tls_cert_file.clone(),
            key: self.tls_key_file.clone(),
            ca: self.tls_ca_file.clone(),
            client_ca: self.tls_client_ca_file.clone(),
        }
    }

    /// What it shows and accepts, as it is set.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials { tokens: self.tokens(), tls: self.tls() }
    }

    pub(crate) fn membership(&self) -> paraply_core::membership::Config {
        paraply_core::membership::Config {
            lease: Duration::from_millis(self.lease_millis.into()),
            scheduler_wait: Duration::from_millis(self.scheduler_wait_millis.into()),
            ..paraply_core::membership::Config::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use paraply_common::config::Layers;

    use super::*;

    #[test]
    fn a_lease_that_nobody_can_keep_is_refused_by_name() {
        let settings = [("cluster_id", "c".to_owned()), ("lease_millis", "299".to_owned())];
        let error = Layers::new("controller").flags(settings).load::<Config>().unwrap_err().to_string();
        assert!(error.contains("--lease-millis") && error.contains("at least 300"), "{error}");
    }
}
