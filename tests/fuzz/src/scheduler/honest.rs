//! Peers that keep the rules, in a world of others that do not.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use paraply_core::{
    call::{Call, CallHead, Placement, Work},
    engine_link::{self, Credit, Reports, ToEngine},
    id::{AttemptId, ConnectionId, Digest, EngineId, Incarnation, SessionId, TaskId},
    outcome::Outcome,
    payload::{Function, Payload},
    scheduler::Stimulus,
    session_link::{self, EngineInfo, EventKind, Hello, ToClient},
};

use super::World;

const SESSION: SessionId = SessionId(u128::MAX);
const ENGINE: EngineId = EngineId(1000);
const FUNCTION: Digest = Digest([9; 32]);
/// Looks at what came, with time passing between them.
const PATIENCE: u32 = 40;

/// A client and an engine.
pub(crate) struct Honest<'a> {
    world: &'a mut World,
    client: ConnectionId,
    engine: ConnectionId,
    credit: Credit,
}

impl<'a> Honest<'a> {
    pub(crate) fn new(world: &'a mut World) -> Self {
        world.prompt = true;
        let (client, engine) = (world.connect(), world.connect());
        Self { world, client, engine, credit: Credit { total_tasks: 1000, total_bytes: 1 << 30 } }
    }

    /// Submits a task to the engine, and waits for its outcome.
    pub(crate) fn serve(mut self) -> Result<(), String> {
        self.attach()?;
        self.open()?;
        self.submit()?;
        for _ in 0..PATIENCE {
            self.work()?;
            for (connection, message) in std::mem::take(&mut self.world.to_session) {
                if connection != self.client {
                    continue;
                }
                match message {
                    ToClient::Update(update)
                        if update.events.iter().any(|event| matches!(event.kind, EventKind::Finished { .. })) =>
                    {
                        return Ok(());
                    }
                    ToClient::Closed { reason, message, .. } => {
                        return Err(format!("an honest client was refused: {reason:?} {message}"));
                    }
                    ToClient::Welcome(_) | ToClient::Update(_) => {}
                }
            }
            self.world.pass(Duration::from_millis(500))?;
        }
        Err("an honest client waited in vain".to_owned())
    }

    fn attach(&mut self) -> Result<(), String> {
        let info = EngineInfo { id: ENGINE, incarnation: Incarnation(1), peer: Bytes::new(), labels: Vec::new() };
        let (last_epoch, held, credit) = (None, Vec::new(), self.credit);
        let hello =
            engine_link::Hello { info: Arc::new(info), last_epoch, held, credit, stream: 1, kept_blobs: Vec::new() };
        self.world.take(Stimulus::EngineOpened { connection: self.engine, hello })
    }

    fn open(&mut self) -> Result<(), String> {
        let (resume, cancel_on_disconnect, label) = (None, false, Bytes::new());
        let hello = Hello { session: SESSION, resume, cancel_on_disconnect, label, stream: 1 };
        self.world.take(Stimulus::SessionOpened { connection: self.client, hello })
    }

    fn submit(&mut self) -> Result<(), String> {
        let head = CallHead::new(Work::Function(FUNCTION), Placement::Direct { engines: vec![ENGINE] });
        let call = Call { first_index: 0, head: Arc::new(head), arguments: vec![Payload::default()] };
        let function = Function { digest: FUNCTION, payload: Payload::default(), name: Bytes::new() };
        let message =
            session_link::ToScheduler::Submit { calls: vec![call], functions: vec![Arc::new(function)], ack: None };
        self.world.take(Stimulus::SessionMessage { connection: self.client, message })
    }

    /// The engine does all that it was given, and says that it lives.
    fn work(&mut self) -> Result<(), String> {
        let mut reports = Reports::default();
        for (connection, message) in std::mem::take(&mut self.world.to_engine) {
            let ToEngine::Orders(orders) = message else { continue };
            if connection != self.engine {
                continue;
            }
            for call in &orders.assigned {
                for task in &call.tasks {
                    let id = TaskId { session: call.session, index: task.index };
                    reports.finished.push((AttemptId { task: id, attempt: task.attempt }, nothing().into()));
                }
            }
        }
        self.credit.total_tasks += reports.finished.len() as u64;
        reports.claimed = reports.finished.iter().map(|(attempt, _)| *attempt).collect();
        reports.credit = Some(self.credit);
        let message = engine_link::ToScheduler::Reports(reports);
        self.world.take(Stimulus::EngineMessage { connection: self.engine, message })
    }
}

fn nothing() -> Outcome {
    Outcome {
        value: Ok(Payload::default()),
        claimed_unix_nanos: 1,
        started_unix_nanos: 1,
        finished_unix_nanos: 2,
        stdout_bytes: 0,
        stderr_bytes: 0,
        records: 0,
    }
}
