//! `paraply start`: a cluster on this machine, in the foreground or not.

use std::{
    env,
    fs::File,
    io::{self, BufRead as _, BufReader},
    os::{fd::RawFd, unix::fs::OpenOptionsExt as _},
    path::{PathBuf, absolute},
    process::{Command, Stdio},
    thread::available_parallelism,
    time::Duration,
};

use clap::{Args, ValueEnum};
use command_fds::{CommandFdExt as _, FdMapping};
use paraply_common::inherited;
use rustix::io::Errno;

use crate::{
    autoscale::{self, Autoscale, Bounds},
    block_on,
    error::Error,
    folder::{ClusterFolder, ClusterName, DEFAULT},
    supervisor::{
        self, MOST_ENGINES, Options, Progress, Ready,
        remote::{self, Place},
    },
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paraply start -n 4
  paraply start -n 8 --profile mpi --daemonize
  paraply start -n 2 --autoscale 0:8 --idle 300
  paraply start -n 4 --admin
  paraply start -n 2 --cluster-id second --python ~/venvs/science/bin/python
  paraply start -n 8 --launcher docker
  paraply start -n 40 --launcher kubernetes --image-prefix registry.example/

Ctrl-C stops the cluster, a second Ctrl-C kills it.")]
pub(crate) struct Start {
    /// Engines to start [default: one for each core]
    #[arg(short, long = "engines", value_name = "ENGINES", value_parser = clap::value_parser!(u32).range(0..=i64::from(MOST_ENGINES)))]
    n: Option<u32>,

    /// Start engines when tasks wait, and let idle ones go: MIN at the least, MAX at the most
    #[arg(long, value_name = "MIN:MAX")]
    autoscale: Option<Bounds>,

    /// Seconds that an engine has nothing to do until it goes [default: 60]
    #[arg(long, value_name = "SECONDS", requires = "autoscale", value_parser = autoscale::idle)]
    idle: Option<Duration>,

    /// Profile to start it in
    #[arg(long, default_value = DEFAULT, env = "PARAPLY_PROFILE")]
    profile: String,

    /// Name of the cluster, among those of its profile
    #[arg(long, default_value = DEFAULT)]
    cluster_id: String,

    /// Return when the cluster is ready, and let it run in the background
    #[arg(long)]
    daemonize: bool,

    /// What runs the cluster: processes or containers of this machine, or pods of the cluster of your kubeconfig
    #[arg(long, value_enum, default_value_t)]
    launcher: Launcher,

    #[cfg(feature = "kubernetes")]
    #[command(flatten)]
    kubernetes: crate::kubernetes::StartFlags,

    /// Python that runs the engines [default: the one beside this program, else python3]
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,

    /// Folder in which engines run [default: this one]
    #[arg(long, value_name = "FOLDER")]
    work_dir: Option<PathBuf>,

    /// Show metrics and health of controller and scheduler to this machine, each on a free port
    #[arg(long)]
    admin: bool,

    /// For programs: end the cluster when the other end of this pipe is closed
    #[arg(long, value_name = "FD", hide = true, conflicts_with = "daemonize")]
    parent_fd: Option<RawFd>,

    /// For programs: say there, in lines of JSON, how far the start is
    #[arg(long, value_name = "FD", hide = true, conflicts_with = "daemonize")]
    ready_fd: Option<RawFd>,

    /// For programs: leave no logs behind if all went well
    #[arg(long, hide = true)]
    ephemeral: bool,
}

/// See [`Start`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Launcher {
    #[default]
    Local,
    Docker,
    #[cfg(feature = "kubernetes")]
    Kubernetes,
}

impl Start {
    pub(crate) fn run(self) -> Result<(), Error> {
        self.check()?;
        if self.daemonize { self.in_background() } else { self.in_foreground() }
    }

    /// What is said of processes here says nothing of containers.
    fn check(&self) -> Result<(), Error> {
        let local = self.launcher == Launcher::Local;
        let flags = [
            ("--python", self.python.is_some()),
            ("--work-dir", self.work_dir.is_some()),
            ("--admin", self.admin),
            ("--autoscale", self.autoscale.is_some()),
        ];
        match flags.iter().find(|(_, given)| *given && !local) {
            Some((flag, _)) => Err(Error::Start(format!("{flag} is for clusters of processes (--launcher local)"))),
            None => Ok(()),
        }
    }

    fn in_foreground(self) -> Result<(), Error> {
        let mut ready = match self.ready_fd {
            Some(number) => Ready::to(inherited::take(number).map_err(Error::io("--ready-fd"))?),
            None => Ready::default(),
        };
        let in_background = self.ready_fd.is_some();
        let make = self.place();
        let outcome = self.options().and_then(|options| {
            if in_background {
                detach(&options)?;
            }
            match make {
                Some(make) => block_on(remote::run(options, make, &mut ready)),
                None => block_on(supervisor::run(options, &mut ready)),
            }
        });
        if let Err(error) = &outcome {
            let failed = Progress::Failed { exit_code: error.exit_code(), message: error.to_string() };
            // Whoever started the cluster may have gone.
            let _ = ready.tell_last(&failed);
        }
        outcome
    }

    /// Where it is to run, if that is not here.
    fn place(&self) -> Option<Box<remote::Make>> {
        match self.launcher {
            Launcher::Local => None,
            Launcher::Docker => Some(Box::new(Place::docker)),
            #[cfg(feature = "kubernetes")]
            Launcher::Kubernetes => {
                let flags = self.kubernetes.clone();
                Some(Box::new(move |folder| Ok(Place::Kubernetes(flags.namespace(folder.name().id())))))
            }
        }
    }

    /// Engines to start with: what is scaled begins within its bounds.
    fn engines(&self) -> u32 {
        let engines = self.n.unwrap_or_else(cores);
        self.autoscale.map_or(engines, |bounds| bounds.nearest(engines))
    }

    fn options(self) -> Result<Options, Error> {
        let engines = self.engines();
        let work_dir = match self.work_dir {
            Some(folder) => folder.canonicalize().map_err(Error::io(format!("--work-dir {}", folder.display())))?,
            None => env::current_dir().map_err(Error::io("the current folder"))?,
        };
        let parent = self.parent_fd.map(inherited::take).transpose().map_err(Error::io("--parent-fd"))?;
        Ok(Options {
            name: ClusterName::new(&self.profile, &self.cluster_id)?,
            engines,
            autoscale: self.autoscale.map(|bounds| Autoscale::new(bounds, self.idle)),
            python: self.python.map(found_from_here).transpose().map_err(Error::io("--python"))?,
            work_dir,
            admin: self.admin,
            ephemeral: self.ephemeral,
            parent,
        })
    }

    /// Starts this program again without a terminal, and waits for what it says.
    fn in_background(self) -> Result<(), Error> {
        /// Where the child finds the pipe.
        const READY: RawFd = 3;
        let engines = self.engines().to_string();
        let (read, write) = io::pipe().map_err(Error::io("cannot make a pipe"))?;
        let mut command = Command::new(env::current_exe().map_err(Error::io("cannot find this program"))?);
        command.args(["start", "--engines", &engines, "--profile", &self.profile, "--cluster-id", &self.cluster_id]);
        command.args(["--ready-fd", &READY.to_string()]);
        if let Some(launcher) = self.launcher.to_possible_value() {
            command.args(["--launcher", launcher.get_name()]);
        }
        #[cfg(feature = "kubernetes")]
        command.args(self.kubernetes.arguments());
        for (flag, given) in [("--ephemeral", self.ephemeral), ("--admin", self.admin)] {
            if given {
                command.arg(flag);
            }
        }
        if let Some(Bounds { min, max }) = self.autoscale {
            command.arg("--autoscale").arg(format!("{min}:{max}"));
        }
        if let Some(idle) = self.idle {
            command.arg("--idle").arg(idle.as_secs_f64().to_string());
        }
        for (flag, value) in [("--python", &self.python), ("--work-dir", &self.work_dir)] {
            if let Some(value) = value {
                command.arg(flag).arg(value);
            }
        }
        let mapping = FdMapping { parent_fd: write.into(), child_fd: READY };
        command.fd_mappings(vec![mapping]).map_err(|error| Error::io("--daemonize")(io::Error::other(error)))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(Error::io("cannot start the cluster's supervisor"))?;
        // The command has the child's end until it is dropped.
        drop(command);

        for line in BufReader::new(read).lines() {
            let line = line.map_err(Error::io("the cluster's supervisor"))?;
            match serde_json::from_str(&line) {
                Ok(Progress::Starting { .. }) => {}
                Ok(Progress::Ready { engine_ids }) => {
                    println!(
                        "Cluster {} runs with {}. In Python: import paraply; rc = paraply.Client()\n\
                         It ends with: paraply stop {} --profile {}",
                        ClusterName::new(&self.profile, &self.cluster_id)?,
                        supervisor::count(engine_ids.len()),
                        self.cluster_id,
                        self.profile,
                    );
                    return Ok(());
                }
                Ok(Progress::Failed { exit_code, message }) => return Err(Error::Background { exit_code, message }),
                Err(error) => return Err(Error::Start(format!("its supervisor said {line:?}: {error}"))),
            }
        }
        let status = child.wait_with_output().map_err(Error::io("the cluster's supervisor"))?.status;
        Err(Error::Start(format!("its supervisor ended ({status}) without a word")))
    }
}

fn cores() -> u32 {
    available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

/// Engines run in another folder. What has no folder in its name is looked for in `PATH`, wherever they run.
fn found_from_here(python: PathBuf) -> io::Result<PathBuf> {
    if python.components().count() > 1 { absolute(python) } else { Ok(python) }
}

/// Leaves the terminal: a session of its own, and output to the cluster's log.
fn detach(options: &Options) -> Result<(), Error> {
    match rustix::process::setsid() {
        // Whoever started this has done it.
        Ok(_) | Err(Errno::PERM) => {}
        Err(error) => return Err(Error::io("cannot leave the terminal")(error)),
    }
    let folder = ClusterFolder::of(options.name.clone())?;
    folder.create()?;
    let path = folder.log("supervisor");
    let redirect = || {
        let log = File::options().create(true).append(true).mode(0o600).open(&path)?;
        rustix::stdio::dup2_stdout(&log)?;
        rustix::stdio::dup2_stderr(&log)?;
        io::Result::Ok(())
    };
    redirect().map_err(Error::io(format!("cannot write {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_from_here_and_a_bare_name_from_the_search_path() {
        let here = env::current_dir().unwrap();
        assert_eq!(found_from_here("bin/python".into()).unwrap(), here.join("bin/python"));
        assert_eq!(found_from_here("./python".into()).unwrap(), here.join("python"));
        assert_eq!(found_from_here("/usr/bin/python".into()).unwrap(), PathBuf::from("/usr/bin/python"));
        assert_eq!(found_from_here("python3.11".into()).unwrap(), PathBuf::from("python3.11"));
    }
}
