//! What the two kinds of stream have in common.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use paraply_common::{
    feed::feed,
    line::{Line, LineStream, line},
    mailbox::Mailbox,
    wire::{ServerIdentity, WireError},
};
use paraply_core::{id::ConnectionId, scheduler};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::shell::Stimulus;

/// What the gRPC methods need of the scheduler. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) mailbox: Mailbox<Stimulus>,
    pub(crate) identity: Arc<ServerIdentity>,
    next_connection: Arc<AtomicU64>,
}

impl Access {
    pub(crate) fn new(mailbox: Mailbox<Stimulus>, identity: ServerIdentity) -> Self {
        Self { mailbox, identity: Arc::new(identity), next_connection: Arc::default() }
    }

    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    /// A line whose freeing the machine is told of.
    pub(crate) fn line<M>(&self, connection: ConnectionId) -> (Line<M>, LineStream<M>) {
        let mailbox = self.mailbox.clone();
        line(move || mailbox.notice(Stimulus::Machine(scheduler::Stimulus::LineFree { connection })))
    }

    /// Delivers a stimulus.
    pub(crate) async fn tell(&self, stimulus: Stimulus) -> Result<(), Status> {
        self.mailbox.send(stimulus).await.map_err(|ended| Status::unavailable(ended.to_string()))
    }

    /// Delivers what a stream brings until it ends, or until the scheduler has closed the connection.
    pub(crate) async fn read<W, M>(
        self,
        connection: ConnectionId,
        stream: Streaming<W>,
        closed: CancellationToken,
        decode: fn(W) -> Result<M, WireError>,
        deliver: fn(ConnectionId, M) -> scheduler::Stimulus,
    ) {
        let decode = move |message| match decode(message) {
            Ok(message) => Ok(Stimulus::Machine(deliver(connection, message))),
            Err(error) => Err(Status::invalid_argument(error.to_string())),
        };
        let stimulus = match feed(stream, closed.clone(), &self.mailbox, decode).await {
            Err(status) => Stimulus::Malformed { connection, error: status.message().to_owned() },
            Ok(()) if closed.is_cancelled() => return,
            Ok(()) => Stimulus::Machine(scheduler::Stimulus::Broken { connection }),
        };
        let _actor_ended = self.mailbox.send(stimulus).await;
    }
}
