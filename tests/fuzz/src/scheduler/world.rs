//! One scheduler among hostile peers.

use std::{collections::BTreeMap, time::Duration};

use paraply_common::wire::{engine_link as engine_wire, session_link as session_wire};
use paraply_core::{
    call::Call,
    engine_link::{Reports, ToEngine, ToScheduler as FromEngine},
    id::{AttemptId, BlobId, ConnectionId, EngineId, Epoch, Incarnation, TaskId},
    scheduler::{Config, Instruction, Scheduler, Stimulus},
    session_link::{ToClient, ToScheduler as FromSession},
    time::Time,
};
use paraply_proto::scheduler::v1::{AttachEngineRequest, EngineHello, OpenSessionRequest, SessionHello};

use super::honest::Honest;
use crate::{entry, names, peers::Peers, tally::Tally, wakes::Wakes};

/// Streams that are open at a time.
const STREAMS: usize = 6;
/// Tasks that an engine may speak of.
const GIVEN: usize = 64;

/// Who is at the other end of a stream.
enum Peer {
    Session {
        /// The index that it should send next.
        next: u64,
    },
    Engine {
        /// What it was given lately.
        given: Vec<AttemptId>,
    },
}

pub(crate) struct World {
    pub(super) peers: Peers,
    pub(super) scheduler: Scheduler,
    now: Time,
    connections: u64,
    open: BTreeMap<ConnectionId, Peer>,
    /// Questions are asked, too.
    asked: bool,
    /// Lines that are taken.
    taken: Vec<ConnectionId>,
    /// What the store has been given and has not confirmed.
    unconfirmed: u64,
    /// What honest peers were told.
    pub(crate) to_session: Vec<(ConnectionId, ToClient)>,
    pub(crate) to_engine: Vec<(ConnectionId, ToEngine)>,
    /// Everybody is served at once.
    pub(crate) prompt: bool,
}

impl entry::World for World {
    fn step(&mut self) -> Result<(), String> {
        self.act()
    }

    fn serve(&mut self) -> Result<(), String> {
        Honest::new(self).serve()
    }

    fn tally(&self) -> Tally {
        self.peers.tally
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut peers = Peers::new(seed);
        let random = &mut peers.random;
        let now = Time(1_000_000_000_000);
        let config = Config {
            sessions: 256,
            session_tasks: 300,
            session_bytes: 64 << 10,
            message_bytes: 16 << 10,
            function_bytes: 1 << 10,
            engine_outcomes: 4,
            session_grace: Duration::from_secs(random.between(1, 60)),
            durable: random.chance(300),
            ..Config::default()
        };
        let scheduler = Scheduler::new(config, Epoch(1), now);
        let (open, taken, to_session, to_engine) = (BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
        let (connections, unconfirmed, prompt, asked) = (0, 0, false, false);
        Self { peers, scheduler, now, connections, open, asked, taken, unconfirmed, to_session, to_engine, prompt }
    }

    /// One that is asked questions.
    pub(crate) fn asked(seed: u64) -> Self {
        Self { asked: true, ..Self::new(seed) }
    }

    fn act(&mut self) -> Result<(), String> {
        if self.asked && self.peers.random.chance(300) {
            return self.ask();
        }
        match self.peers.random.below(100) {
            0..4 => return self.pass(Duration::from_millis(self.peers.random.clone().below(12_000))),
            4..6 => self.break_one(),
            6..9 => {
                let blob = self.blob();
                self.scheduler.handle(self.now, Stimulus::BlobReady { blob });
            }
            9 => {
                let blob = self.blob();
                self.scheduler.handle(self.now, Stimulus::BlobGone { blob });
            }
            10 => {
                let engine = self.engine();
                self.scheduler.handle(self.now, Stimulus::MemberRemoved { engine });
            }
            11 => {
                let engines = (0..self.peers.random.below(3)).map(|_| (self.engine(), Incarnation(0))).collect();
                self.scheduler.handle(self.now, Stimulus::MembersKnown { engines });
            }
            12..18 => self.free_lines(),
            18..24 if self.open.len() < STREAMS => self.open_session(),
            24..34 if self.open.len() < STREAMS => self.open_engine(),
            _ => self.say(),
        }
        self.settle()
    }

    /// A connection of its own.
    pub(crate) fn connect(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    /// Something that an honest peer does.
    pub(crate) fn take(&mut self, stimulus: Stimulus) -> Result<(), String> {
        self.scheduler.handle(self.now, stimulus);
        self.settle()
    }

    pub(crate) fn pass(&mut self, time: Duration) -> Result<(), String> {
        let until = self.now + time;
        let mut wakes = Wakes::default();
        while let Some(next) = self.scheduler.next_timeout().filter(|next| *next <= until) {
            wakes.count()?;
            self.now = self.now.max(next);
            self.scheduler.handle(self.now, Stimulus::Tick);
            self.settle()?;
        }
        self.now = until;
        Ok(())
    }

    /// Carries out what the machine wants, until it wants nothing, and checks it each time.
    fn settle(&mut self) -> Result<(), String> {
        if self.prompt {
            self.free_lines();
        }
        loop {
            let mut wanted = Vec::new();
            self.scheduler.flush(self.now, &mut wanted);
            self.scheduler.check()?;
            if wanted.is_empty() {
                return Ok(());
            }
            for instruction in wanted {
                self.carry_out(instruction);
            }
        }
    }

    fn carry_out(&mut self, instruction: Instruction) {
        match instruction {
            Instruction::ToSession { connection, message } => {
                if let (ToClient::Welcome(welcome), Some(Peer::Session { next })) =
                    (&message, self.open.get_mut(&connection))
                {
                    *next = if welcome.replay { 0 } else { welcome.accepted_up_to };
                }
                self.wrote(connection);
                if self.prompt {
                    self.to_session.push((connection, message));
                }
            }
            Instruction::ToEngine { connection, message } => {
                if let (ToEngine::Orders(orders), Some(Peer::Engine { given })) =
                    (&message, self.open.get_mut(&connection))
                {
                    for call in &orders.assigned {
                        given.extend(call.tasks.iter().map(|task| AttemptId {
                            task: TaskId { session: call.session, index: task.index },
                            attempt: task.attempt,
                        }));
                    }
                    self.peers.tally.done += orders.assigned.len() as u64;
                    given.drain(..given.len().saturating_sub(GIVEN));
                }
                self.wrote(connection);
                if self.prompt {
                    self.to_engine.push((connection, message));
                }
            }
            Instruction::Close { connection, .. } => {
                self.open.remove(&connection);
                self.taken.retain(|taken| *taken != connection);
            }
            Instruction::Persist { sequence, .. } => {
                self.unconfirmed = sequence;
                if self.prompt || self.peers.random.chance(700) {
                    self.confirm();
                }
            }
            Instruction::BlobIsStored { .. }
            | Instruction::NobodyHasBlob { .. }
            | Instruction::DropBlob { .. }
            | Instruction::SessionForgotten { .. }
            | Instruction::EngineAttached { .. }
            | Instruction::EngineLost { .. } => {}
        }
    }

    fn wrote(&mut self, connection: ConnectionId) {
        if self.prompt || self.peers.random.chance(700) {
            self.scheduler.handle(self.now, Stimulus::LineFree { connection });
        } else {
            self.taken.push(connection);
        }
    }

    fn confirm(&mut self) {
        if self.unconfirmed > 0 {
            self.scheduler.handle(self.now, Stimulus::Persisted { up_to: self.unconfirmed });
        }
    }

    fn free_lines(&mut self) {
        for connection in std::mem::take(&mut self.taken) {
            self.scheduler.handle(self.now, Stimulus::LineFree { connection });
        }
        self.confirm();
    }

    fn break_one(&mut self) {
        let open: Vec<ConnectionId> = self.open.keys().copied().collect();
        if let Some(connection) = self.peers.random.pick(&open) {
            self.hang_up(connection);
        }
    }

    fn hang_up(&mut self, connection: ConnectionId) {
        self.open.remove(&connection);
        self.taken.retain(|taken| *taken != connection);
        self.scheduler.handle(self.now, Stimulus::Broken { connection });
    }

    fn blob(&mut self) -> BlobId {
        let name = names::bytes(&mut self.peers.random, "blob_id").unwrap_or_default();
        BlobId(<[u8; 16]>::try_from(&name[..]).map_or(0, u128::from_be_bytes))
    }

    fn engine(&mut self) -> EngineId {
        EngineId(u32::try_from(self.peers.random.below(names::ENGINES)).unwrap_or_default())
    }

    // What peers say.

    fn open_session(&mut self) {
        let Some(hello) = self.peers.message::<SessionHello>("paraply.scheduler.v1.SessionHello") else { return };
        let Some(hello) = self.peers.understood(session_wire::decode_hello(hello)) else { return };
        let connection = self.connect();
        self.open.insert(connection, Peer::Session { next: 0 });
        self.scheduler.handle(self.now, Stimulus::SessionOpened { connection, hello });
    }

    fn open_engine(&mut self) {
        let Some(hello) = self.peers.message::<EngineHello>("paraply.scheduler.v1.EngineHello") else { return };
        let Some(hello) = self.peers.understood(engine_wire::decode_hello(hello)) else { return };
        let connection = self.connect();
        self.open.insert(connection, Peer::Engine { given: Vec::new() });
        self.scheduler.handle(self.now, Stimulus::EngineOpened { connection, hello });
    }

    fn say(&mut self) {
        let open: Vec<ConnectionId> = self.open.keys().copied().collect();
        let Some(connection) = self.peers.random.pick(&open) else { return };
        let stimulus = match self.open.get(&connection) {
            Some(Peer::Session { next }) => {
                let next = *next;
                self.session_message(connection, next)
            }
            Some(Peer::Engine { given }) => {
                let given = given.clone();
                self.engine_message(connection, &given)
            }
            None => return,
        };
        match stimulus {
            Some(stimulus) => self.scheduler.handle(self.now, stimulus),
            // As the service does with what it cannot understand.
            None => self.hang_up(connection),
        }
    }

    fn session_message(&mut self, connection: ConnectionId, next: u64) -> Option<Stimulus> {
        let message = self.peers.message::<OpenSessionRequest>("paraply.scheduler.v1.OpenSessionRequest")?;
        let mut message = self.peers.understood(session_wire::decode_request(message))?;
        if let FromSession::Submit { calls, .. } | FromSession::Replay { calls, .. } = &mut message
            && self.peers.random.chance(900)
        {
            let after = number(calls, next);
            self.open.insert(connection, Peer::Session { next: after });
        }
        Some(Stimulus::SessionMessage { connection, message })
    }

    fn engine_message(&mut self, connection: ConnectionId, given: &[AttemptId]) -> Option<Stimulus> {
        let message = self.peers.message::<AttachEngineRequest>("paraply.scheduler.v1.AttachEngineRequest")?;
        let mut message = self.peers.understood(engine_wire::decode_request(message))?;
        if let FromEngine::Reports(reports) = &mut message {
            self.name(reports, given);
        }
        Some(Stimulus::EngineMessage { connection, message })
    }

    /// Has reports be mostly about what the engine was given.
    fn name(&mut self, reports: &mut Reports, given: &[AttemptId]) {
        let claimed = reports.claimed.iter_mut();
        let output = reports.output.iter_mut().map(|(attempt, _)| attempt);
        let finished = reports.finished.iter_mut().map(|(attempt, _)| attempt);
        let retracted = reports.retracted.iter_mut().map(|(attempt, _)| attempt);
        for attempt in claimed.chain(output).chain(finished).chain(retracted) {
            if self.peers.random.chance(800) {
                *attempt = self.peers.random.pick(given).unwrap_or(*attempt);
            }
        }
    }
}

/// Gives calls the indexes that a client would give them. Returns the next one.
fn number(calls: &mut [Call], mut next: u64) -> u64 {
    for call in calls {
        call.first_index = next;
        next = next.saturating_add(call.tasks());
    }
    next
}
