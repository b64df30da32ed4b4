//! Stopping, bounded in time: first everyone is told, then there is a moment to finish, then what is left is dropped.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock;

/// How long streams may take to end once everyone was told.
pub const GRACE: Duration = Duration::from_secs(2);

/// Tells services to stop. Dropping it without [`Stop::stop`] does not.
#[derive(Clone, Debug)]
pub struct Stop {
    token: CancellationToken,
}

/// What a service watches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown {
    token: CancellationToken,
    grace: Duration,
}

/// A stop button and what it is wired to.
#[must_use]
pub fn shutdown(grace: Duration) -> (Stop, Shutdown) {
    let token = CancellationToken::new();
    (Stop { token: token.clone() }, Shutdown { token, grace })
}

impl Stop {
    /// Tells everyone, once and for all.
    pub fn stop(&self) {
        self.token.cancel();
    }
}

impl Shutdown {
    /// A button for what is a part of this, or ends by itself: whatever stops this stops that too, and not the reverse.
    #[must_use]
    pub fn nested(&self) -> (Stop, Self) {
        let token = self.token.child_token();
        (Stop { token: token.clone() }, Self { token, grace: self.grace })
    }

    /// Resolves when stopping has begun.
    pub async fn begun(&self) {
        self.token.cancelled().await;
    }

    /// Resolves when the time to finish is over too.
    pub async fn over(&self) {
        self.begun().await;
        clock::sleep_until(clock::now() + self.grace).await;
    }
}

/// Resolves at the first SIGINT (Ctrl-C) or SIGTERM.
///
/// # Errors
/// If the handlers cannot be installed.
pub async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_part_can_stop_alone_and_stops_with_the_whole() {
        let (stop, whole) = shutdown(GRACE);
        let (stop_part, part) = whole.nested();
        let (_held, other_part) = whole.nested();
        stop_part.stop();
        assert!(part.begun().now_or_never().is_some());
        assert!(whole.begun().now_or_never().is_none());
        stop.stop();
        assert!(other_part.begun().now_or_never().is_some());
    }
}
