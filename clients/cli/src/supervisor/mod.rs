//! The supervisor of a cluster on one machine: what `paraply start` is while the cluster lives.
//!
//! It makes the cluster's folder and credentials, binds the services' listeners and hands them on, starts the services
//! and the engines, and is told everything as an [`Event`]: one loop, one event at a time, no locks. Every child holds
//! the read end of a pipe whose write end only the supervisor has: however it dies, they see it and end.

mod asked;
mod cluster;
mod engines;
mod event;
mod launch;
mod membership;
mod process;
mod python;
mod ready;
mod requests;
mod service;
mod setup;
mod signals;

pub(crate) use cluster::run;
pub(crate) use ready::{Progress, Ready};

use std::{
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use crate::folder::ClusterName;

/// What to start.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) name: ClusterName,
    pub(crate) engines: u32,
    /// Runs the engines; found where it is not given.
    pub(crate) python: Option<PathBuf>,
    /// Where the engines run.
    pub(crate) work_dir: PathBuf,
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
    let mut out = std::io::stdout().lock();
    // Nobody reads any more, perhaps; the cluster goes on.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// The end of a log, to stand behind a message.
fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let end = &lines[lines.len().saturating_sub(LINES)..];
    if end.is_empty() {
        return format!("; its log, {}, is empty", log.display());
    }
    let end: String = end.iter().map(|line| format!("\n    {line}")).collect();
    format!("; the end of its log, {}:{end}", log.display())
}
