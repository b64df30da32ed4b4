//! What can be configured.

use std::{path::PathBuf, time::Duration};

use paraply_common::{
    config::{ConfigError, Credentials, TOKEN_OVERLAP_MILLIS, TokenSetting, TokenSettings, lease_millis},
    secret::Secret,
    transport::tls::{ServerTls, TlsSettings},
};
use paraply_core::membership::Autoscale;
use serde::Deserialize;

use crate::cluster_service::MOST_ENGINES;

/// Of engines.
const SHORTEST_IDLE_MILLIS: u64 = 500;

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
    /// Engines that there are at the most. With it, engines come and go as there is work for them, if somebody launches
    /// engines here.
    #[serde(default)]
    pub autoscale_max: Option<u32>,
    /// Engines that stay however little there is to do; none if it is not set.
    #[serde(default)]
    pub autoscale_min: Option<u32>,
    /// How long an engine, or the cluster, has to have nothing to do until it is idle, in milliseconds.
    #[serde(default = "default_autoscale_idle_millis")]
    pub autoscale_idle_millis: u64,
    /// How long tasks have to wait until more engines are asked for, in milliseconds. The first engine is at once.
    #[serde(default = "default_autoscale_wait_millis")]
    pub autoscale_wait_millis: u64,
    /// Engines that whoever makes the cluster is starting already.
    #[serde(default)]
    pub autoscale_begun: u32,
    /// Where KEDA's interface to scalers is served: "host:port", or "fd:number" of a socket that listens. Without it,
    /// nowhere.
    #[serde(default)]
    pub scaler: Option<String>,
    /// The authorities, PEM, that the certificate of who calls there is to be by.
    #[serde(default)]
    pub scaler_client_ca_file: Option<PathBuf>,
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

fn default_autoscale_idle_millis() -> u64 {
    60_000
}

fn default_autoscale_wait_millis() -> u64 {
    1_000
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
            autoscale_max: None,
            autoscale_min: None,
            autoscale_idle_millis: default_autoscale_idle_millis(),
            autoscale_wait_millis: default_autoscale_wait_millis(),
            autoscale_begun: 0,
            scaler: None,
            scaler_client_ca_file: None,
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

    /// What it shows where scalers call, and whose certificates they are to show; nothing where that is not all set.
    pub(crate) fn scaler_tls(&self) -> Result<Option<ServerTls>, ConfigError> {
        let tls = TlsSettings { client_ca: self.scaler_client_ca_file.clone(), ..self.tls() };
        let all = [&tls.cert, &tls.key, &tls.client_ca].into_iter().all(Option::is_some);
        if all { tls.server("controller.scaler") } else { Ok(None) }
    }

    /// What it shows and accepts, as it is set.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        let more_authorities = self.scaler_client_ca_file.iter().cloned().collect();
        Credentials { tokens: self.tokens(), tls: self.tls(), more_authorities }
    }

    pub(crate) fn membership(&self) -> Result<paraply_core::membership::Config, ConfigError> {
        Ok(paraply_core::membership::Config {
            lease: Duration::from_millis(self.lease_millis.into()),
            scheduler_wait: Duration::from_millis(self.scheduler_wait_millis.into()),
            idle: Duration::from_millis(self.autoscale_idle_millis),
            autoscale: self.autoscale()?,
            ..paraply_core::membership::Config::default()
        })
    }

    fn autoscale(&self) -> Result<Option<Autoscale>, ConfigError> {
        let wrong = |key: &str, message: String| {
            let place = format!("controller.{key} (--{})", key.replace('_', "-"));
            Err(ConfigError::Value { place, message })
        };
        if self.autoscale_idle_millis < SHORTEST_IDLE_MILLIS {
            let message = format!("must be at least {SHORTEST_IDLE_MILLIS}: loads are told once a second");
            return wrong("autoscale_idle_millis", message);
        }
        let min = self.autoscale_min.unwrap_or_default();
        match self.autoscale_max {
            None if self.autoscale_min.is_some() => {
                wrong("autoscale_min", "is of no use without `autoscale_max`".to_owned())
            }
            None => Ok(None),
            Some(max) if max == 0 || max > MOST_ENGINES => {
                wrong("autoscale_max", format!("is {max}; it can be 1 to {MOST_ENGINES}"))
            }
            Some(max) if min > max => wrong("autoscale_min", format!("is {min}, more than `autoscale_max`, {max}")),
            Some(max) => {
                let patience = Duration::from_millis(self.autoscale_wait_millis);
                Ok(Some(Autoscale { min, max, patience, begun: self.autoscale_begun, ..Autoscale::default() }))
            }
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

    #[test]
    fn bounds_that_make_no_sense_are_refused_by_name() {
        let with = |max, min, autoscale_idle_millis| {
            let bounds = Config { autoscale_max: max, autoscale_min: min, autoscale_idle_millis, ..Config::default() };
            bounds.membership().map(|config| config.autoscale.map(|policy| (policy.min, policy.max)))
        };
        assert_eq!(with(None, None, 60_000).unwrap(), None);
        assert_eq!(with(Some(8), None, 60_000).unwrap(), Some((0, 8)));
        assert_eq!(with(Some(8), Some(8), 500).unwrap(), Some((8, 8)));
        for (max, min, idle, what) in [
            (None, Some(1), 60_000, "controller.autoscale_min (--autoscale-min): is of no use without `autoscale_max`"),
            (Some(0), None, 60_000, "controller.autoscale_max (--autoscale-max): is 0; it can be 1 to 4096"),
            (Some(4097), None, 60_000, "is 4097; it can be 1 to 4096"),
            (
                Some(2),
                Some(3),
                60_000,
                "controller.autoscale_min (--autoscale-min): is 3, more than `autoscale_max`, 2",
            ),
            (Some(2), None, 499, "controller.autoscale_idle_millis (--autoscale-idle-millis): must be at least 500"),
        ] {
            let error = with(max, min, idle).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
