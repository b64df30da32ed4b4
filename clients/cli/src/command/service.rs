//! What `paraply controller` and `paraply scheduler` have in common.

use std::{
    convert::Infallible,
    fs,
    os::fd::RawFd,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use clap::Args;
use paraply_common::{
    clock,
    config::{Credentials, Layers},
    heap, inherited,
    shutdown::{self, Shutdown},
    spawn::spawn,
    telemetry::{self, LogFormat},
    transport::{ListenError, Listener, tls::ServerTls},
};
use serde::de::DeserializeOwned;

use crate::{block_on, error::Error, open_files};

/// How often it is looked for files that are waited for.
const FILES_LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct ServiceFlags {
    /// TOML file with the settings, in a table of the service's name
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Listen on this address, without TLS a loopback one; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    listen: Vec<String>,

    /// Listen on a Unix socket at this path
    #[arg(long, value_name = "PATH")]
    socket: Vec<PathBuf>,

    /// Listen on a socket that the parent process has bound
    #[arg(long, value_name = "FD")]
    listen_fd: Vec<RawFd>,

    /// Wait for files of tokens, keys and certificates that are named and not there yet
    #[arg(long)]
    wait: bool,

    /// End when the other end of this pipe is closed
    #[arg(long, value_name = "FD")]
    parent_fd: Option<RawFd>,

    /// What to log, such as "info" or "info,paraply_scheduler=debug"
    #[arg(long, value_name = "FILTER", default_value = "info", env = "PARAPLY_LOG")]
    log: String,

    /// Log a JSON object a line
    #[arg(long)]
    log_json: bool,
}

/// Declares the settings of a service as flags, each overriding the environment and the file.
macro_rules! settings {
    ($name:ident { $($(#[$help:meta])* $key:ident,)* }) => {
        #[derive(Debug, clap::Args)]
        struct $name {
            $($(#[$help])* #[arg(long, value_name = "VALUE")] $key: Option<String>,)*
        }

        impl $name {
            /// Those that were given, by key.
            fn given(self) -> Vec<(&'static str, String)> {
                [$((stringify!($key), self.$key),)*].into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
            }
        }
    };
}
pub(super) use settings;

/// A configuration that says what its service shows and accepts.
pub(super) trait Guarded {
    fn credentials(&self) -> Credentials;
}

impl Guarded for paraply_controller::Config {
    fn credentials(&self) -> Credentials {
        self.credentials()
    }
}

impl Guarded for paraply_scheduler::Config {
    fn credentials(&self) -> Credentials {
        self.credentials()
    }
}

/// What a process does beside its service, as long as it lives.
pub(super) type Beside = Pin<Box<dyn Future<Output = Infallible> + Send>>;

/// Runs a service until a signal, or the end of its parent. `prepare` says what the process does beside it, and what else
/// the service gets.
pub(super) fn run<C, L, E, F>(
    section: &'static str,
    flags: ServiceFlags,
    settings: Vec<(&'static str, String)>,
    prepare: impl FnOnce(&C) -> Result<(Option<Beside>, L), Error>,
    service: impl FnOnce(C, Vec<Listener>, Shutdown, L) -> F,
) -> Result<(), Error>
where
    C: DeserializeOwned + Guarded,
    E: std::error::Error + Send + Sync + 'static,
    F: Future<Output = Result<(), E>>,
{
    heap::give_back_what_is_free();
    let format = if flags.log_json { LogFormat::Json } else { LogFormat::Text };
    telemetry::init(format, &flags.log).map_err(Error::service)?;
    open_files::raise();
    let layers = match &flags.config {
        Some(file) => Layers::new(section).file(file).map_err(Error::service)?,
        None => Layers::new(section),
    };
    let config: C = layers.environment().map_err(Error::service)?.flags(settings).load().map_err(Error::service)?;
    block_on(async {
        let credentials = config.credentials();
        let (beside, more) = prepare(&config)?;
        let _beside = beside.map(spawn);
        if flags.wait {
            tokio::select! {
                () = wait_for(credentials.files()) => {}
                // The first process of a container has to take signals itself.
                signalled = shutdown::signalled() => return signalled.map_err(Error::io("cannot take signals")),
            }
        }
        let tls = credentials.server_tls().map_err(Error::service)?;
        let listeners = flags.listeners(tls.as_ref()).map_err(Error::service)?;
        if listeners.is_empty() {
            return Err(Error::NowhereToListen);
        }
        let (stop, shutdown) = shutdown::shutdown(shutdown::GRACE);
        let parent =
            flags.parent_fd.map(inherited::take).transpose().and_then(|pipe| pipe.map(inherited::closed).transpose());
        let parent = parent.map_err(Error::io("--parent-fd"))?;
        let _stopping = spawn(async move {
            let parent_ended = async {
                match parent {
                    Some(closed) => closed.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                signalled = shutdown::signalled() => {
                    if let Err(error) = signalled {
                        tracing::error!(%error, "cannot take signals");
                    }
                }
                () = parent_ended => tracing::info!("the process that started this one has ended"),
            }
            stop.stop();
        });
        service(config, listeners, shutdown, more).await.map_err(Error::service)
    })
}

/// Until all are there, and have something in them: whoever makes them may come later.
async fn wait_for(files: Vec<PathBuf>) {
    let is_there = |file: &&PathBuf| fs::metadata(file).is_ok_and(|metadata| metadata.len() > 0);
    let mut told = Vec::new();
    loop {
        let missing: Vec<&PathBuf> = files.iter().filter(|file| !is_there(file)).collect();
        if missing.is_empty() {
            return;
        }
        if told != missing {
            tracing::warn!(?missing, "waiting for files that are not there yet");
            told = missing;
        }
        clock::sleep_until(clock::now() + FILES_LOOK).await;
    }
}

impl ServiceFlags {
    fn listeners(&self, tls: Option<&ServerTls>) -> Result<Vec<Listener>, ListenError> {
        let inherited = self.listen_fd.iter().map(|number| Listener::inherited(*number, tls.cloned()));
        let sockets = self.socket.iter().map(|path| Listener::unix(Path::new(path)));
        let addresses = self.listen.iter().map(|address| match tls {
            Some(tls) => Listener::tls(address, tls.clone()),
            None => Listener::tcp(address),
        });
        inherited.chain(sockets).chain(addresses).collect()
    }
}
