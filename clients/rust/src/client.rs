//! The client of a cluster.

use crate::{
    balanced::Balanced,
    connect::{Connect, ConnectError},
    direct::Direct,
    engine::Engine,
    error::SessionError,
    session::{Session, SessionEnd},
    targets::Targets,
};

/// A client: one session with one cluster. Cheap to clone; views, tasks and clones share the session, which survives
/// broken connections and restarts of the cluster's services. It ends when [`Client::close`] is called, or nobody holds
/// any of them.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = paraply::Client::connect().await?;
/// let root: f64 = client.balanced().apply("math:sqrt", (2.0,)).await?;
/// client.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    session: Session,
}

impl Client {
    pub(crate) fn new(session: Session) -> Self {
        Self { session }
    }

    /// Connects to the cluster that the environment names: at `PARAPLY_ADDRESS` with `PARAPLY_TOKEN`, else that of the
    /// connection file `PARAPLY_CONNECTION`, else the default cluster of this user on this machine.
    ///
    /// # Errors
    /// There is no such cluster, it does not answer within 10 seconds, or it refuses this client.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), paraply::ConnectError> {
    /// let client = paraply::Client::connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect() -> Result<Self, ConnectError> {
        Self::builder().connect().await
    }

    /// Connects to a cluster that is said.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), paraply::ConnectError> {
    /// let client = paraply::Client::builder().file("connection.json").connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> Connect {
        Connect::default()
    }

    /// The engines that are attached now, in order of their ids.
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// println!("{} engines", client.engines().len());
    /// # }
    /// ```
    #[must_use]
    pub fn engines(&self) -> Vec<Engine> {
        self.session.engines().iter().map(|info| Engine::of(info)).collect()
    }

    /// Waits until at least so many engines are attached.
    ///
    /// # Errors
    /// The session is over.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::SessionError> {
    /// client.wait_for_engines(4).await
    /// # }
    /// ```
    pub async fn wait_for_engines(&self, least: usize) -> Result<(), SessionError> {
        self.session.engines_are(least).await
    }

    /// A view of the engines named, for calls on each of them.
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// let view = client.direct([0, 1]);
    /// # }
    /// ```
    pub fn direct(&self, targets: impl Into<Targets>) -> Direct {
        Direct::new(self.session.clone(), targets.into())
    }

    /// A view of all engines that are attached when a call is made: what a call takes along is sent and kept once.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// client.broadcast().execute("import numpy as np").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast(&self) -> Direct {
        self.direct(Targets::All)
    }

    /// A view of the cluster in which each task runs wherever there is room.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// let root: f64 = client.balanced().apply("math:sqrt", (2.0,)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn balanced(&self) -> Balanced {
        Balanced::new(self.session.clone())
    }

    pub(crate) fn end(&self) -> SessionEnd {
        self.session.end()
    }

    /// Ends the session. Tasks whose handles were detached are left to run, once the scheduler has all calls that were
    /// made; handles that are still there fail with [`SessionError::Closed`]. Takes 10 seconds at the most.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) {
    /// client.close().await;
    /// # }
    /// ```
    pub async fn close(self) {
        self.session.close().await;
    }
}
