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

use std::path::PathBuf;

use clap::Args;
use paraply_common::connection::ConnectionFile;

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

/// Names one cluster that answers, wherever it runs.
#[derive(Debug, Args)]
pub(crate) struct Reachable {
    #[command(flatten)]
    cluster: Cluster,

    /// Connection file of the cluster, in place of its name
    #[arg(long, value_name = "FILE", conflicts_with = "cluster_id")]
    connection: Option<PathBuf>,
}

impl Reachable {
    /// How to connect, and its folder here where it was found by its name.
    fn find(&self) -> Result<(ConnectionFile, Option<ClusterFolder>), Error> {
        if let Some(file) = &self.connection {
            return Ok((ConnectionFile::read(file)?, None));
        }
        let folder = self.cluster.reachable()?;
        Ok((ConnectionFile::read(&folder.connection())?, Some(folder)))
    }
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
