//! SIGTERM: whoever started the engine wants it to leave.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGTERM, which does not end the process by itself any more.
#[derive(Debug)]
pub struct Terminated(Signal);

impl Terminated {
    /// Starts to listen. Within a runtime.
    ///
    /// # Errors
    /// If the handler cannot be installed.
    pub fn new() -> io::Result<Self> {
        signal(SignalKind::terminate()).map(Self)
    }

    /// Resolves at each SIGTERM. Cancel-safe.
    pub(crate) async fn received(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
