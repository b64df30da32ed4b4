//! One controller and all who call it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use paraply_common::{secret::Secret, wire::members};
use paraply_core::{
    id::{ConnectionId, EngineId, Incarnation},
    membership::{
        Autoscale, Config, Grant, Instruction, KeepAliveAnswer, Membership, Refusal, RequestId, Stimulus, WatchEvent,
        WatchKind,
    },
    time::Time,
};
use paraply_sim::Random;
use prost::Message as _;

use super::honest;
use crate::{entry, names, peers::Peers, tally::Tally, wakes::Wakes};

/// Streams that are open at a time.
const STREAMS: usize = 8;
/// What a message may have beside what it is cut at: framing.
const FRAMING: usize = 64;

/// A stream, and what its peer was told.
pub(super) enum Stream {
    KeepAlive,
    Watcher {
        kind: WatchKind,
        /// The engines that it knows of; `None` before the snapshot.
        known: Option<BTreeSet<EngineId>>,
    },
}

pub(crate) struct World {
    pub(super) peers: Peers,
    pub(super) machine: Membership,
    pub(super) config: Config,
    pub(super) token: Secret,
    pub(super) now: Time,
    numbers: u64,
    pub(super) open: BTreeMap<ConnectionId, Stream>,
    taken: Vec<ConnectionId>,
    /// Questions are asked, too.
    asked: bool,
    /// Who was given which id.
    pub(super) granted: BTreeMap<EngineId, Incarnation>,
    /// Up to where ids were given, as the state file has it.
    pub(super) kept: u32,
    /// Everybody is served at once.
    pub(super) prompt: bool,
    /// What honest callers were told.
    pub(super) answers: BTreeMap<RequestId, Result<Grant, Refusal>>,
    pub(super) told: Vec<(ConnectionId, KeepAliveAnswer)>,
}

impl entry::World for World {
    fn step(&mut self) -> Result<(), String> {
        if self.asked && self.peers.random.chance(300) {
            return self.ask();
        }
        match self.peers.random.below(100) {
            0..6 => return self.pass(Duration::from_millis(self.peers.random.clone().below(4000))),
            6..10 => self.break_one(),
            10..20 => self.free_lines(),
            20..26 if self.open.len() < STREAMS => self.watch(),
            26..44 => self.keep_alive(),
            44..48 => self.deregister(),
            48..50 => self.remove(),
            50..51 => self.drain(),
            51..53 => self.scale(),
            53..58 => self.signal(),
            _ => self.register(),
        }
        self.settle()
    }

    fn serve(&mut self) -> Result<(), String> {
        honest::serve(self)
    }

    fn tally(&self) -> Tally {
        self.peers.tally
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut peers = Peers::new(seed);
        let random = &mut peers.random;
        let config = Config {
            lease: Duration::from_secs(random.between(1, 10)),
            scheduler_wait: Duration::from_secs(2),
            waiting_engines: 3,
            engines: 6,
            description_bytes: 400,
            message_bytes: 600,
            id_reach: 50,
            reported_engines: 5,
            idle: Duration::from_millis(random.between(0, 3000)),
            autoscale: random.chance(500).then(|| autoscale(random)),
        };
        let known = random.pick(&[None, Some(0), Some(3)]).flatten();
        let now = Time(1_000_000_000_000);
        Self {
            machine: Membership::new(config, known),
            token: token(),
            peers,
            config,
            now,
            numbers: 0,
            open: BTreeMap::new(),
            taken: Vec::new(),
            asked: false,
            granted: BTreeMap::new(),
            kept: known.unwrap_or_default(),
            prompt: false,
            answers: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    /// One that is asked questions.
    pub(crate) fn asked(seed: u64) -> Self {
        Self { asked: true, ..Self::new(seed) }
    }

    pub(super) fn give(&mut self, stimulus: Stimulus) {
        self.machine.handle(self.now, stimulus);
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn engine(&mut self) -> EngineId {
        EngineId(u32::try_from(self.peers.random.below(2 * names::ENGINES)).unwrap_or_default())
    }

    pub(super) fn break_one(&mut self) {
        let open: Vec<ConnectionId> = self.open.keys().copied().collect();
        if let Some(connection) = self.peers.random.pick(&open) {
            self.hang_up(connection);
        }
    }

    pub(super) fn hang_up(&mut self, connection: ConnectionId) {
        self.open.remove(&connection);
        self.taken.retain(|taken| *taken != connection);
        self.give(Stimulus::Broken { connection });
    }

    fn free_lines(&mut self) {
        for connection in std::mem::take(&mut self.taken) {
            self.give(Stimulus::LineFree { connection });
        }
    }

    pub(super) fn pass(&mut self, time: Duration) -> Result<(), String> {
        let until = self.now + time;
        let mut wakes = Wakes::default();
        while let Some(next) = self.machine.next_timeout().filter(|next| *next <= until) {
            wakes.count()?;
            self.now = self.now.max(next);
            self.give(Stimulus::Tick);
            self.settle()?;
        }
        self.now = until;
        Ok(())
    }

    /// Carries out what the machine wants, until it wants nothing, and checks it each time.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        loop {
            if self.prompt {
                self.free_lines();
            }
            let mut wanted = Vec::new();
            self.machine.flush(self.now, &mut wanted);
            self.machine.check()?;
            if wanted.is_empty() {
                return Ok(());
            }
            for instruction in wanted {
                self.carry_out(instruction)?;
            }
        }
    }

    fn carry_out(&mut self, instruction: Instruction) -> Result<(), String> {
        match instruction {
            Instruction::Persist { next_engine_id } => self.kept = self.kept.max(next_engine_id),
            Instruction::Answer { request, answer } => {
                if let Ok(grant) = &answer {
                    self.grant(grant)?;
                }
                if self.prompt {
                    self.answers.insert(request, answer);
                }
            }
            Instruction::ToMember { connection, answer } => {
                self.wrote(connection)?;
                let size = members::encode_keep_alive(answer.clone()).encoded_len();
                // Endpoints, which count as description, and the longest names of signals that wait.
                if size > self.config.description_bytes + 64 * 40 {
                    return Err(format!("a member is told {size} bytes"));
                }
                if self.prompt {
                    self.told.push((connection, answer));
                }
            }
            Instruction::ToWatcher { connection, event } => {
                self.wrote(connection)?;
                self.tell(connection, event)?;
            }
            Instruction::Close { connection, .. } => {
                self.open.remove(&connection);
                self.taken.retain(|taken| *taken != connection);
            }
            Instruction::SchedulerAt { .. } => {}
        }
        Ok(())
    }

    /// An id is given once, and only after that was kept.
    fn grant(&mut self, grant: &Grant) -> Result<(), String> {
        self.peers.tally.done += 1;
        let id = EngineId(grant.member_id);
        if id > EngineId::MOST {
            return Ok(());
        }
        if id.0 >= self.kept {
            return Err(format!("engine id {id} was given, and {} are kept", self.kept));
        }
        match self.granted.insert(id, grant.incarnation) {
            Some(before) if before != grant.incarnation => {
                Err(format!("engine id {id} was given to {before:?} and to {:?}", grant.incarnation))
            }
            _ => Ok(()),
        }
    }

    fn wrote(&mut self, connection: ConnectionId) -> Result<(), String> {
        if self.taken.contains(&connection) || !self.open.contains_key(&connection) {
            return Err(format!("a message went to {connection:?}, whose line is not free"));
        }
        if !self.prompt && self.peers.random.chance(700) {
            self.give(Stimulus::LineFree { connection });
        } else {
            self.taken.push(connection);
        }
        Ok(())
    }

    /// A watcher hears of engines that come before it hears that they left.
    fn tell(&mut self, connection: ConnectionId, event: WatchEvent) -> Result<(), String> {
        let Some(Stream::Watcher { kind, known }) = self.open.get_mut(&connection) else {
            return Err(format!("{connection:?} does not watch, and is told {event:?}"));
        };
        match (&event, known) {
            (WatchEvent::Snapshot(engines), known @ None) => {
                *known = Some(engines.iter().map(|engine| engine.info.id).collect());
            }
            (WatchEvent::Changed(engine), Some(known)) => {
                known.insert(engine.info.id);
            }
            (WatchEvent::Removed(id), Some(known)) if known.contains(id) => {
                known.remove(id);
            }
            (WatchEvent::Scale(_), Some(_)) if *kind == WatchKind::Launcher => {}
            (_, known) => return Err(format!("a watcher that knows {known:?} is told {event:?}")),
        }
        let size = match kind {
            WatchKind::Status | WatchKind::Launcher => members::encode_engine_event(event).encoded_len(),
            WatchKind::Members => members::encode_member_event(event).encoded_len(),
        };
        if size <= self.config.message_bytes + FRAMING {
            Ok(())
        } else {
            Err(format!("a watcher is told {size} bytes"))
        }
    }
}

fn autoscale(random: &mut Random) -> Autoscale {
    let mut draw = |below| u32::try_from(random.below(below)).unwrap_or_default();
    let (min, begun) = (draw(3), draw(9));
    Autoscale { min, max: min + draw(5), begun, ..Autoscale::default() }
}

#[allow(clippy::unwrap_used, reason = "the text is a constant that is long enough")]
fn token() -> Secret {
    Secret::try_from("the engine token of this cluster".replace(' ', "-")).unwrap()
}
