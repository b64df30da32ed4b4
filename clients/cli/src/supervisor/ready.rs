//! Tells whoever started a cluster how far it is: lines of JSON on a descriptor it handed over (`--ready-fd`).

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::OwnedFd,
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// One line. `Starting` comes first unless it fails before; `Ready` or `Failed` comes last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Progress {
    /// The connection files are there and the services' addresses can be connected to; engines are on their way.
    Starting { folder: PathBuf, control: PathBuf, engine_set: Option<String> },
    /// The controller answers and every engine has joined or ended.
    Ready { engine_ids: Vec<u32> },
    /// The cluster is gone again.
    Failed { exit_code: u8, message: String },
}

/// The writing end; a cluster in the foreground has nobody to tell.
#[derive(Debug, Default)]
pub(crate) struct Ready(Option<File>);

impl Ready {
    pub(crate) fn to(descriptor: OwnedFd) -> Self {
        Self(Some(descriptor.into()))
    }

    /// An error means that nobody waits for the cluster any more.
    pub(super) fn tell(&mut self, progress: &Progress) -> io::Result<()> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let mut line = serde_json::to_vec(progress)?;
        line.push(b'\n');
        file.write_all(&line)
    }

    /// The last line.
    pub(crate) fn tell_last(&mut self, progress: &Progress) -> io::Result<()> {
        let told = self.tell(progress);
        self.0 = None;
        told
    }
}
