//! What the two kinds of stream have in common: a first message in good time, then a reader.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use paraply_common::{
    clock,
    line::{Line, LineStream, line},
    mailbox::Mailbox,
    wire::{ServerIdentity, WireError},
};
use paraply_core::{id::ConnectionId, scheduler};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use crate::shell::Stimulus;

/// How long the first message of a stream may take.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);

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
        mut stream: Streaming<W>,
        closed: CancellationToken,
        decode: fn(W) -> Result<M, WireError>,
        deliver: fn(ConnectionId, M) -> scheduler::Stimulus,
    ) {
        loop {
            let next = tokio::select! {
                biased;
                () = closed.cancelled() => return,
                next = stream.message() => next,
            };
            let (stimulus, last) = match next.map(|message| message.map(decode)) {
                Ok(Some(Ok(message))) => (Stimulus::Machine(deliver(connection, message)), false),
                Ok(Some(Err(error))) => (Stimulus::Malformed { connection, error: error.to_string() }, true),
                Err(status) if is_malformed(&status) => {
                    (Stimulus::Malformed { connection, error: status.message().to_owned() }, true)
                }
                Ok(None) | Err(_) => (Stimulus::Machine(scheduler::Stimulus::Broken { connection }), true),
            };
            if self.mailbox.send(stimulus).await.is_err() || last {
                return;
            }
        }
    }
}

/// The first message of a stream.
pub(crate) async fn first<W>(stream: &mut Streaming<W>) -> Result<W, Status> {
    let message = tokio::select! {
        message = stream.message() => message?,
        () = clock::sleep_until(clock::now() + FIRST_MESSAGE) => None,
    };
    message.ok_or_else(|| Status::invalid_argument("the first message of the stream, `hello`, did not come"))
}

/// The peer sent something that is not the message, or too much of it; any other end of a stream is a broken one.
fn is_malformed(status: &Status) -> bool {
    matches!(status.code(), Code::Internal | Code::OutOfRange | Code::Unimplemented)
}
