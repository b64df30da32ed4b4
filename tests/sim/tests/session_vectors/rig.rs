//! A machine that is driven by a script, and all that happens to it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use paraply_core::{
    call::{CallHead, Placement, Work},
    client_session::{ClientSession, Config, Instruction, Stimulus},
    id::{BlobId, Digest, EngineId, Epoch, Incarnation, SessionId},
    outcome::{FailureKind, Outcome, Output, OutputKind},
    payload::{BlobRef, Buffer, Function, Payload},
    session_link::{
        CancelMode, CloseReason, EngineInfo, Event, EventKind, KnownClaim, SubmitCredit, ToClient, Update, Welcome,
    },
    time::Time,
};
use paraply_sim::record::{Step, What};
use sha2::{Digest as _, Sha256};

use crate::{
    scripts::Script,
    trace::{Trace, encode},
};

pub const PLENTY: SubmitCredit = SubmitCredit { total_tasks: 1000, total_bytes: 1 << 20 };

pub struct Rig {
    machine: ClientSession,
    now: Time,
    trace: Trace,
}

/// What happens in a script.
pub fn record(script: Script) -> Trace {
    let mut rig = Rig::new(1 << 20);
    script(&mut rig);
    rig.trace
}

impl Rig {
    fn new(message_bytes: u64) -> Self {
        let mut config = Config::new(SessionId(0x5e55_1047));
        config.label = Bytes::from_static(b"a session");
        (config.ack_events, config.call_tasks, config.call_bytes) = (4, usize::MAX, u64::MAX);
        config.message_bytes = message_bytes;
        let trace = Trace::new(&config);
        Self { machine: ClientSession::new(config, Time(0)), now: Time(0), trace }
    }

    /// Another machine, whose messages are cut at this size.
    pub fn start_over(&mut self, message_bytes: u64) {
        *self = Self::new(message_bytes);
    }

    /// One stimulus, and what the machine says to it.
    pub fn give(&mut self, stimulus: Stimulus) -> Vec<Instruction> {
        self.machine.handle(self.now, stimulus.clone());
        self.note(What::Given(stimulus));
        self.flush()
    }

    fn note(&mut self, what: What) {
        self.trace.steps.push(encode(&Step { now: self.now, what }));
    }

    pub fn flush(&mut self) -> Vec<Instruction> {
        let mut out = Vec::new();
        self.machine.flush(self.now, &mut out);
        self.note(What::Flushed(out.clone()));
        out
    }

    pub fn wait(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.give(Stimulus::Tick);
    }

    /// Opens a stream, up to its hello.
    pub fn greet(&mut self) {
        self.wait(5000);
        self.give(Stimulus::Connected);
        self.give(Stimulus::LineFree);
    }

    pub fn connect(&mut self) {
        self.greet();
        self.welcome(1, 0, false, PLENTY);
    }

    pub fn welcome(&mut self, epoch: u64, accepted_up_to: u64, replay: bool, credit: SubmitCredit) {
        let engines = vec![engine(1), engine(2)];
        let session_grace = Duration::from_secs(60);
        let epoch = Epoch(epoch);
        self.hear(ToClient::Welcome(Welcome { epoch, accepted_up_to, replay, engines, credit, session_grace }));
    }

    pub fn hear(&mut self, message: ToClient) -> Vec<Instruction> {
        self.give(Stimulus::Received(message))
    }

    pub fn events(&mut self, events: Vec<Event>) {
        self.hear(ToClient::Update(Update { events, ..Update::default() }));
    }

    pub fn update(&mut self, update: Update) {
        self.hear(ToClient::Update(update));
    }

    pub fn closed(&mut self, reason: CloseReason) {
        self.hear(ToClient::Closed { reason, message: "why".to_owned(), expected_index: 0 });
    }

    /// The line is free as often as there is something to say.
    pub fn say_all(&mut self) {
        while self.give(Stimulus::LineFree).iter().any(|out| matches!(out, Instruction::Send(_))) {}
    }

    pub fn cancel(&mut self, indexes: &[u64], mode: CancelMode) {
        self.give(Stimulus::Cancel { indexes: indexes.to_vec(), mode });
    }

    pub fn release(&mut self, blobs: &[u128]) {
        self.give(Stimulus::Release { blobs: blobs.iter().map(|blob| BlobId(*blob)).collect() });
    }

    /// A balanced call of a function, a task an argument.
    pub fn map(&mut self, function: &'static str, arguments: usize) {
        let placement =
            Placement::Balanced { engines: vec![EngineId(1)], labels: Vec::new(), retries: 1, queue_timeout: None };
        self.call(function, placement, arguments);
    }

    /// A direct call with one argument for all.
    pub fn apply(&mut self, function: &'static str, engines: &[u32]) {
        let engines = engines.iter().map(|id| EngineId(*id)).collect();
        self.call(function, Placement::Direct { engines }, 1);
    }

    /// A call of one task with a large argument.
    pub fn large(&mut self, function: &'static str, size: usize) {
        let placement =
            Placement::Balanced { engines: Vec::new(), labels: Vec::new(), retries: 0, queue_timeout: None };
        let (head, function) = named(function, placement);
        let argument = Payload { data: Bytes::from(vec![b'x'; size]), ..Payload::default() };
        self.submit(head, vec![argument], Some(function));
    }

    fn call(&mut self, name: &'static str, placement: Placement, arguments: usize) {
        let (head, function) = named(name, placement);
        let argument = |nth| Payload { data: Bytes::from(format!("argument {nth}")), ..Payload::default() };
        self.submit(head, (0..arguments).map(argument).collect(), Some(function));
    }

    /// A cell for some engines.
    pub fn execute(&mut self, source: &'static str, engines: &[u32]) {
        let work = Work::Execute { source: Bytes::from(source), silent: false, filename: Bytes::new() };
        let engines = engines.iter().map(|id| EngineId(*id)).collect();
        self.submit(CallHead::new(work, Placement::Direct { engines }), Vec::new(), None);
    }

    fn submit(&mut self, head: CallHead, arguments: Vec<Payload>, function: Option<Arc<Function>>) {
        let head = Arc::new(head);
        self.machine.submit(Arc::clone(&head), arguments.clone(), function.clone()).unwrap();
        self.note(What::Submitted { head, arguments, function });
        self.flush();
    }
}

fn named(name: &'static str, placement: Placement) -> (CallHead, Arc<Function>) {
    let data = Bytes::from(format!("def {name}"));
    let digest = Digest(Sha256::digest(&data).into());
    let payload = Payload { data, ..Payload::default() };
    let head = CallHead { name: Bytes::from(name), ..CallHead::new(Work::Function(digest), placement) };
    (head, Arc::new(Function { digest, payload, name: Bytes::from(name) }))
}

pub fn digest(name: &str) -> Digest {
    Digest(Sha256::digest(format!("def {name}")).into())
}

pub fn engine(id: u32) -> Arc<EngineInfo> {
    let labels = vec![(Bytes::from_static(b"rack"), Bytes::from_static(b"7"))];
    Arc::new(EngineInfo { id: EngineId(id), incarnation: Incarnation(u128::from(id)), peer: Bytes::new(), labels })
}

pub fn joined(id: u32) -> Event {
    Event { sequence: 0, kind: EventKind::EngineJoined(engine(id)) }
}

pub fn left(id: u32) -> Event {
    Event { sequence: 0, kind: EventKind::EngineLeft { engine: EngineId(id), reason: "connection closed".into() } }
}

pub fn claimed(sequence: u64, index: u64) -> Event {
    let claim = KnownClaim { index, attempt: 1, engine: EngineId(1), incarnation: Incarnation(1) };
    Event { sequence, kind: EventKind::Claimed(claim) }
}

pub fn wrote(sequence: u64, index: u64, offset: u64, data: &'static str, dropped: u64) -> Event {
    let output = Output { kind: OutputKind::Stdout, offset, data: Bytes::from(data), dropped };
    Event { sequence, kind: EventKind::Output { index, attempt: 1, engine: EngineId(1), output } }
}

pub fn finished(sequence: u64, index: u64) -> Event {
    finished_with(sequence, index, None)
}

/// With a part of the result in the blob store.
pub fn finished_with(sequence: u64, index: u64, blob: Option<u128>) -> Event {
    let mut outcome = Outcome::failed(FailureKind::Exception, "", String::new(), None);
    let blob = blob.map(|id| Buffer::Blob(BlobRef { id: BlobId(id), size: 100_000, kept: false }));
    let buffers = blob.into_iter().collect();
    outcome.value = Ok(Payload { data: Bytes::from_static(b"result"), buffers, ..Payload::default() });
    let kind = EventKind::Finished {
        index,
        attempt: 1,
        engine: Some(EngineId(1)),
        accepted_unix_nanos: 1,
        outcome: Arc::new(outcome),
    };
    Event { sequence, kind }
}
