//! A scheduler with scripted peers around it. Lines are freed at once unless a test holds them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use paraply_core::{
    call::{Call, CallHead, Placement, Work},
    engine_link::{self, AssignedTask, Credit, Held, HeldState, Orders, Reports, ToEngine},
    id::{AttemptId, ConnectionId, Digest, EngineId, Epoch, Incarnation, SessionId, TaskId, TransferId},
    outcome::{FailureKind, Outcome},
    payload::{Function, Payload},
    scheduler::{Config, Instruction, Record, Scheduler, Stimulus},
    session_link::{self, EngineInfo, Event, EventKind, Hello, ResumePoint, ToClient, ToScheduler, Welcome},
    time::Time,
};

pub const A: SessionId = SessionId(0xa);
pub const B: SessionId = SessionId(0xb);
pub const F: Digest = Digest([7; 32]);

pub struct World {
    pub scheduler: Scheduler,
    pub now: Time,
    connections: u64,
    /// What each connection was told and nobody has looked at.
    pub to_session: BTreeMap<ConnectionId, VecDeque<ToClient>>,
    pub to_engine: BTreeMap<ConnectionId, VecDeque<ToEngine>>,
    pub closed: Vec<ConnectionId>,
    /// Readers of blobs that were told that nobody has theirs.
    pub refused_readers: Vec<TransferId>,
    /// The store answers at once.
    pub store_answers: bool,
    pub last_batch: u64,
    pub records: Vec<Record>,
}

impl World {
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        let now = Time(1_000_000_000);
        let mut world = Self {
            scheduler: Scheduler::new(config, Epoch(1), now),
            now,
            connections: 0,
            to_session: BTreeMap::new(),
            to_engine: BTreeMap::new(),
            closed: Vec::new(),
            refused_readers: Vec::new(),
            store_answers: true,
            last_batch: 0,
            records: Vec::new(),
        };
        world.step(Stimulus::MembersKnown { engines: Vec::new() });
        world
    }

    pub fn step(&mut self, stimulus: Stimulus) {
        self.scheduler.handle(self.now, stimulus);
        loop {
            let mut out = Vec::new();
            self.scheduler.flush(self.now, &mut out);
            self.scheduler.check().unwrap();
            if out.is_empty() {
                return;
            }
            for instruction in out {
                match instruction {
                    Instruction::ToSession { connection, message } => {
                        self.to_session.entry(connection).or_default().push_back(message);
                        self.scheduler.handle(self.now, Stimulus::LineFree { connection });
                    }
                    Instruction::ToEngine { connection, message } => {
                        self.to_engine.entry(connection).or_default().push_back(message);
                        self.scheduler.handle(self.now, Stimulus::LineFree { connection });
                    }
                    Instruction::Close { connection, .. } => self.closed.push(connection),
                    Instruction::NobodyHasBlob { transfer, .. } => self.refused_readers.push(transfer),
                    Instruction::Persist { sequence, records } => {
                        self.last_batch = sequence;
                        self.records.extend(records);
                        if self.store_answers {
                            self.scheduler.handle(self.now, Stimulus::Persisted { up_to: sequence });
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Lets time pass, and says how often the machine had asked to be woken in it.
    pub fn pass(&mut self, time: Duration) -> usize {
        let until = self.now + time;
        let mut ticks = 0;
        while let Some(next) = self.scheduler.next_timeout().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.step(Stimulus::Tick);
            ticks += 1;
        }
        self.now = until;
        ticks
    }

    fn connect(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    pub fn open(&mut self, session: SessionId, resume: Option<ResumePoint>) -> (ConnectionId, Welcome) {
        let connection = self.connect();
        let hello = Hello { session, resume, cancel_on_disconnect: false, label: Bytes::new(), stream: 0 };
        self.step(Stimulus::SessionOpened { connection, hello });
        match self.to_session.get_mut(&connection).and_then(VecDeque::pop_front) {
            Some(ToClient::Welcome(welcome)) => (connection, welcome),
            other => panic!("no welcome but {other:?}"),
        }
    }

    pub fn say(&mut self, connection: ConnectionId, message: ToScheduler) {
        self.step(Stimulus::SessionMessage { connection, message });
    }

    pub fn submit(&mut self, connection: ConnectionId, calls: Vec<Call>) {
        self.say(connection, ToScheduler::Submit { calls, functions: vec![function()], ack: None });
    }

    /// All events since the last look.
    pub fn events(&mut self, connection: ConnectionId) -> Vec<Event> {
        let messages = std::mem::take(self.to_session.entry(connection).or_default());
        let updates = messages.into_iter().filter_map(|message| match message {
            ToClient::Update(update) => Some(update.events),
            _ => None,
        });
        updates.flatten().collect()
    }

    /// Index and outcome of tasks finished since the last look: "ok" or the failure's kind.
    pub fn finished(&mut self, connection: ConnectionId) -> Vec<(u64, Result<(), FailureKind>)> {
        let events = self.events(connection).into_iter();
        let finished = events.filter_map(|event| match event.kind {
            EventKind::Finished { index, outcome, .. } => {
                Some((index, outcome.value.as_ref().map(|_| ()).map_err(|failure| failure.kind)))
            }
            _ => None,
        });
        finished.collect()
    }

    pub fn attach(&mut self, id: u32) -> ConnectionId {
        self.attach_holding(id, Vec::new())
    }

    pub fn attach_holding(&mut self, id: u32, held: Vec<Held>) -> ConnectionId {
        self.attach_engine(engine(id), held)
    }

    pub fn attach_with(&mut self, id: u32, labels: &'static str) -> ConnectionId {
        self.attach_holding_with(id, labels, Vec::new())
    }

    pub fn attach_holding_with(&mut self, id: u32, labels: &'static str, held: Vec<Held>) -> ConnectionId {
        self.attach_engine(Arc::new(EngineInfo { labels: self::labels(labels), ..(*engine(id)).clone() }), held)
    }

    fn attach_engine(&mut self, info: Arc<EngineInfo>, held: Vec<Held>) -> ConnectionId {
        let connection = self.connect();
        let credit = Credit { total_tasks: 1000, total_bytes: 1 << 30 };
        let hello = engine_link::Hello { info, last_epoch: None, held, credit, stream: 0, kept_blobs: Vec::new() };
        self.step(Stimulus::EngineOpened { connection, hello });
        connection
    }

    pub fn welcome(&mut self, connection: ConnectionId) -> engine_link::Welcome {
        match self.to_engine.get_mut(&connection).and_then(VecDeque::pop_front) {
            Some(ToEngine::Welcome(welcome)) => welcome,
            other => panic!("no welcome but {other:?}"),
        }
    }

    /// All orders since the last look, in one.
    pub fn orders(&mut self, connection: ConnectionId) -> Orders {
        let mut all = Orders::default();
        for message in std::mem::take(self.to_engine.entry(connection).or_default()) {
            if let ToEngine::Orders(orders) = message {
                all.functions.extend(orders.functions);
                all.assigned.extend(orders.assigned);
                all.retract.extend(orders.retract);
                all.cancel.extend(orders.cancel);
                all.acked.extend(orders.acked);
                all.start.extend(orders.start);
            }
        }
        all
    }

    /// Tasks assigned since the last look, as (session, task).
    pub fn assigned(&mut self, connection: ConnectionId) -> Vec<(SessionId, AssignedTask)> {
        let calls = self.orders(connection).assigned.into_iter();
        calls.flat_map(|call| call.tasks.into_iter().map(move |task| (call.session, task))).collect()
    }

    pub fn indexes(&mut self, connection: ConnectionId) -> Vec<u64> {
        self.assigned(connection).into_iter().map(|(_, task)| task.index).collect()
    }

    pub fn report(&mut self, connection: ConnectionId, reports: Reports) {
        self.step(Stimulus::EngineMessage { connection, message: engine_link::ToScheduler::Reports(reports) });
    }

    pub fn finish(&mut self, connection: ConnectionId, session: SessionId, index: u64, attempt: u32) {
        let finished = vec![(attempt_id(session, index, attempt), ok(1_000_000).into())];
        self.report(connection, Reports { finished, ..Reports::default() });
    }
}

pub fn attempt_id(session: SessionId, index: u64, attempt: u32) -> AttemptId {
    AttemptId { task: TaskId { session, index }, attempt }
}

pub fn held(session: SessionId, index: u64, state: HeldState) -> Held {
    Held { attempt: attempt_id(session, index, 1), state }
}

pub fn engine(id: u32) -> Arc<EngineInfo> {
    let incarnation = Incarnation(u128::from(id) + 100);
    Arc::new(EngineInfo { id: EngineId(id), incarnation, peer: Bytes::new(), labels: Vec::new() })
}

/// Such as "zone=a disk=ssd".
pub fn labels(text: &'static str) -> Vec<(Bytes, Bytes)> {
    let pairs = text.split_whitespace().map(|label| label.split_once('=').unwrap());
    let mut labels: Vec<(Bytes, Bytes)> =
        pairs.map(|(key, value)| (Bytes::from_static(key.as_bytes()), Bytes::from_static(value.as_bytes()))).collect();
    labels.sort();
    labels
}

pub fn function() -> Arc<Function> {
    Arc::new(Function {
        digest: F,
        payload: Payload { data: Bytes::from_static(b"f"), ..Payload::default() },
        name: Bytes::new(),
    })
}

fn head(placement: Placement) -> Arc<CallHead> {
    Arc::new(CallHead::new(Work::Function(F), placement))
}

pub fn direct(first_index: u64, engines: &[u32]) -> Call {
    let engines = engines.iter().copied().map(EngineId).collect();
    Call { first_index, head: head(Placement::Direct { engines }), arguments: vec![Payload::default()] }
}

pub fn balanced(first_index: u64, tasks: usize, retries: u32) -> Call {
    let placement = Placement::Balanced { engines: Vec::new(), labels: Vec::new(), retries, queue_timeout: None };
    Call { first_index, head: head(placement), arguments: vec![Payload::default(); tasks] }
}

pub fn limited(first_index: u64, tasks: usize, engines: &[u32], queue_timeout: Option<Duration>) -> Call {
    let engines = engines.iter().copied().map(EngineId).collect();
    let placement = Placement::Balanced { engines, labels: Vec::new(), retries: 0, queue_timeout };
    Call { first_index, head: head(placement), arguments: vec![Payload::default(); tasks] }
}

pub fn labelled(first_index: u64, tasks: usize, labels: &'static str, engines: &[u32], retries: u32) -> Call {
    let (labels, engines) = (self::labels(labels), engines.iter().copied().map(EngineId).collect());
    let placement = Placement::Balanced { engines, labels, retries, queue_timeout: None };
    Call { first_index, head: head(placement), arguments: vec![Payload::default(); tasks] }
}

pub fn ok(nanos: u64) -> Outcome {
    Outcome {
        value: Ok(Payload::default()),
        claimed_unix_nanos: 1_000,
        started_unix_nanos: 1_000,
        finished_unix_nanos: 1_000 + nanos,
        stdout_bytes: 0,
        stderr_bytes: 0,
        records: 0,
    }
}

pub fn raised() -> Outcome {
    Outcome::failed(FailureKind::Exception, "ValueError", "no".to_owned(), None)
}

pub use session_link::CloseReason;
