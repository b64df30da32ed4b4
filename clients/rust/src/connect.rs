//! Asking for a cluster.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use paraply_common::{
    clock,
    connection::ConnectionFileError,
    transport::{DialError, tls::TlsError},
};

use crate::{client::Client, find, session::Session};

/// How long connecting may take unless something else is asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which cluster, and how to be its client. Made by [`Client::builder`].
///
/// ```no_run
/// # async fn example() -> Result<(), paraply::ConnectError> {
/// let client = paraply::Client::builder().profile("lab").label("nightly").connect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is connected before `connect`"]
pub struct Connect {
    wanted: Wanted,
    label: String,
    cancel_on_disconnect: bool,
    timeout: Option<Duration>,
}

/// Which cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) file: Option<PathBuf>,
    pub(crate) address: Option<(String, Unchecked)>,
    pub(crate) profile: Option<String>,
    pub(crate) cluster: Option<String>,
}

/// What may be a token, and is never shown.
#[derive(Clone)]
pub(crate) struct Unchecked(pub(crate) String);

impl fmt::Debug for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a token)")
    }
}

impl Connect {
    /// The cluster of this connection file, which is waited for if it is not there yet.
    ///
    /// ```
    /// let asked = paraply::Client::builder().file("/run/paraply/connection.json");
    /// ```
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.wanted.file = Some(path.as_ref().to_owned());
        self
    }

    /// The cluster at an address, `host:port`, `tls:host:port` or `unix:/path`, with its client token. Whom `tls:` trusts,
    /// and what it shows, `PARAPLY_CA`, `PARAPLY_SERVER_NAME`, `PARAPLY_CERT` and `PARAPLY_KEY` say.
    ///
    /// ```
    /// let asked = paraply::Client::builder().address("tls:paraply.example:443", "0123456789abcdef");
    /// ```
    pub fn address(mut self, address: impl Into<String>, token: impl Into<String>) -> Self {
        self.wanted.address = Some((address.into(), Unchecked(token.into())));
        self
    }

    /// A cluster of this profile, whatever the environment says.
    ///
    /// ```
    /// let asked = paraply::Client::builder().profile("lab");
    /// ```
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.wanted.profile = Some(profile.into());
        self
    }

    /// The cluster of this id in its profile, whatever the environment says.
    ///
    /// ```
    /// let asked = paraply::Client::builder().cluster("mpi");
    /// ```
    pub fn cluster(mut self, id: impl Into<String>) -> Self {
        self.wanted.cluster = Some(id.into());
        self
    }

    /// What `paraply status` shows of this client.
    ///
    /// ```
    /// let asked = paraply::Client::builder().label("nightly");
    /// ```
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Has tasks that wait aborted when this process vanishes. Without it they run, and their results are kept for a while.
    ///
    /// ```
    /// let asked = paraply::Client::builder().cancel_on_disconnect();
    /// ```
    pub fn cancel_on_disconnect(mut self) -> Self {
        self.cancel_on_disconnect = true;
        self
    }

    /// How long connecting may take: 10 seconds, unless this says otherwise.
    ///
    /// ```
    /// let asked = paraply::Client::builder().timeout(std::time::Duration::from_secs(60));
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Connects. The session lives on the runtime that this is called on.
    ///
    /// # Errors
    /// There is no such cluster, it does not answer in time, or it refuses this client.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), paraply::ConnectError> {
    /// let client = paraply::Client::builder().connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let end = clock::now() + self.timeout.unwrap_or(PATIENCE);
        let place = find::find(&self.wanted, end).await?;
        let session = Session::open(place, self.label, self.cancel_on_disconnect, end).await?;
        Ok(Client::new(session))
    }
}

/// Why there is no connection to a cluster.
///
/// ```no_run
/// # async fn example() {
/// match paraply::Client::connect().await {
///     Err(paraply::ConnectError::NoCluster(file)) => println!("{} is not there", file.display()),
///     Err(other) => println!("{other}"),
///     Ok(client) => client.close().await,
/// }
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No connection file.
    #[error("connection file {0:?} not found; is a cluster running? Start one with `paraply start -n 4`")]
    NoCluster(PathBuf),
    /// There is a connection file, and nobody at its addresses.
    #[error("the cluster of {file:?} does not answer ({error}); start one with `paraply start -n 4`")]
    Gone {
        /// The file.
        file: PathBuf,
        /// What was tried.
        #[source]
        error: DialError,
    },
    /// The connection file cannot be used.
    #[error(transparent)]
    File(#[from] ConnectionFileError),
    /// It is the one that engines use.
    #[error("{0:?} is the file for engines; clients use the connection.json beside it")]
    EngineFile(PathBuf),
    /// It is no address.
    #[error("{0:?} is no address: write host:port, tls:host:port or unix:/path")]
    Address(String),
    /// It is no token.
    #[error("the client token cannot be used: {0}")]
    Token(String),
    /// The environment has an address and no token.
    #[error("PARAPLY_ADDRESS is set and PARAPLY_TOKEN is not: set it to the cluster's client token")]
    NoToken,
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody answered in time.
    #[error("no cluster answers at the addresses of {place} ({problem}); is it running? (`paraply list`)")]
    Unreachable {
        /// Where the addresses are from.
        place: String,
        /// What went wrong last.
        problem: String,
    },
    /// Whoever answered does not take this client.
    #[error(transparent)]
    Refused(#[from] crate::error::SessionError),
    /// The system refused something.
    #[error("{0}")]
    System(#[from] io::Error),
}
