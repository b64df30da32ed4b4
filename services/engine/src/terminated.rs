//! SIGTERM, or whoever stands for it: an engine is to leave.

use std::io;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Hears that the engine is to leave: from SIGTERM, which does not end the process by itself any more, or from a
/// [`Terminate`].
#[derive(Debug)]
pub struct Terminated(From);

#[derive(Debug)]
enum From {
    Signal(Signal),
    Said(watch::Receiver<()>),
}

/// Says to engines that they are to leave.
#[derive(Debug)]
pub struct Terminate {
    said: watch::Sender<()>,
    /// Has heard nothing yet: an engine that begins to listen later hears what was said before.
    unheard: watch::Receiver<()>,
}

impl Terminated {
    /// Starts to listen for SIGTERM. Within a runtime.
    ///
    /// # Errors
    /// If the handler cannot be installed.
    pub fn new() -> io::Result<Self> {
        Ok(Self(From::Signal(signal(SignalKind::terminate())?)))
    }

    /// Resolves at each SIGTERM. Cancel-safe.
    pub(crate) async fn received(&mut self) {
        let heard = match &mut self.0 {
            From::Signal(signal) => signal.recv().await.is_some(),
            From::Said(said) => said.changed().await.is_ok(),
        };
        if !heard {
            std::future::pending::<()>().await;
        }
    }
}

impl Terminate {
    /// One that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        let (said, unheard) = watch::channel(());
        Self { said, unheard }
    }

    /// What an engine listens to. It also hears what was said before.
    #[must_use]
    pub fn terminated(&self) -> Terminated {
        Terminated(From::Said(self.unheard.clone()))
    }

    /// What SIGTERM does: engines finish what they have claimed, and leave. The second time they leave at once.
    pub fn terminate(&self) {
        self.said.send_replace(());
    }
}

impl Default for Terminate {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_listens_later_hears_what_was_said_before_and_then_each_time() {
        let terminate = Terminate::new();
        terminate.terminate();
        let mut terminated = terminate.terminated();
        terminated.received().await;
        terminate.terminate();
        terminated.received().await;
    }
}
