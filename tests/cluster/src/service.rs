//! A service on a thread with a runtime of its own, as in its process.

use std::{
    path::Path,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use paraply_common::{
    shutdown::{Shutdown, Stop, shutdown},
    transport::{Listener, address},
};
use paraply_core::membership::Endpoint;
use tokio::{runtime::Builder, sync::oneshot};

/// A running service. Dropping it kills it.
#[derive(Debug)]
pub struct Service {
    /// Where it is: a Unix socket and a port.
    pub endpoints: Vec<Endpoint>,
    stop: Stop,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl Service {
    /// Starts what `run` runs, on a Unix socket at `socket` and on `port` (0: a free one).
    pub fn start<F, E>(
        socket: &Path,
        port: u16,
        grace: Duration,
        run: impl FnOnce(Vec<Listener>, Shutdown) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>>,
        E: std::fmt::Display,
    {
        Self::start_on(Builder::new_current_thread(), socket, port, grace, run)
    }

    /// The same on a runtime of two threads, for tests in which one of them is stuck.
    pub fn start_on_two_threads<F, E>(
        socket: &Path,
        grace: Duration,
        run: impl FnOnce(Vec<Listener>, Shutdown) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>>,
        E: std::fmt::Display,
    {
        let mut runtime = Builder::new_multi_thread();
        runtime.worker_threads(2);
        Self::start_on(runtime, socket, 0, grace, run)
    }

    fn start_on<F, E>(
        mut runtime: Builder,
        socket: &Path,
        port: u16,
        grace: Duration,
        run: impl FnOnce(Vec<Listener>, Shutdown) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>>,
        E: std::fmt::Display,
    {
        let (stop, stopped) = shutdown(grace);
        let (kill, killed) = oneshot::channel();
        let (ready, endpoints) = mpsc::channel();
        let socket = socket.to_owned();
        let serve = move || async move {
            let listeners =
                vec![Listener::unix(&socket).unwrap(), Listener::tcp(&format!("127.0.0.1:{port}")).unwrap()];
            ready.send(listeners.iter().filter_map(Listener::endpoint).collect()).unwrap();
            tokio::select! {
                result = run(listeners, stopped) => result.map_err(|error| error.to_string()),
                _ = killed => Ok(()),
            }
        };
        let thread = thread::spawn(move || runtime.enable_all().build().unwrap().block_on(serve()));
        let endpoints = endpoints.recv().unwrap();
        Self { endpoints, stop, kill: Some(kill), thread: Some(thread) }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        let tcp = self.endpoints.iter().find_map(|endpoint| match endpoint {
            Endpoint::Tcp(address) => address.rsplit(':').next()?.parse().ok(),
            _ => None,
        });
        tcp.unwrap()
    }

    /// Its addresses, as they are written in a configuration.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let address = |endpoint: &Endpoint| address::text(endpoint).unwrap();
        self.endpoints.iter().map(address).collect()
    }

    /// Tells it to stop, as a signal does; [`Service::ended`] waits for the end.
    pub fn tell_to_stop(&self) {
        self.stop.stop();
    }

    /// Waits for its end, and says how it ended.
    ///
    /// # Errors
    /// What the service ended with.
    pub fn ended(mut self) -> Result<(), String> {
        self.thread.take().unwrap().join().unwrap()
    }

    /// Cuts it off in the middle of whatever it does, as `kill -9` would.
    pub fn kill(self) {}
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended by itself if this fails.
        let _ = self.kill.take().map(|kill| kill.send(()));
        if let Some(thread) = self.thread.take() {
            // A test that fails has said why already.
            let _ = thread.join();
        }
    }
}
