//! A session of the scheduler with itself, for one task.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use paraply_common::{clock, line::LineStream};
use paraply_core::{
    call::Call,
    id::{BlobId, ConnectionId, EngineId, SessionId, TaskId},
    outcome::{Failure, Outcome},
    payload::{BlobRef, Encoding, Payload},
    scheduler,
    session_link::{CancelMode, CloseReason, Event, EventKind, Hello, ToClient, ToScheduler, Welcome},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{Runner, Told, answer::RESULT_BYTES, ask::Ask, shutting_down};
use crate::shell::Stimulus;

/// What sessions without a label of their own are called.
const LABEL: &[u8] = b"RunTask";

/// How a task ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) task: TaskId,
    pub(super) engine: Option<EngineId>,
    /// The result in its encoding, all of it here.
    pub(super) value: Result<(Encoding, Bytes), Box<Failure>>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Session {
    runner: Runner,
    id: SessionId,
    connection: ConnectionId,
}

/// Why the talk with the scheduler is over.
enum End {
    /// Nobody reads any more.
    Left,
    /// The caller's time is over.
    Late,
    Over(Result<Finished, Status>),
}

impl Session {
    /// A session that nobody has heard of yet.
    ///
    /// # Errors
    /// INTERNAL if the system has no randomness to give.
    pub(super) fn new(runner: Runner) -> Result<Self, Status> {
        let id = SessionId(random()?);
        let connection = runner.access.next_connection();
        Ok(Self { runner, id, connection })
    }

    /// Runs the task, and tells of it for as long as somebody reads. Ends the session in any case.
    pub(super) async fn run(self, ask: Ask, told: mpsc::Sender<Result<Told, Status>>) {
        let timeout = ask.timeout;
        let late = async {
            match timeout {
                Some(timeout) => clock::sleep_until(clock::now() + timeout).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            biased;
            () = told.closed() => End::Left,
            over = self.talk(ask, &told) => End::Over(over),
            () = late => End::Late,
        };
        let last = match end {
            End::Left => None,
            End::Late => Some(Err(self.too_late(timeout.unwrap_or_default().as_millis()).await)),
            End::Over(over) => Some(over.map(|finished| Told::Finished(Box::new(finished)))),
        };
        if !matches!(last, Some(Ok(_))) {
            self.say(ToScheduler::Cancel { indexes: vec![0], mode: CancelMode::Interrupt { kill_after: None } }).await;
        }
        self.say(ToScheduler::Close).await;
        if let Some(last) = last {
            let _caller_has_left = told.send(last).await;
        }
    }

    async fn talk(&self, ask: Ask, told: &mpsc::Sender<Result<Told, Status>>) -> Result<Finished, Status> {
        let Ask { head, function, arguments, engine, .. } = ask;
        let label = if head.label.is_empty() { Bytes::from_static(LABEL) } else { head.label.clone() };
        let mut line = self.open(label).await?;
        let mut accepted = false;
        loop {
            match line.next().await.ok_or_else(shutting_down)?? {
                ToClient::Welcome(welcome) => {
                    is_there(engine, &welcome)?;
                    let arguments = vec![self.payload(arguments.clone()).await?];
                    let calls = vec![Call { first_index: 0, head: Arc::clone(&head), arguments }];
                    self.say(ToScheduler::Submit { calls, functions: vec![Arc::clone(&function)], ack: None }).await;
                }
                ToClient::Update(update) => {
                    if !update.need_functions.is_empty() {
                        let functions = vec![Arc::clone(&function)];
                        self.say(ToScheduler::Submit { calls: Vec::new(), functions, ack: None }).await;
                    }
                    // A send fails where nobody reads; `run` notices that.
                    let heard = update.accepted_up_to.is_some_and(|up_to| up_to > 0) || !update.events.is_empty();
                    if heard && !std::mem::replace(&mut accepted, true) {
                        let _caller_has_left = told.send(Ok(Told::Accepted(self.task()))).await;
                    }
                    if let Some((engine, outcome)) = self.happened(update.events, told).await {
                        return self.finished(engine, &outcome).await;
                    }
                }
                ToClient::Closed { reason, message, .. } => return Err(closed(reason, message)),
            }
        }
    }

    async fn open(&self, label: Bytes) -> Result<LineStream<ToClient>, Status> {
        let (line, read) = self.runner.access.line(self.connection);
        let hello = Hello { session: self.id, resume: None, cancel_on_disconnect: true, label, stream: 1 };
        // There is no reader to end: `run` says the last word itself.
        let reader = CancellationToken::new().drop_guard();
        self.runner.access.tell(Stimulus::SessionOpened { connection: self.connection, hello, line, reader }).await?;
        Ok(read)
    }

    /// Tells of what happened; the task's outcome if that is among it.
    async fn happened(
        &self,
        events: Vec<Event>,
        told: &mpsc::Sender<Result<Told, Status>>,
    ) -> Option<(Option<EngineId>, Arc<Outcome>)> {
        let mut last = 0;
        for event in events {
            last = last.max(event.sequence);
            match event.kind {
                EventKind::Output { attempt, output, .. } => {
                    let _caller_has_left = told.send(Ok(Told::Output { attempt, output })).await;
                }
                EventKind::Finished { engine, outcome, .. } => return Some((engine, outcome)),
                EventKind::Claimed(_)
                | EventKind::EngineJoined(_)
                | EventKind::EngineLeft { .. }
                | EventKind::Unknown => {}
            }
        }
        if last > 0 {
            self.say(ToScheduler::Ack { sequence: last }).await;
        }
        None
    }

    /// The arguments: here, or in the store where they are large.
    async fn payload(&self, arguments: Bytes) -> Result<Payload, Status> {
        let inline = usize::try_from(self.runner.access.identity.limits.inline_bytes).unwrap_or(usize::MAX);
        let mut payload = Payload { encoding: Encoding::Json, ..Payload::default() };
        if arguments.len() <= inline {
            payload.data = arguments;
            return Ok(payload);
        }
        let blob = BlobRef { id: BlobId(random()?), size: arguments.len() as u64, kept: false };
        let (blobs, session) = (self.runner.blobs.clone(), self.id);
        let writing = async move { blobs.put(blob.id, session, arguments).await };
        self.runner.bulk.spawn(writing).await.map_err(|_| shutting_down())??;
        payload.data_blob = Some(blob);
        Ok(payload)
    }

    /// The outcome, with a large result read from whoever keeps it.
    async fn finished(&self, engine: Option<EngineId>, outcome: &Outcome) -> Result<Finished, Status> {
        let payload = match &outcome.value {
            Ok(payload) => payload,
            Err(failure) => return Ok(Finished { task: self.task(), engine, value: Err(failure.clone()) }),
        };
        let Some(blob) = payload.data_blob.filter(|_| payload.encoding == Encoding::Json) else {
            return Ok(Finished { task: self.task(), engine, value: Ok((payload.encoding, payload.data.clone())) });
        };
        if blob.size > RESULT_BYTES as u64 {
            return Err(Status::resource_exhausted(format!(
                "the result has {} bytes of JSON, and RunTask answers with {RESULT_BYTES} at most: have the function return \
                 less, or fetch it in a session (OpenSession)",
                blob.size
            )));
        }
        let (blobs, session) = (self.runner.blobs.clone(), self.id);
        let reading = async move { blobs.get(blob.id, session, blob.size).await };
        let data = self.runner.bulk.spawn(reading).await.map_err(|_| shutting_down())??;
        Ok(Finished { task: self.task(), engine, value: Ok((payload.encoding, data)) })
    }

    async fn too_late(&self, millis: u128) -> Status {
        let (reply, answer) = oneshot::channel();
        let ids = vec![self.task()];
        let asked = self.runner.access.tell(Stimulus::Find { ids, reply }).await;
        let found = if asked.is_ok() { answer.await.unwrap_or_default() } else { Vec::new() };
        let why = found.into_iter().next().map_or_else(|| "it had not been accepted".to_owned(), |report| report.why);
        Status::deadline_exceeded(format!("the task had no result within {millis} ms: {why}"))
    }

    fn task(&self) -> TaskId {
        TaskId { session: self.id, index: 0 }
    }

    async fn say(&self, message: ToScheduler) {
        let connection = self.connection;
        let said = scheduler::Stimulus::SessionMessage { connection, message };
        // Where the actor has ended, the line has too.
        let _ = self.runner.access.tell(Stimulus::Machine(said)).await;
    }
}

fn random() -> Result<u128, Status> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Status::internal(format!("the system has no randomness: {error}")))?;
    Ok(u128::from_ne_bytes(bytes))
}

fn is_there(engine: Option<EngineId>, welcome: &Welcome) -> Result<(), Status> {
    let Some(engine) = engine else { return Ok(()) };
    if welcome.engines.iter().any(|info| info.id == engine) {
        return Ok(());
    }
    let n = welcome.engines.len();
    let message =
        format!("engine_id: no engine {} is attached ({n} are; ClusterService/ListEngines has them)", engine.0);
    Err(Status::not_found(message))
}

fn closed(reason: CloseReason, message: String) -> Status {
    match reason {
        CloseReason::Limit => Status::resource_exhausted(message),
        CloseReason::Shutdown => shutting_down(),
        CloseReason::Closed
        | CloseReason::Superseded
        | CloseReason::Expired
        | CloseReason::OutOfOrder
        | CloseReason::ProtocolError => Status::internal(format!("the scheduler ended the task's session: {message}")),
    }
}
