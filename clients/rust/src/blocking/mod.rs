//! The client without `async`: the same views, whose calls are waited for with `wait`.
//!
//! A client has a thread of its own. It is not for use in asynchronous code.
//!
//! ```no_run
//! use paraply::blocking::Client;
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect()?;
//! let root: f64 = client.balanced().apply("math:sqrt", (2.0,)).wait()?;
//! for root in client.balanced().map::<f64, _>("math:sqrt", 0..1000) {
//!     println!("{}", root?);
//! }
//! # Ok(())
//! # }
//! ```

mod background;
mod task;
mod view;

use std::sync::Arc;

use self::background::Background;
pub use self::{
    task::{Map, Outputs, Task, Tasks},
    view::{Balanced, Direct},
};
use crate::{
    connect::{Connect, ConnectError},
    engine::Engine,
    error::SessionError,
    targets::Targets,
};

/// A client. See [`crate::Client`].
///
/// ```no_run
/// # fn example() -> Result<(), paraply::ConnectError> {
/// let client = paraply::blocking::Client::connect()?;
/// println!("{} engines", client.engines().len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    client: crate::Client,
    background: Arc<Background>,
}

impl Client {
    /// Connects to the cluster that the environment names. See [`crate::Client::connect`].
    ///
    /// # Errors
    /// There is no such cluster, it does not answer within 10 seconds, or it refuses this client.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), paraply::ConnectError> {
    /// let client = paraply::blocking::Client::connect()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect() -> Result<Self, ConnectError> {
        Self::connect_to(crate::Client::builder())
    }

    /// Connects to a cluster that is said.
    ///
    /// # Errors
    /// As [`Connect::connect`].
    ///
    /// ```no_run
    /// # fn example() -> Result<(), paraply::ConnectError> {
    /// let asked = paraply::Client::builder().file("connection.json");
    /// let client = paraply::blocking::Client::connect_to(asked)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect_to(asked: Connect) -> Result<Self, ConnectError> {
        let runtime = background::runtime()?;
        let client = match runtime.block_on(asked.connect()) {
            Ok(client) => client,
            Err(error) => {
                // A name that is being looked up is not waited for.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let background = Arc::new(Background::new(runtime, client.end()));
        Ok(Self { client, background })
    }

    /// The engines that are attached now, in order of their ids.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) {
    /// println!("{} engines", client.engines().len());
    /// # }
    /// ```
    #[must_use]
    pub fn engines(&self) -> Vec<Engine> {
        self.client.engines()
    }

    /// Waits until at least so many engines are attached.
    ///
    /// # Errors
    /// The session is over.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::SessionError> {
    /// client.wait_for_engines(4)
    /// # }
    /// ```
    pub fn wait_for_engines(&self, least: usize) -> Result<(), SessionError> {
        self.background.wait(self.client.wait_for_engines(least))
    }

    /// A view of the engines named. See [`crate::Client::direct`].
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) {
    /// let view = client.direct([0, 1]);
    /// # }
    /// ```
    pub fn direct(&self, targets: impl Into<Targets>) -> Direct {
        Direct::new(self.client.direct(targets), Arc::clone(&self.background))
    }

    /// A view of all engines that are attached when a call is made. See [`crate::Client::broadcast`].
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// client.broadcast().execute("import numpy as np").wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast(&self) -> Direct {
        self.direct(Targets::All)
    }

    /// A view of the cluster in which each task runs wherever there is room. See [`crate::Client::balanced`].
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// let root: f64 = client.balanced().apply("math:sqrt", (2.0,)).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn balanced(&self) -> Balanced {
        Balanced::new(self.client.balanced(), Arc::clone(&self.background))
    }

    /// Ends the session. See [`crate::Client::close`].
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) {
    /// client.close();
    /// # }
    /// ```
    pub fn close(self) {
        let Self { client, background } = self;
        background.wait(client.close());
    }
}
