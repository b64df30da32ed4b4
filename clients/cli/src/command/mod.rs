//! The subcommands, one a file.

pub(crate) mod connect;
pub(crate) mod controller;
pub(crate) mod credentials;
pub(crate) mod engines;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod list;
pub(crate) mod scale;
pub(crate) mod scheduler;
mod service;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod trace;

use clap::Args;

use crate::{
    error::Error,
    folder::{ClusterFolder, DEFAULT},
};

/// Names one running cluster.
#[derive(Debug, Args)]
pub(crate) struct Cluster {
    /// Profile of the cluster
    #[arg(long, default_value = DEFAULT, env = "PARAPLY_PROFILE")]
    profile: String,

    /// Which of the profile's clusters [default: the one called "default", else the newest that runs]
    #[arg(long)]
    cluster_id: Option<String>,
}

impl Cluster {
    fn running(&self) -> Result<ClusterFolder, Error> {
        ClusterFolder::running(&self.profile, self.cluster_id.as_deref())
    }

    /// One that runs here, else one that `paraply connect` has found elsewhere.
    fn reachable(&self) -> Result<ClusterFolder, Error> {
        match self.running() {
            Err(error @ (Error::NotFound(_) | Error::NoneRunning(_))) => {
                ClusterFolder::connected(&self.profile, self.cluster_id.as_deref())?.ok_or(error)
            }
            found => found,
        }
    }
}
