//! A child process that leads a process group, and a way to wait for its end that leaves its number in use.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::{
        fs::OpenOptionsExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use tokio::io::{Interest, unix::AsyncFd};

/// A running child. Until `reap` its pid is its own, so that a signal cannot reach a stranger.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Pid,
}

impl Process {
    /// Starts the command as the leader of a process group, its output appended to the log.
    pub(super) fn spawn(mut command: Command, log: &Path) -> io::Result<Self> {
        let log = open_log(log)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot write {}: {error}", log.display())))?;
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn()?;
        let group = Pid::from_child(&child);
        Ok(Self { child, group })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resolves when the process has ended. It stays a zombie until `reap`.
    pub(super) fn ended(&self) -> io::Result<impl Future<Output = ()> + Send + 'static> {
        let pidfd = pidfd_open(self.group, PidfdFlags::NONBLOCK)?;
        // SAFETY: the descriptor is owned by what watches it, which gives it to nobody and closes it last.
        let pidfd = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?;
        Ok(async move {
            // An error means that the event loop is going down, and this process with it.
            let _ = pidfd.readable().await;
        })
    }

    /// Signals the process itself; what it started it may treat as it likes.
    pub(super) fn signal(&self, signal: Signal) {
        // It can only have ended already, which will be seen.
        let _ = kill_process(self.group, signal);
    }

    /// Kills the process and what it started.
    pub(super) fn kill_group(&self) {
        // The group can only be gone already, which is as good.
        let _ = kill_process_group(self.group, Signal::KILL);
    }

    /// Kills what is left of an ended process's group and returns how it ended. Waits if it has not ended.
    pub(super) fn reap(mut self) -> io::Result<ExitStatus> {
        self.kill_group();
        self.child.wait()
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// "exit status 1", "killed by signal 9 (SIGKILL)".
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(number), _) => match signal_name(number) {
            Some(name) => format!("killed by signal {number} ({name})"),
            None => format!("killed by signal {number}"),
        },
        (None, Some(code)) => format!("exit status {code}"),
        (None, None) => status.to_string(),
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    const NAMES: [(Signal, &str); 10] = [
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::HUP, "SIGHUP"),
        (Signal::ILL, "SIGILL"),
        (Signal::INT, "SIGINT"),
        (Signal::KILL, "SIGKILL"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::TERM, "SIGTERM"),
    ];
    NAMES.iter().find(|(signal, _)| signal.as_raw() == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_leader_ends_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        // The grandchild outlives the leader, holding the pipe whose end shows when it is gone.
        let (read, write) = io::pipe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & echo started; kill -9 $$"]);
        use command_fds::{CommandFdExt as _, FdMapping};
        command.fd_mappings(vec![FdMapping { parent_fd: write.into(), child_fd: 3 }]).unwrap();
        let process = Process::spawn(command, &log).unwrap();
        process.ended().unwrap().await;
        let status = process.reap().unwrap();
        assert_eq!(describe(status), "killed by signal 9 (SIGKILL)");
        assert_eq!(std::fs::read_to_string(log).unwrap(), "started\n");
        assert_eq!(io::read_to_string(read).unwrap(), "");
    }
}
