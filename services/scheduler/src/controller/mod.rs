//! The scheduler as a member of its cluster: it registers with the controller, keeps its lease alive, tells it of
//! engines, and learns from it which engines there are. All of it goes on without a controller, and it registers again
//! with the one that comes back.

mod lease;
mod loads;
mod member;

use std::sync::Arc;

use tokio::sync::Notify;

pub(crate) use self::member::{Member, Superseded, keep};

/// The actor's bell at the link to the controller: an engine came or is gone, or the first task waits for one, and the
/// controller is to know at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct News(Arc<Notify>);

impl News {
    /// There is something new.
    pub(crate) fn ring(&self) {
        self.0.notify_one();
    }

    /// Resolves when there is something new.
    pub(crate) async fn heard(&self) {
        self.0.notified().await;
    }
}
