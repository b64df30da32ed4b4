//! What an engine is told at its start.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use paraply_common::{
    connection::{ConnectionFile, Role},
    peer,
    telemetry::Spans,
    transport::tls::{ClientTls, TlsError, TlsSettings},
};
use paraply_core::{engine_session, id::Incarnation};
use paraply_proto::common::v1::PeerInfo;
use tonic::metadata::{Ascii, MetadataValue};

use crate::error::Error;

/// Output kept for one task until the scheduler says what its limit is, in bytes a stream.
const OUTPUT_BYTES: u64 = 1 << 20;

/// Results kept until they are read, in bytes.
const RESULT_BYTES: u64 = 2 << 30;

/// What an engine says of itself.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// "3.11.7"; empty where it runs no Python.
    pub python_version: String,
    /// The id to ask for, such as an MPI rank.
    pub engine_id: Option<u32>,
    /// For people and for placement: what [`labelled`](crate::labelled) gives.
    pub labels: Vec<(String, String)>,
}

/// Everything that an engine needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the cluster is, and the token to it. Read again when the controller is looked for.
    pub connection: ConnectionFile,
    /// The file that `connection` came from.
    pub path: PathBuf,
    /// What it trusts and shows beyond what `connection` says.
    pub tls: TlsSettings,
    /// What the engine says of itself.
    pub identity: Identity,
    /// This process: random.
    pub incarnation: Incarnation,
    /// How long a running task may go on after SIGTERM.
    pub stop_grace: Duration,
    /// How long to wait for SIGTERM after a drain that the cluster has ordered. Whoever starts the engine again when it ends
    /// has this time to end it instead.
    pub linger: Duration,
    /// Output kept for one task until the scheduler says otherwise, in bytes a stream.
    pub output_bytes: u64,
    /// Bytes of results kept here until their clients have read them; what has no room goes into the scheduler's store.
    pub result_bytes: u64,
    /// Limits and times of the machine.
    pub session: engine_session::Config,
    /// Where spans of traced tasks go, if anywhere.
    pub spans: Option<Spans>,
}

impl Config {
    /// Reads a connection file and draws an incarnation.
    ///
    /// # Errors
    /// If the file cannot be used by an engine, a certificate has no key, or the system has no randomness to give.
    pub fn read(path: &Path, tls: TlsSettings, identity: Identity, stop_grace: Duration) -> Result<Self, Error> {
        // Tasks may go to another folder, and the files are read again.
        let path = std::path::absolute(path)?;
        let tls = tls.absolute()?;
        let connection = read_engine_file(&path)?;
        tls.client("engine", None)?;
        let incarnation = Incarnation(0);
        let session = engine_session::Config::default();
        let (output_bytes, result_bytes) = (OUTPUT_BYTES, RESULT_BYTES);
        let read = Self {
            connection,
            path,
            tls,
            identity,
            incarnation,
            stop_grace,
            linger: Duration::ZERO,
            output_bytes,
            result_bytes,
            session,
            spans: None,
        };
        read.again()
    }

    /// The same for another engine.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub(crate) fn again(&self) -> Result<Self, Error> {
        let mut again = Self { incarnation: Incarnation(random()?), ..self.clone() };
        again.session.dial.jitter_seed = again.incarnation.0 as u64;
        Ok(again)
    }

    /// What it trusts and shows where it dials.
    pub(crate) fn client_tls(&self) -> Result<ClientTls, TlsError> {
        self.tls.client("engine", self.connection.ca.as_deref())
    }

    /// What the engine's messages say of it.
    pub(crate) fn peer(&self) -> PeerInfo {
        PeerInfo { python_version: self.identity.python_version.clone(), ..peer::this_process("paraply-engine") }
    }
}

/// A connection file whose token opens what engines need.
pub(crate) fn read_engine_file(path: &Path) -> Result<ConnectionFile, Error> {
    let connection = ConnectionFile::read(path)?;
    match connection.role {
        Role::Engine => Ok(connection),
        role @ (Role::Client | Role::Admin) => Err(Error::Role { path: path.display().to_string(), role }),
    }
}

/// The header that carries the token.
pub(crate) fn bearer(connection: &ConnectionFile) -> Option<MetadataValue<Ascii>> {
    format!("Bearer {}", connection.token.expose()).parse().ok()
}

/// 128 random bits.
pub(crate) fn random() -> std::io::Result<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(u128::from_be_bytes(bytes))
}
