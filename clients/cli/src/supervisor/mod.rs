//! The supervisor of a cluster on one machine (of one elsewhere: [`remote`]): what `paraply start` is while the cluster lives.
//!
//! It makes the cluster's folder and credentials, binds the services' listeners and hands them on, starts the services
//! and the engines, and is told everything as an [`Event`]: one loop, one event at a time, no locks. Every child holds
//! the read end of a pipe whose write end only the supervisor has: however it dies, they see it and end.

mod asked;
mod children;
mod cluster;
mod ending;
mod engines;
mod event;
mod launch;
mod membership;
mod parent;
mod process;
mod python;
mod ready;
pub(crate) mod remote;
mod requests;
mod scale;
mod service;
mod setup;
mod signals;
mod starting;
mod watch;

pub(crate) use cluster::run;
pub(crate) use ready::{Progress, Ready};

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{autoscale::Autoscale, folder::ClusterName};

/// Engines that have not joined by then are given up as hanging.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(60);

/// The most engines that can be asked for, as the controller has it.
pub(crate) const MOST_ENGINES: u32 = 4096;

/// What to start.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) name: ClusterName,
    pub(crate) engines: u32,
    /// How they come and go; without it, when somebody says so.
    pub(crate) autoscale: Option<Autoscale>,
    /// Runs the engines; found where it is not given.
    pub(crate) python: Option<PathBuf>,
    /// Where the engines run.
    pub(crate) work_dir: PathBuf,
    /// Give each service an admin listener.
    pub(crate) admin: bool,
    /// Remove the whole folder, logs too, after a stop on request: a program's own cluster leaves nothing.
    pub(crate) ephemeral: bool,
    /// The read end of a pipe whose end is the end of the cluster.
    pub(crate) parent: Option<OwnedFd>,
}

/// "1 engine", "4 engines".
pub(crate) fn count(engines: usize) -> String {
    format!("{engines} engine{}", if engines == 1 { "" } else { "s" })
}

/// Tells the person at the terminal, or the log that stands in for it.
fn say(text: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    let mut out = io::stdout().lock();
    // Nobody reads any more, perhaps; the cluster goes on.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// The end of a log, to stand behind a message.
fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let text = end_of(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let end = &lines[lines.len().saturating_sub(LINES)..];
    if end.is_empty() {
        return format!("; its log, {}, is empty", log.display());
    }
    let end: String = end.iter().map(|line| format!("\n    {line}")).collect();
    format!("; the end of its log, {}:{end}", log.display())
}

/// The last bytes of a file, however long it is.
fn end_of(path: &Path) -> io::Result<Vec<u8>> {
    const MOST: u64 = 64 << 10;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST)))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_log_only_the_end_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, format!("{}\nthe end\n", "x".repeat(1 << 20))).unwrap();
        assert_eq!(end_of(&log).unwrap().len(), 64 << 10);
        assert!(tail(&log).ends_with("\n    the end"));
        std::fs::write(&log, "").unwrap();
        assert!(tail(&log).ends_with("is empty"));
    }
}
