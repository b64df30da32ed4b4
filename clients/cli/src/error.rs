//! What can go wrong with a command, what to do about it, and the exit status that says it to a script.

use std::{io, path::PathBuf};

use paraply_common::{connection::ConnectionFileError, transport::MAX_SOCKET_PATH};

use crate::{cluster_client::ClientError, folder::ClusterName};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "cluster {0} is already running; stop it with `paraply stop {id} --profile {profile}`, \
         add engines to it with `paraply engines -n N`, or start another beside it with --cluster-id NAME",
        id = .0.id(), profile = .0.profile()
    )]
    AlreadyRunning(ClusterName),

    #[error("no cluster {0} is running; `paraply list` shows what is, `paraply start` starts one")]
    NotFound(ClusterName),

    #[error("no cluster of profile '{0}' is running; `paraply start --profile {0}` starts one")]
    NoneRunning(String),

    #[error("{what} '{value}' is not a name: use 1 to 64 letters, digits, '-', '_' and '.', and no '.' in front")]
    Name { what: &'static str, value: String },

    #[error("{path}: {source}; the folder or file is damaged, remove it", path = path.display())]
    Damaged { path: PathBuf, source: serde_json::Error },

    #[error(
        "the path of a socket under {path} would be longer than the {MAX_SOCKET_PATH} bytes that the system takes; set XDG_RUNTIME_DIR \
         to a shorter folder",
        path = .0.display()
    )]
    SocketPath(PathBuf),

    #[error("{path} belongs to another user or others can enter it; remove it, or set XDG_RUNTIME_DIR", path = .0.display())]
    UnsafeFolder(PathBuf),

    #[error("the cluster did not start: {0}")]
    Start(String),

    /// What the supervisor in the background failed with.
    #[error("{message}")]
    Background { exit_code: u8, message: String },

    #[error("cluster {name} answers: {message}")]
    Refused { name: ClusterName, message: String },

    #[error(transparent)]
    Connection(#[from] ConnectionFileError),

    #[error(transparent)]
    Client(#[from] ClientError),

    #[error("{context}: {source}")]
    Io { context: String, source: io::Error },

    #[error("nowhere to listen: pass --listen HOST:PORT (such as 127.0.0.1:7600), --socket PATH, or both")]
    NowhereToListen,

    #[error("the endpoint '{0}' is not of the form tls:HOST:PORT, which is what certificates are for")]
    NotTls(String),
    #[error("{address} answers that it is not serving; its log says why")]
    NotServing { address: String },

    #[error("{0}")]
    Compose(String),

    #[cfg(feature = "kubernetes")]
    #[error("{0}")]
    Kubernetes(String),

    #[error("{0}")]
    Service(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// For `map_err`: an I/O error with what was being done.
    pub(crate) fn io<E: Into<io::Error>>(context: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { context: context.into(), source: source.into() }
    }

    /// For `map_err`: what a service says, which says it all.
    pub(crate) fn service(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Service(Box::new(error))
    }

    /// What the process ends with: 10 and 11 are what ipyparallel's command answers for these two.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::AlreadyRunning(_) => 10,
            Self::Background { exit_code, .. } => *exit_code,
            Self::NotFound(_) | Self::NoneRunning(_) => 11,
            _ => 1,
        }
    }
}
