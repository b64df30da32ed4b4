//! `cluster.json`: what was started, and where its supervisor listens.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use paraply_common::{clock, private_file};
use serde::{Deserialize, Serialize};

use crate::{error::Error, folder::ClusterFolder, supervisor::Options};

/// The format that this program writes, and the only one it reads.
pub(crate) const VERSION: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ClusterRecord {
    pub(crate) version: u32,
    pub(crate) profile: String,
    pub(crate) cluster_id: String,
    /// Version of the command that started it.
    pub(crate) paraply: String,
    /// The supervisor's process. For people: whether it lives is what the lock says.
    pub(crate) pid: u32,
    /// Seconds since 1970.
    pub(crate) started: u64,
    /// The supervisor's socket (see `control`).
    pub(crate) control: PathBuf,
    /// Runs the engines.
    pub(crate) python: PathBuf,
    /// Where the engines run.
    pub(crate) work_dir: PathBuf,
    /// Engines asked for at the start.
    pub(crate) engines: u32,
    /// What runs it: `local`, `docker` or `kubernetes`.
    #[serde(default = "local")]
    pub(crate) launcher: String,
    /// Where metrics and health are, if they are anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<AdminAddresses>,
}

fn local() -> String {
    "local".to_owned()
}

/// Of each service, "host:port".
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AdminAddresses {
    pub(crate) controller: String,
    pub(crate) scheduler: String,
}

impl ClusterRecord {
    pub(crate) fn new(
        folder: &ClusterFolder,
        options: &Options,
        control: &Path,
        python: &Path,
        launcher: &str,
        admin: Option<AdminAddresses>,
    ) -> Self {
        Self {
            version: VERSION,
            profile: folder.name().profile().to_owned(),
            cluster_id: folder.name().id().to_owned(),
            paraply: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: clock::unix_nanos() / 1_000_000_000,
            control: control.to_owned(),
            python: python.to_owned(),
            work_dir: options.work_dir.clone(),
            engines: options.engines,
            launcher: launcher.to_owned(),
            admin,
        }
    }

    pub(crate) fn read(folder: &ClusterFolder) -> Result<Self, Error> {
        let path = folder.record();
        let text = fs::read(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
        serde_json::from_slice(&text).map_err(|source| Error::Damaged { path, source })
    }

    pub(crate) fn write(&self, folder: &ClusterFolder) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from);
        let written = text.and_then(|text| private_file::write(&folder.record(), format!("{text}\n").as_bytes()));
        written.map_err(Error::io(format!("cannot write {}", folder.record().display())))
    }
}
