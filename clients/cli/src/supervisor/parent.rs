//! The process that wanted the cluster: its end is that of the cluster.

use std::os::fd::OwnedFd;

use paraply_common::{
    inherited,
    spawn::{Task, spawn},
};
use tokio::sync::mpsc;

use super::event::Outside;
use crate::error::Error;

/// Watches the pipe of which it has the other end, for as long as the task lives.
pub(super) fn watch<E>(pipe: OwnedFd, events: &mpsc::Sender<E>) -> Result<Task<()>, Error>
where
    E: From<Outside> + Send + 'static,
{
    let closed = inherited::closed(pipe).map_err(Error::io("cannot watch the parent process"))?;
    let events = events.clone();
    Ok(spawn(async move {
        closed.await;
        // The loop is over already, then.
        let _ = events.send(Outside::ParentGone.into()).await;
    }))
}
