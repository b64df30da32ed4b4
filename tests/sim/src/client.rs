//! A client: the session machine, a person who submits, and the thinnest of shells.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use paraply_core::{
    call::CallHead,
    client_session::{ClientSession, Config, EndReason, Instruction, Stimulus},
    id::{BlobId, ConnectionId, EngineId, Epoch, SessionId, TaskId},
    payload::{BlobRef, Buffer, Function, Payload},
    session_link::{CancelMode, EventKind, ToClient, ToScheduler},
    time::Time,
};

use crate::{
    agenda::{Event, Pid, Place},
    network::{Ending, Kind, Message, Side},
    oracle::Violation,
    program::Program,
    record::What,
    setting::GRACE,
    transfers::{ARGUMENTS_LOST, Reading},
    world::{Clock, World},
};

/// One process.
#[derive(Debug)]
pub struct ClientProcess {
    /// Which.
    pub pid: Pid,
    /// Which.
    pub session: SessionId,
    /// When it acts by itself.
    pub clock: Clock,
    /// The machine.
    pub machine: ClientSession,
    /// Its stream.
    pub link: Option<ConnectionId>,
    /// Tasks without a result.
    pub open: BTreeSet<u64>,
    /// The engines that it was told of, as events came.
    pub engines: BTreeSet<EngineId>,
    /// It was told to close.
    pub closing: bool,
    dial: u64,
    /// Large arguments of open tasks: kept until the result is held, uploaded to each scheduler.
    blobs: BTreeMap<u64, (u64, Vec<BlobId>)>,
    /// Large arguments that go nowhere before an engine reads them, and of which task.
    pub kept: BTreeMap<BlobId, u64>,
    /// Tasks whose engine had all of them, and in which epoch.
    taken: BTreeMap<u64, Option<Epoch>>,
    /// Parts of results that the person reads.
    pub reading: BTreeSet<BlobId>,
    epoch: Option<Epoch>,
    /// The last event that this scheduler has told it of.
    pub heard: u64,
    /// When the scheduler was heard last.
    heard_at: Time,
}

impl World {
    /// A client starts.
    pub fn start_client(&mut self, pid: Pid, slot: usize, session: SessionId) {
        let mut config = Config { session, ..self.setting.client.clone() };
        config.dial.jitter_seed = self.random.any();
        config.cancel_on_disconnect = self.random.chance(50);
        self.oracle.client_started(session, config.cancel_on_disconnect);
        self.recorder.starts(slot, &config);
        self.clients[slot] = Some(ClientProcess {
            pid,
            session,
            clock: Clock::default(),
            machine: ClientSession::new(config, self.now),
            link: None,
            open: BTreeSet::new(),
            engines: BTreeSet::new(),
            closing: false,
            dial: 0,
            blobs: BTreeMap::new(),
            kept: BTreeMap::new(),
            taken: BTreeMap::new(),
            reading: BTreeSet::new(),
            epoch: None,
            heard: 0,
            heard_at: self.now,
        });
    }

    /// Gives the machine a stimulus.
    pub fn to_client(&mut self, slot: usize, stimulus: Stimulus) {
        let now = self.now;
        let Some(process) = &mut self.clients[slot] else { return };
        self.story.tell(now, || format!("client {slot} <- {stimulus:?}"));
        self.recorder.note(slot, now, || What::Given(stimulus.clone()));
        process.machine.handle(now, stimulus);
        self.stimuli += 1;
        let pid = process.pid;
        self.flush_later(pid);
    }

    /// The person makes a call.
    pub fn submit(
        &mut self,
        slot: usize,
        head: CallHead,
        arguments: Vec<Payload>,
        function: Option<Arc<Function>>,
    ) -> Option<Range<u64>> {
        let now = self.now;
        let process = self.clients[slot].as_mut()?;
        let (kept, stored): (Vec<_>, Vec<_>) = arguments.iter().flat_map(Payload::blobs).partition(|blob| blob.kept);
        let blobs: Vec<BlobId> = stored.into_iter().map(|blob| blob.id).collect();
        let head = Arc::new(head);
        self.recorder.note(slot, now, || What::Submitted {
            head: Arc::clone(&head),
            arguments: arguments.clone(),
            function: function.clone(),
        });
        let indexes = match process.machine.submit(Arc::clone(&head), arguments, function) {
            Ok(indexes) => indexes,
            Err(error) => {
                self.violation.get_or_insert(Violation { task: None, what: format!("a call was refused: {error}") });
                return None;
            }
        };
        self.stimuli += 1;
        process.open.extend(indexes.clone());
        process.kept.extend(kept.into_iter().map(|blob| (blob.id, indexes.start)));
        if !blobs.is_empty() {
            process.blobs.insert(indexes.start, (indexes.end, blobs.clone()));
        }
        let (pid, session) = (process.pid, process.session);
        self.story.tell(now, || format!("client {slot} submits {session:?}_{indexes:?}: {head:?}"));
        self.oracle.submitted(session, indexes.clone(), &head);
        if self.knows_session(session) {
            self.upload_all(session, &blobs);
        }
        self.flush_later(pid);
        Some(indexes)
    }

    fn upload_all(&mut self, session: SessionId, blobs: &[BlobId]) {
        for blob in blobs {
            let delay = self.random.micros(10, 20_000);
            let arrives = !self.random.chance(40);
            self.upload(*blob, session, delay, arrives);
        }
    }

    /// An upload was refused: the person gets an error, and does not wait for the call.
    pub fn upload_failed(&mut self, blob: BlobId) {
        for slot in 0..self.clients.len() {
            let Some(process) = &self.clients[slot] else { continue };
            let calls = process.blobs.iter().filter(|(_, (_, blobs))| blobs.contains(&blob));
            let indexes: Vec<u64> =
                calls.flat_map(|(first, (end, _))| process.open.range(*first..*end)).copied().collect();
            if !indexes.is_empty() {
                self.cancel(slot, indexes, CancelMode::Abort);
            }
        }
    }

    /// A message of its stream.
    pub fn client_hears(&mut self, slot: usize, message: Message) {
        let Message::SessionDown(message) = message else { return };
        if let Some(process) = &mut self.clients[slot]
            && let ToClient::Welcome(welcome) = &message
            && process.epoch.replace(welcome.epoch) != Some(welcome.epoch)
        {
            process.heard = 0;
            // Another scheduler, which has none of the blobs.
            let (session, blobs): (_, Vec<_>) =
                (process.session, process.blobs.values().flat_map(|(_, blobs)| blobs).copied().collect());
            self.upload_all(session, &blobs);
        }
        if let Some(process) = &mut self.clients[slot] {
            self.oracle.client_hears(process.session, &message);
            if let ToClient::Update(update) = &message {
                process.heard = update.events.iter().map(|event| event.sequence).fold(process.heard, u64::max);
            }
            if !matches!(message, ToClient::Closed { .. }) {
                process.heard_at = self.now;
            }
        }
        self.to_client(slot, Stimulus::Received(message));
    }

    /// The line is free.
    pub fn client_line_free(&mut self, slot: usize) {
        self.to_client(slot, Stimulus::LineFree);
    }

    /// Its stream ended.
    pub fn client_lost(&mut self, slot: usize) {
        if let Some(process) = &mut self.clients[slot] {
            process.link = None;
            self.to_client(slot, Stimulus::Broken);
        }
    }

    /// Its stream is there; says whether it is wanted.
    pub fn client_connected(&mut self, slot: usize, connection: ConnectionId, dial: u64) -> bool {
        let Some(process) = self.clients[slot].as_mut().filter(|process| process.dial == dial) else { return false };
        process.link = Some(connection);
        self.to_client(slot, Stimulus::Connected);
        true
    }

    /// Its dial was refused.
    pub fn client_refused(&mut self, slot: usize, dial: u64) {
        if self.clients[slot].as_ref().is_some_and(|process| process.dial == dial) {
            self.to_client(slot, Stimulus::Broken);
        }
    }

    /// Time passed.
    pub fn client_wakes(&mut self, slot: usize) {
        if let Some(process) = &mut self.clients[slot] {
            process.clock.armed = None;
            self.to_client(slot, Stimulus::Tick);
        }
    }

    /// The person cancels something.
    pub fn cancel(&mut self, slot: usize, indexes: Vec<u64>, mode: CancelMode) {
        if let Some(process) = &self.clients[slot] {
            self.oracle.cancelled(process.session, &indexes);
            self.to_client(slot, Stimulus::Cancel { indexes, mode });
        }
    }

    /// The person closes the client.
    pub fn close_client(&mut self, slot: usize) {
        if let Some(process) = &mut self.clients[slot] {
            process.closing = true;
            self.to_client(slot, Stimulus::Close);
        }
    }

    /// Carries out what the machine says.
    pub fn flush_client(&mut self, slot: usize) {
        let now = self.now;
        let Some(process) = &mut self.clients[slot] else { return };
        process.clock.flush_due = false;
        let mut out = Vec::new();
        process.machine.flush(now, &mut out);
        let checked = process.machine.check();
        self.recorder.note(slot, now, || What::Flushed(out.clone()));
        let due = process.machine.next_timeout();
        Self::rearm(&mut self.agenda, now, process.pid, &mut process.clock, due);
        self.check_machine(checked);
        for instruction in out {
            self.story.tell(now, || format!("client {slot} -> {instruction:?}"));
            self.client_does(slot, instruction);
        }
    }

    fn client_does(&mut self, slot: usize, instruction: Instruction) {
        let (name, now) = (self.name(), self.now);
        let Some(process) = &mut self.clients[slot] else { return };
        match instruction {
            Instruction::Dial => {
                process.dial = name;
                let pid = process.pid;
                self.dial(pid, Kind::Session, name);
            }
            Instruction::Send(message) => {
                if let Some(link) = process.link {
                    let result = self.oracle.client_says(process.session, &message);
                    self.check(result);
                    let unfinished = matches!(&message, ToScheduler::Replay { complete: false, .. });
                    self.send(link, Side::Caller, Message::SessionUp(message));
                    if unfinished && self.random.chance(20) {
                        let at = self.now + self.random.micros(100, 2000);
                        let endings = [Ending::Abrupt; 2];
                        self.agenda.at(at, Event::Cut { connection: link, endings });
                    }
                }
            }
            Instruction::HangUp => {
                process.dial = 0;
                if let Some(link) = process.link.take() {
                    self.hang_up(link, Side::Caller);
                }
            }
            Instruction::PassOn(want) if process.kept.contains_key(&want.blob) => {
                let pid = process.pid;
                self.pass_on(pid, want);
            }
            Instruction::PassOn(want) => self.to_client(slot, Stimulus::Release { blobs: vec![want.blob] }),
            Instruction::BlobTaken { blob } => {
                let taken = process.kept.remove(&blob).map(|index| (index, process.epoch));
                process.taken.extend(taken);
            }
            Instruction::Deliver(events) => {
                for event in events {
                    self.delivered(slot, &event.kind);
                }
            }
            Instruction::Ended { reason } => {
                let open = process.open.len();
                let stayed_away = reason == EndReason::Expired && now.since(process.heard_at) >= GRACE;
                if !process.closing && !stayed_away {
                    let what = format!("client {slot} was told {reason:?} with {open} tasks open");
                    self.check(Err(Violation { task: None, what }));
                }
                self.kill(Place::Client(slot), Ending::Clean);
            }
        }
    }

    fn delivered(&mut self, slot: usize, event: &EventKind) {
        let attached = self.scheduler.as_ref().map(|scheduler| scheduler.machine.status().engines);
        let Some(process) = &mut self.clients[slot] else { return };
        match event {
            EventKind::EngineJoined(info) => {
                process.engines.insert(info.id);
            }
            EventKind::EngineLeft { engine, .. } => {
                process.engines.remove(engine);
            }
            EventKind::Finished { index, outcome, .. } => {
                let (session, index) = (process.session, *index);
                let id = TaskId { session, index };
                let first = process.open.remove(&index);
                process.kept.retain(|_, of| *of != index);
                let (taken, now_epoch) = (process.taken.remove(&index), process.epoch);
                let open = &process.open;
                process.blobs.retain(|first, (end, _)| open.range(*first..*end).next().is_some());
                let listed = process.engines.clone();
                let attached: BTreeSet<_> = attached.into_iter().flatten().map(|engine| engine.info.id).collect();
                let result = self.oracle.delivered(id, first, outcome, &listed, &attached);
                self.check(result);
                // What its engine came to may go with a scheduler; to be run again it would need them again.
                let again = taken.is_some_and(|epoch| epoch != now_epoch);
                if outcome.value.as_ref().is_err_and(|failure| failure.type_name == ARGUMENTS_LOST) && !again {
                    self.check(Err(Violation::of(id, "has lost bytes of its arguments")));
                }
                for blob in outcome.blobs() {
                    self.read_result(slot, blob.id);
                }
            }
            EventKind::Claimed(claim) => process.kept.retain(|_, of| *of != claim.index),
            EventKind::Output { .. } | EventKind::Unknown => {}
        }
    }

    /// The person reads a part of a result at some time, or does not want it.
    fn read_result(&mut self, slot: usize, blob: BlobId) {
        let later = match self.random.below(10) {
            0..=2 => return self.release(slot, blob),
            3..=6 => self.random.micros(1, 2000),
            7..=8 => self.random.micros(1000, 500_000),
            _ => self.random.micros(1_000_000, 30_000_000),
        };
        let Some(process) = &mut self.clients[slot] else { return };
        process.reading.insert(blob);
        let reading = Reading { reader: process.pid, task: None, blob, session: process.session };
        self.agenda.at(self.now + later, Event::Read(reading));
    }

    /// The person has read a part of a result, or does not want it.
    pub fn release(&mut self, slot: usize, blob: BlobId) {
        if let Some(process) = &mut self.clients[slot] {
            process.reading.remove(&blob);
            self.to_client(slot, Stimulus::Release { blobs: vec![blob] });
        }
    }

    /// Arguments for a task that runs this program, with a large part sometimes, which may be `kept` by the client.
    pub fn arguments(&mut self, program: Program, may_keep: bool) -> Payload {
        let padding = self.random.index(60);
        let data = program.encode(padding);
        let mut payload = Payload { data, ..Payload::default() };
        if self.random.chance(if may_keep { 300 } else { 120 }) {
            let id = BlobId(u128::from(self.name()));
            let kept = may_keep && self.random.chance(800);
            payload.buffers.push(Buffer::Blob(BlobRef { id, size: 100_000, kept }));
        }
        payload
    }
}
