//! What can be configured.

use std::{path::PathBuf, time::Duration};

use paraply_common::secret::Secret;
use serde::Deserialize;

/// The controller's configuration: `[controller]` in the file, `PARAPLY_CONTROLLER_*`, flags.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which cluster this is: what clients expect to find.
    pub cluster_id: String,
    /// Of clients and operators.
    pub client_token: Secret,
    /// Of engines and schedulers.
    pub engine_token: Secret,
    /// Where to keep which engine ids were given. Without it, engines that come after a restart wait for the scheduler,
    /// which has seen them.
    #[serde(default)]
    pub state_dir: Option<PathBuf>,
    /// How long a member may be silent, in milliseconds.
    #[serde(default = "default_lease_millis")]
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
    pub(crate) fn membership(&self) -> paraply_core::membership::Config {
        paraply_core::membership::Config {
            lease: Duration::from_millis(self.lease_millis.into()),
            scheduler_wait: Duration::from_millis(self.scheduler_wait_millis.into()),
            ..paraply_core::membership::Config::default()
        }
    }
}
