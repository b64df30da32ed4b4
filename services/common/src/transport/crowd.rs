//! How many connections there are, and what is done when a crowd of them has left: glibc keeps the memory that they had,
//! spread between what is still used, and gives it back when it is asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{clock, heap};

/// From so many connections on it is a crowd.
const CROWD: usize = 256;

/// How often somebody looks whether it has left.
const LOOK: Duration = Duration::from_secs(1);

/// Counts connections. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    now: AtomicUsize,
    /// The most at a time since a crowd has left.
    most: AtomicUsize,
}

/// One connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Guest(Arc<Counts>);

impl Crowd {
    pub(super) fn enter(&self) -> Guest {
        let now = self.0.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.most.fetch_max(now, Ordering::Relaxed);
        Guest(Arc::clone(&self.0))
    }

    /// Whether a crowd was there since this was last true, and most of it has left.
    fn has_left(&self) -> bool {
        let (now, most) = (self.0.now.load(Ordering::Relaxed), self.0.most.load(Ordering::Relaxed));
        let left = most >= CROWD && now < most / 4;
        if left {
            self.0.most.store(now, Ordering::Relaxed);
        }
        left
    }

    /// Gives memory back after each crowd, for ever.
    pub(super) async fn clear_up(self) -> std::convert::Infallible {
        loop {
            clock::sleep_until(clock::now() + LOOK).await;
            if self.has_left() {
                // It takes milliseconds, which the caller's thread does not have.
                #[allow(clippy::disallowed_methods, reason = "nothing waits for it but the line below")]
                let _done = tokio::task::spawn_blocking(heap::give_back).await;
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_leaves_once() {
        let crowd = Crowd::default();
        let mut guests: Vec<Guest> = (0..CROWD).map(|_| crowd.enter()).collect();
        assert!(!crowd.has_left());
        guests.truncate(CROWD / 4);
        assert!(!crowd.has_left(), "a quarter is still there");
        guests.pop();
        assert!(crowd.has_left());
        assert!(!crowd.has_left(), "it was said");
        guests.clear();
        assert!(!crowd.has_left(), "no crowd");
    }
}
