//! What can be configured.

use std::{path::PathBuf, time::Duration};

use paraply_common::{
    config::{ConfigError, lease_millis, token},
    secret::Secret,
    tower::auth::Tokens,
};
use serde::Deserialize;

/// The controller's configuration: `[controller]` in the file, `PARAPLY_CONTROLLER_*`, flags.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which cluster this is: what clients expect to find.
    pub cluster_id: String,
    /// Of clients and operators.
    #[serde(default)]
    pub client_token: Option<Secret>,
    /// Where `client_token` is, instead of the token itself.
    #[serde(default)]
    pub client_token_file: Option<PathBuf>,
    /// Of engines and schedulers; tickets are made with it.
    #[serde(default)]
    pub engine_token: Option<Secret>,
    /// Where `engine_token` is, instead of the token itself.
    #[serde(default)]
    pub engine_token_file: Option<PathBuf>,
    /// Where metrics and health are shown to whoever asks: a port of this machine, "host:port", or "fd:number" of a socket
    /// that listens. Without it, nowhere.
    #[serde(default)]
    pub admin: Option<String>,
    /// Where to keep which engine ids were given. Without it, engines that come after a restart wait for the scheduler,
    /// which has seen them.
    #[serde(default)]
    pub state_dir: Option<PathBuf>,
    /// How long a member may be silent, in milliseconds.
    #[serde(default = "default_lease_millis", deserialize_with = "lease_millis")]
    pub lease_millis: u32,
    /// How long a new engine waits for a scheduler to register, in milliseconds.
    #[serde(default = "default_scheduler_wait_millis")]
    pub scheduler_wait_millis: u32,
}

fn default_lease_millis() -> u32 {
    10_000
}

fn default_scheduler_wait_millis() -> u32 {
    10_000
}

impl Config {
    /// The tokens, read from their files where these are set.
    pub(crate) fn tokens(&self) -> Result<Tokens, ConfigError> {
        let get = |key, inline: &Option<Secret>, file: &Option<PathBuf>| {
            token("controller", key, inline.as_ref(), file.as_deref())
        };
        Ok(Tokens {
            client: get("client_token", &self.client_token, &self.client_token_file)?,
            engine: get("engine_token", &self.engine_token, &self.engine_token_file)?,
        })
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
