//! Why an engine cannot be one.

use std::io;

use paraply_common::{
    connection::{ConnectionFileError, Role},
    transport::tls::TlsError,
};

/// Why an engine cannot start or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection file cannot be used.
    #[error(transparent)]
    ConnectionFile(#[from] ConnectionFileError),
    /// It opens something else.
    #[error("{path} is a connection file for the role {role:?}: an engine needs engine.json, which lies beside it")]
    Role {
        /// The file.
        path: String,
        /// What its token opens.
        role: Role,
    },
    /// A certificate without its key, or the reverse.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A user's label has a key that engines set themselves.
    #[error("the label '{0}' is set by the engine itself: choose another key")]
    ReservedLabel(String),
    /// The controller does not want this engine, and trying again does not help.
    #[error("the controller refuses this engine: {message}")]
    Refused {
        /// What it says.
        message: String,
    },
    /// It was asked to be what it cannot be.
    #[error("this cannot be an engine: {0}")]
    Engine(String),
    /// The system refuses something.
    #[error("cannot start the engine: {0}")]
    System(#[from] io::Error),
}
