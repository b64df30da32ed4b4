//! What `paraply controller` and `paraply scheduler` have in common.

use std::{
    os::fd::RawFd,
    path::{Path, PathBuf},
};

use clap::Args;
use paraply_common::{
    config::Layers,
    heap, inherited,
    shutdown::{self, Shutdown},
    spawn::spawn,
    telemetry::{self, LogFormat},
    transport::{ListenError, Listener},
};
use serde::de::DeserializeOwned;

use crate::{block_on, error::Error, open_files};

#[derive(Debug, Args)]
pub(crate) struct ServiceFlags {
    /// TOML file with the settings, in a table of the service's name
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Listen on this loopback address; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    listen: Vec<String>,

    /// Listen on a Unix socket at this path
    #[arg(long, value_name = "PATH")]
    socket: Vec<PathBuf>,

    /// Listen on a socket that the parent process has bound
    #[arg(long, value_name = "FD")]
    listen_fd: Vec<RawFd>,

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

/// Runs a service until a signal, or the end of its parent.
pub(super) fn run<C, E, F>(
    section: &'static str,
    flags: ServiceFlags,
    settings: Vec<(&'static str, String)>,
    service: impl FnOnce(C, Vec<Listener>, Shutdown) -> F,
) -> Result<(), Error>
where
    C: DeserializeOwned,
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
        let listeners = flags.listeners().map_err(Error::service)?;
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
        service(config, listeners, shutdown).await.map_err(Error::service)
    })
}

impl ServiceFlags {
    fn listeners(&self) -> Result<Vec<Listener>, ListenError> {
        let inherited = self.listen_fd.iter().map(|number| Listener::inherited(*number));
        let sockets = self.socket.iter().map(|path| Listener::unix(Path::new(path)));
        let addresses = self.listen.iter().map(|address| Listener::tcp(address));
        inherited.chain(sockets).chain(addresses).collect()
    }
}
