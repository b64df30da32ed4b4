//! How the processes of a cluster are started: their command lines, descriptors, environment and logs.

use std::{
    env, io,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
    thread::available_parallelism,
};

use command_fds::{CommandFdExt as _, FdMapping};

use rustix::process::{Resource, Rlimit, setrlimit};

use super::{process::Process, python, service::Role, setup::Listeners};
use crate::folder::ClusterFolder;

/// Where children find what they inherit.
const PARENT: i32 = 3;
const LISTENERS: [i32; 2] = [4, 5];
const ADMIN: i32 = 6;

/// Libraries that start a thread for each core, each engine of many on the same cores.
const THREADS: [&str; 3] = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];

/// Settings of services that say which cluster they belong to: what this process has inherited of them is of another.
const OF_ONE_CLUSTER: [&str; 23] = [
    "CLUSTER_ID",
    "CLIENT_TOKEN",
    "CLIENT_TOKEN_FILE",
    "ENGINE_TOKEN",
    "ENGINE_TOKEN_FILE",
    "ADMIN_TOKEN",
    "ADMIN_TOKEN_FILE",
    "TICKET_KEY",
    "TICKET_KEY_FILE",
    "TLS_CERT_FILE",
    "TLS_KEY_FILE",
    "TLS_CA_FILE",
    "TLS_CLIENT_CA_FILE",
    "ADVERTISE",
    "STATE_DIR",
    "BLOB_DIR",
    "CONTROLLER",
    "AUTOSCALE_MIN",
    "AUTOSCALE_MAX",
    "AUTOSCALE_IDLE_MILLIS",
    "AUTOSCALE_BEGUN",
    "SCALER",
    "SCALER_CLIENT_CA_FILE",
];

/// What tells clients, and engines, of a cluster, when it is not this one.
const OF_CLIENTS: [&str; 10] = [
    "PARAPLY_ADDRESS",
    "PARAPLY_TOKEN",
    "PARAPLY_ADMIN_TOKEN",
    "PARAPLY_SERVER_NAME",
    "PARAPLY_CA",
    "PARAPLY_CERT",
    "PARAPLY_KEY",
    "PARAPLY_ENGINE_TLS_CA_FILE",
    "PARAPLY_ENGINE_TLS_CERT_FILE",
    "PARAPLY_ENGINE_TLS_KEY_FILE",
];

/// Starts the processes of one cluster.
#[derive(Debug)]
pub(super) struct Launcher {
    /// This program, which is the services too.
    program: PathBuf,
    python: PathBuf,
    work_dir: PathBuf,
    folder: ClusterFolder,
    /// The read end of the pipe whose write end only the supervisor has.
    parent: OwnedFd,
    /// What users' programs get.
    open_files: Rlimit,
}

impl Launcher {
    pub(super) fn new(
        python: PathBuf,
        work_dir: PathBuf,
        folder: ClusterFolder,
        parent: OwnedFd,
        open_files: Rlimit,
    ) -> io::Result<Self> {
        Ok(Self { program: env::current_exe()?, python, work_dir, folder, parent, open_files })
    }

    pub(super) fn python(&self) -> &Path {
        &self.python
    }

    pub(super) fn service(&self, role: Role, listeners: &Listeners) -> io::Result<Process> {
        let mut command = Command::new(&self.program);
        command.arg(role.name()).arg("--config").arg(self.folder.config());
        for setting in OF_ONE_CLUSTER {
            command.env_remove(format!("PARAPLY_{}_{setting}", role.name().to_ascii_uppercase()));
        }
        let mut mappings = vec![self.parent_mapping()?];
        for (descriptor, child_fd) in listeners.descriptors()?.into_iter().zip(LISTENERS) {
            command.arg("--listen-fd").arg(child_fd.to_string());
            mappings.push(FdMapping { parent_fd: descriptor, child_fd });
        }
        if let Some(parent_fd) = listeners.admin()? {
            command.arg("--admin").arg(format!("fd:{ADMIN}"));
            mappings.push(FdMapping { parent_fd, child_fd: ADMIN });
        }
        self.spawn(command, mappings, &self.folder.log(role.name()))
    }

    /// An engine that shares the machine with others, `engines` in all. The error says what to do about it.
    pub(super) fn engine(&self, log: &Path, engines: usize) -> Result<Process, String> {
        if !self.work_dir.is_dir() {
            return Err(format!("{}, the folder in which engines run, is not there", self.work_dir.display()));
        }
        let mut command = Command::new(&self.python);
        command.args(["-m", "paraply.engine", "--connection"]).arg(self.folder.engine_connection());
        command.current_dir(&self.work_dir);
        // `Client()` in an engine means the engine's own cluster.
        command.env("PARAPLY_CONNECTION", self.folder.connection());
        for of_another in OF_CLIENTS {
            command.env_remove(of_another);
        }
        let threads = threads_each(available_parallelism().map_or(1, usize::from), engines).to_string();
        for variable in THREADS.iter().filter(|variable| env::var_os(variable).is_none()) {
            command.env(variable, &threads);
        }
        let open_files = self.open_files;
        // SAFETY: setrlimit is async-signal-safe, and nothing else happens.
        unsafe { command.pre_exec(move || Ok(setrlimit(Resource::Nofile, open_files)?)) };
        let process = self.parent_mapping().and_then(|parent| self.spawn(command, vec![parent], log));
        process.map_err(|error| python::cannot_start(&self.python, &error))
    }

    fn parent_mapping(&self) -> io::Result<FdMapping> {
        Ok(FdMapping { parent_fd: self.parent.try_clone()?, child_fd: PARENT })
    }

    fn spawn(&self, mut command: Command, mappings: Vec<FdMapping>, log: &Path) -> io::Result<Process> {
        command.arg("--parent-fd").arg(PARENT.to_string());
        command.fd_mappings(mappings).map_err(io::Error::other)?;
        Process::spawn(command, log)
    }
}

/// The cores divided among the engines, one at least.
fn threads_each(cores: usize, engines: usize) -> usize {
    (cores / engines.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_share_the_cores() {
        let shares: Vec<_> = [(8, 4), (8, 3), (2, 4), (1, 0)].map(|(cores, n)| threads_each(cores, n)).to_vec();
        assert_eq!(shares, [2, 2, 1, 1]);
    }
}
