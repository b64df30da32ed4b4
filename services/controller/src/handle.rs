//! How gRPC methods reach the actor.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use paraply_common::{
    feed::feed,
    line::{Line, LineStream, line},
    mailbox::{Ended, Mailbox},
    spawn::spawn_detached,
};
use paraply_core::{
    id::{ConnectionId, EngineId},
    membership::{Grant, Page, PageLimit, RequestId, SchedulerInfo, Stimulus as Machine, WatchKind},
};
use paraply_proto::controller::v1::{Autoscaling, WatchEnginesResponse};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::{
    actor::{AnyLine, NotScaled, NotSignalled, Stimulus},
    figures::Measured,
};

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    mailbox: Mailbox<Stimulus>,
    numbers: Arc<AtomicU64>,
}

/// A stream that the actor writes to.
pub(crate) struct Opened<M> {
    pub(crate) connection: ConnectionId,
    pub(crate) stream: LineStream<M>,
    /// Cancelled when the transport has dropped the stream.
    gone: CancellationToken,
}

impl Handle {
    pub(crate) fn new(mailbox: Mailbox<Stimulus>) -> Self {
        Self { mailbox, numbers: Arc::default() }
    }

    /// Registers a member.
    pub(crate) async fn register(&self, stimulus: impl FnOnce(RequestId) -> Machine) -> Result<Grant, Status> {
        let request = RequestId(self.number());
        self.ask(|reply| Stimulus::Register { request, stimulus: stimulus(request), reply }).await?
    }

    /// Tells the machine, and waits until it has heard.
    pub(crate) async fn tell(&self, stimulus: Machine) -> Result<(), Status> {
        self.ask(|reply| Stimulus::Tell { stimulus, reply }).await
    }

    /// Tells an engine what to do.
    pub(crate) async fn order(&self, id: u32, order: impl FnOnce(EngineId) -> Machine) -> Result<(), Status> {
        let engine = EngineId(id);
        let stimulus = order(engine);
        let there = self.ask(|reply| Stimulus::Order { engine, stimulus, reply }).await?;
        if there { Ok(()) } else { Err(unknown(id)) }
    }

    /// Has so many engines be there; how many there were.
    pub(crate) async fn scale(&self, engines: u32) -> Result<u32, Status> {
        let scaled = self.ask(|reply| Stimulus::Scale { engines, reply }).await?;
        scaled.map_err(|not| {
            Status::failed_precondition(match not {
                NotScaled::NobodyLaunches { engines } => format!(
                    "there are {engines} engines, and nobody here launches any: scale what has started them (docker compose \
                     up --scale engine=N, kubectl scale; `paraply scale` does it where `paraply connect` has written who \
                     does), or start engines by hand (python -m paraply.engine)"
                ),
                NotScaled::OutOfBounds { min, max } => format!(
                    "autoscaling is on, and keeps to {min} to {max} engines (the controller's settings `autoscale_min` and \
                     `autoscale_max`): {engines} are not within that"
                ),
            })
        })
    }

    /// What autoscaling keeps to, if it is on.
    pub(crate) async fn autoscaling(&self) -> Result<Option<Autoscaling>, Status> {
        self.ask(|reply| Stimulus::Autoscaling { reply }).await
    }

    /// Gives engines a signal, by name.
    pub(crate) async fn signal(&self, engines: Vec<EngineId>, signal: Bytes) -> Result<(), Status> {
        match self.ask(|reply| Stimulus::Signal { engines, signal, reply }).await? {
            Ok(()) => Ok(()),
            Err(NotSignalled::Unknown(id)) => Err(unknown(id.0)),
            Err(NotSignalled::Full(id)) => Err(Status::resource_exhausted(format!(
                "64 signals wait for engine {id}, which is away: none was sent"
            ))),
        }
    }

    pub(crate) async fn scheduler(&self) -> Result<Option<SchedulerInfo>, Status> {
        self.ask(|reply| Stimulus::Scheduler { reply }).await
    }

    pub(crate) async fn measure(&self) -> Result<Measured, Status> {
        self.ask(|reply| Stimulus::Measure { reply }).await
    }

    pub(crate) async fn engines(&self, first: EngineId, limit: PageLimit) -> Result<Page, Status> {
        self.ask(|reply| Stimulus::Engines { first, limit, reply }).await
    }

    /// Opens a stream that the actor writes to.
    pub(crate) async fn open<M>(
        &self,
        any: impl FnOnce(Line<M>) -> AnyLine,
        stimulus: impl FnOnce(ConnectionId) -> Machine,
    ) -> Result<Opened<M>, Status> {
        let connection = ConnectionId(self.number());
        let gone = CancellationToken::new();
        let (guard, mailbox) = (gone.clone().drop_guard(), self.mailbox.clone());
        let (line, stream) = line(move || {
            let _dropped_with_the_stream = &guard;
            mailbox.notice(Stimulus::Machine(Machine::LineFree { connection }));
        });
        let stimulus = Stimulus::Open { connection, line: any(line), stimulus: stimulus(connection) };
        self.mailbox.send(stimulus).await.map_err(ended)?;
        Ok(Opened { connection, stream, gone })
    }

    /// Opens a stream that tells of engines.
    pub(crate) async fn watch_engines(&self, kind: WatchKind) -> Result<LineStream<WatchEnginesResponse>, Status> {
        let watch = |connection| Machine::WatchOpened { connection, kind };
        Ok(self.watch(self.open(AnyLine::Engines, watch).await?))
    }

    /// Reads the peer's side of a stream until one of the sides ends it.
    pub(crate) fn read<M, R: Send + 'static>(
        &self,
        opened: Opened<M>,
        inbound: Streaming<R>,
        decode: impl Fn(ConnectionId, R) -> Machine + Send + 'static,
    ) -> LineStream<M> {
        let Opened { connection, stream, gone } = opened;
        let mailbox = self.mailbox.clone();
        spawn_detached(async move {
            let decode = move |message| Ok(Stimulus::Machine(decode(connection, message)));
            let end = match feed(inbound, gone, &mailbox, decode).await {
                Ok(()) => Stimulus::Machine(Machine::Broken { connection }),
                Err(status) => Stimulus::Malformed { connection, status },
            };
            let _actor_ended = mailbox.send(end).await;
        });
        stream
    }

    /// Waits for the end of a stream on which the peer has no more to say.
    pub(crate) fn watch<M>(&self, opened: Opened<M>) -> LineStream<M> {
        let Opened { connection, stream, gone } = opened;
        let mailbox = self.mailbox.clone();
        spawn_detached(async move {
            gone.cancelled().await;
            let _actor_ended = mailbox.send(Stimulus::Machine(Machine::Broken { connection })).await;
        });
        stream
    }

    async fn ask<T>(&self, stimulus: impl FnOnce(oneshot::Sender<T>) -> Stimulus) -> Result<T, Status> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.send(stimulus(reply)).await.map_err(ended)?;
        answer.await.map_err(|_| ended(Ended))
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

fn ended(ended: Ended) -> Status {
    Status::unavailable(ended.to_string())
}

/// An engine that is not there.
pub(crate) fn unknown(id: u32) -> Status {
    Status::not_found(format!("no engine of id {id} holds a lease; ListEngines says which do"))
}
