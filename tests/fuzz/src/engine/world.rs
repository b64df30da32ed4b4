//! One engine and its scheduler.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use paraply_common::{
    transport::MAX_MESSAGE_BYTES,
    wire::engine_link::{decode_request, decode_response, encode_request},
};
use paraply_core::{
    engine_link::{Credit, Orders, Reports, ToEngine, ToScheduler},
    engine_session::{Config, EngineSession, ExitReason, Instruction, Stimulus},
    id::{AttemptId, EngineId, Incarnation, TaskId},
    outcome::{FailureKind, Outcome},
    payload::Payload,
    session_link::{CancelMode, EngineInfo},
    time::Time,
};
use paraply_proto::scheduler::v1::AttachEngineResponse;
use prost::Message as _;

use super::{honest::Honest, runtime::Runtime};
use crate::{entry, peers::Peers, tally::Tally, wakes::Wakes};

/// Tasks that the scheduler speaks of.
const GIVEN: usize = 64;

/// The stream, as the shell has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stream {
    None,
    Dialling,
    Open,
}

/// Why the engine may leave.
#[derive(Debug, Default)]
struct Leave {
    ordered: bool,
    drained: bool,
    killed: bool,
}

pub(crate) struct World {
    pub(super) peers: Peers,
    pub(super) machine: EngineSession,
    config: Config,
    pub(super) runtime: Runtime,
    /// Arguments that are on their way.
    fetches: BTreeMap<AttemptId, Payload>,
    pub(super) now: Time,
    stream: Stream,
    line_taken: bool,
    /// What the scheduler has given lately.
    given: Vec<AttemptId>,
    /// Tasks and bytes that were granted on this stream, and not used.
    room: Credit,
    /// The same, in total.
    granted: Credit,
    leave: Leave,
    pub(super) exited: bool,
    /// What an honest scheduler was told.
    pub(super) said: Vec<ToScheduler>,
    /// Everything goes at once.
    pub(super) prompt: bool,
}

impl entry::World for World {
    fn step(&mut self) -> Result<(), String> {
        if self.exited {
            self.start();
        }
        match self.peers.random.below(1000) {
            0..40 => {
                let most = self.peers.random.pick(&[10, 3000]).unwrap_or_default();
                self.pass(Duration::from_millis(self.peers.random.clone().below(most)))?;
            }
            40..60 => self.hang_up(),
            60..140 => self.free_line(),
            140..340 => self.work(false),
            340..342 => {
                self.leave.drained = true;
                self.give(Stimulus::Drain);
            }
            342..346 => self.register(),
            _ => self.hear()?,
        }
        self.settle()
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
        let config = Config {
            task_window: random.pick(&[1, 3, 20]).unwrap_or(1),
            byte_window: random.pick(&[50, 1000]).unwrap_or(50),
            function_cache_bytes: random.pick(&[0, 30]).unwrap_or(0),
            output_bytes: random.pick(&[100, 1000]).unwrap_or(100),
            outcomes: random.pick(&[5, 1000]).unwrap_or(5),
            message_bytes: random.pick(&[200, 10_000]).unwrap_or(200),
            orphan_timeout: Duration::from_secs(1 << 20),
            ..Config::default()
        };
        let now = Time(1_000_000_000_000);
        let machine = EngineSession::new(config, now);
        let mut world = Self {
            peers,
            machine,
            config,
            runtime: Runtime::default(),
            fetches: BTreeMap::new(),
            now,
            stream: Stream::None,
            line_taken: false,
            given: Vec::new(),
            room: Credit::default(),
            granted: Credit::default(),
            leave: Leave::default(),
            exited: false,
            said: Vec::new(),
            prompt: false,
        };
        world.register();
        world
    }

    /// Another process in the place of the one that left.
    fn start(&mut self) {
        self.machine = EngineSession::new(self.config, self.now);
        (self.runtime, self.leave) = (Runtime::default(), Leave::default());
        self.fetches.clear();
        (self.stream, self.line_taken, self.exited) = (Stream::None, false, false);
        self.register();
    }

    /// It can leave of itself only if somebody wanted it to.
    pub(super) fn may_leave(&self) -> bool {
        self.leave.ordered || self.leave.drained || self.leave.killed
    }

    pub(super) fn give(&mut self, stimulus: Stimulus) {
        self.machine.handle(self.now, stimulus);
    }

    /// The runtime does something.
    pub(super) fn work(&mut self, prompt: bool) {
        self.fetched();
        if let Some(stimulus) = self.runtime.goes_on(&mut self.peers.random, prompt) {
            self.peers.tally.done += u64::from(matches!(stimulus, Stimulus::Finished { .. }));
            self.give(stimulus);
        }
    }

    /// The scheduler ends the stream, or does not take it.
    pub(super) fn hang_up(&mut self) {
        if self.stream != Stream::None {
            self.stream = Stream::None;
            self.give(Stimulus::Broken);
        }
    }

    pub(super) fn free_line(&mut self) {
        if std::mem::take(&mut self.line_taken) {
            self.give(Stimulus::LineFree);
        }
    }

    fn register(&mut self) {
        let random = &mut self.peers.random;
        let id = EngineId(u32::try_from(random.below(2)).unwrap_or_default());
        let incarnation = Incarnation(u128::from(random.below(2)));
        let info = EngineInfo { id, incarnation, peer: Bytes::new(), labels: Vec::new() };
        self.give(Stimulus::Registered { info: Arc::new(info) });
    }

    /// Something comes on the stream, or the stream comes about.
    fn hear(&mut self) -> Result<(), String> {
        match self.stream {
            Stream::None => return self.pass(Duration::from_millis(100)),
            Stream::Dialling if self.peers.random.chance(900) => self.connect(),
            Stream::Dialling => self.hang_up(),
            Stream::Open => match self.message() {
                Some(message) => self.give(Stimulus::Received(message)),
                // As the shell does with what it cannot understand.
                None => self.hang_up(),
            },
        }
        Ok(())
    }

    pub(super) fn connect(&mut self) {
        if self.stream == Stream::Dialling {
            (self.stream, self.line_taken) = (Stream::Open, false);
            self.give(Stimulus::Connected);
        }
    }

    fn message(&mut self) -> Option<ToEngine> {
        let message = self.peers.message::<AttachEngineResponse>("paraply.scheduler.v1.AttachEngineResponse")?;
        let mut message = self.peers.understood(decode_response(message))?;
        match &mut message {
            // A second welcome ends the stream, and orders before the first do.
            ToEngine::Welcome(_) if self.machine.is_attached() && self.peers.random.chance(950) => {
                return Some(ToEngine::Heartbeat);
            }
            ToEngine::Orders(_) if !self.machine.is_attached() && self.peers.random.chance(950) => {
                return self.message();
            }
            ToEngine::Orders(orders) => self.name(orders),
            ToEngine::Welcome(welcome) => self.rename(welcome.dropped.iter_mut()),
            ToEngine::Heartbeat => {}
        }
        Some(message)
    }

    /// Has orders be mostly about what the engine was given, and notes what they may lead to.
    fn name(&mut self, orders: &mut Orders) {
        self.leave.ordered |= orders.exit;
        self.leave.drained |= orders.drain;
        for (_, mode) in &orders.cancel {
            self.leave.killed |= matches!(mode, CancelMode::Interrupt { kill_after: Some(_) });
        }
        if self.peers.random.chance(970) {
            self.keep_to_credit(orders);
        }
        for call in &mut orders.assigned {
            // Something that it has given before, and perhaps taken back.
            if let Some(again) = self.peers.random.pick(&self.given).filter(|_| self.peers.random.chance(200)) {
                call.session = again.task.session;
                for task in &mut call.tasks {
                    (task.index, task.attempt) = (again.task.index, again.attempt);
                }
            }
            let task = |index| TaskId { session: call.session, index };
            let attempts = call.tasks.iter().map(|each| AttemptId { task: task(each.index), attempt: each.attempt });
            self.given.extend(attempts);
        }
        self.given.drain(..self.given.len().saturating_sub(GIVEN));
        let cancelled = orders.cancel.iter_mut().map(|(attempt, _)| attempt);
        let others = orders.retract.iter_mut().chain(&mut orders.acked).chain(&mut orders.start);
        self.rename(cancelled.chain(others));
    }

    /// Leaves out what was not granted.
    fn keep_to_credit(&mut self, orders: &mut Orders) {
        let room = &mut self.room;
        for call in &mut orders.assigned {
            call.tasks.retain(|task| {
                let bytes = task.arguments.inline_size();
                let fits = room.total_tasks > 0 && bytes <= room.total_bytes;
                if fits {
                    *room = Credit { total_tasks: room.total_tasks - 1, total_bytes: room.total_bytes - bytes };
                }
                fits
            });
        }
    }

    fn grant(&mut self, total: Credit) {
        self.room.total_tasks += total.total_tasks.saturating_sub(self.granted.total_tasks);
        self.room.total_bytes += total.total_bytes.saturating_sub(self.granted.total_bytes);
        self.granted = total;
    }

    fn rename<'a>(&mut self, attempts: impl Iterator<Item = &'a mut AttemptId>) {
        for attempt in attempts {
            if self.peers.random.chance(800) {
                *attempt = self.peers.random.pick(&self.given).unwrap_or(*attempt);
            }
        }
    }

    pub(super) fn pass(&mut self, time: Duration) -> Result<(), String> {
        let until = self.now + time;
        let mut wakes = Wakes::default();
        while let Some(next) = self.machine.next_timeout().filter(|next| *next <= until && !self.exited) {
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
        while !self.exited {
            let mut wanted = Vec::new();
            self.machine.flush(self.now, &mut wanted);
            self.machine.check()?;
            if wanted.is_empty() {
                return Ok(());
            }
            for instruction in wanted {
                self.carry_out(instruction)?;
            }
            if self.prompt {
                self.free_line();
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, instruction: Instruction) -> Result<(), String> {
        match instruction {
            Instruction::Dial => self.stream = Stream::Dialling,
            Instruction::HangUp => self.stream = Stream::None,
            Instruction::Run(tasks) => self.runtime.run(tasks)?,
            Instruction::Interrupt { attempt } => {
                if let Some(stimulus) = self.runtime.interrupt(attempt) {
                    self.give(stimulus);
                }
            }
            Instruction::Send(message) => return self.sent(message),
            Instruction::Exit { reason } => return self.left(reason),
            Instruction::Fetch { attempt, arguments } => {
                if self.fetches.insert(attempt, arguments).is_some() {
                    return Err(format!("{attempt:?} is fetched twice at a time"));
                }
            }
            Instruction::FetchNow { attempt } if self.fetches.contains_key(&attempt) => {}
            Instruction::FetchNow { attempt } => return Err(format!("{attempt:?} is in a hurry, and is not fetched")),
            Instruction::GiveUpFetch { attempt } => {
                self.fetches.remove(&attempt);
            }
            Instruction::StoreBlob { blob } => {
                let stored = self.prompt || self.peers.random.chance(700);
                self.give(if stored { Stimulus::BlobStored { blob } } else { Stimulus::BlobNotStored { blob } });
            }
            Instruction::PassOn(_) | Instruction::DropBlob { .. } => {}
        }
        Ok(())
    }

    /// A fetch comes to its end.
    fn fetched(&mut self) {
        let Some((attempt, mut arguments)) = self.fetches.pop_first() else { return };
        if !self.prompt && self.peers.random.chance(200) {
            let outcome = Outcome::failed(FailureKind::Refused, "ArgumentsLost", String::new(), None);
            return self.give(Stimulus::NotFetched { attempt, outcome });
        }
        (arguments.data_blob, arguments.buffers) = (None, Vec::new());
        self.give(Stimulus::Fetched { attempt, arguments });
    }

    /// What the engine says can be said, and is understood.
    fn sent(&mut self, message: ToScheduler) -> Result<(), String> {
        if self.stream != Stream::Open || std::mem::replace(&mut self.line_taken, true) {
            return Err(format!("a message went on a line that was not free: {message:?}"));
        }
        let wire = encode_request(message.clone(), &Bytes::new());
        if wire.encoded_len() > MAX_MESSAGE_BYTES {
            return Err(format!("a message has {} bytes", wire.encoded_len()));
        }
        match decode_request(wire) {
            Ok(decoded) if decoded == message => {}
            other => return Err(format!("a scheduler makes {other:?} of {message:?}")),
        }
        match &message {
            ToScheduler::Hello(hello) => {
                (self.room, self.granted) = (Credit::default(), Credit::default());
                self.grant(hello.credit);
            }
            ToScheduler::Reports(Reports { credit: Some(credit), .. }) => self.grant(*credit),
            ToScheduler::Reports(_) | ToScheduler::Heartbeat => {}
        }
        if self.prompt {
            self.said.push(message);
        } else if self.peers.random.chance(700) {
            self.free_line();
        }
        Ok(())
    }

    fn left(&mut self, reason: ExitReason) -> Result<(), String> {
        self.exited = true;
        let wanted = match reason {
            ExitReason::Ordered => self.leave.ordered,
            ExitReason::Drained => self.leave.drained,
            ExitReason::Killed => self.leave.killed,
            ExitReason::Orphaned => false,
        };
        if wanted { Ok(()) } else { Err(format!("the engine left, {reason:?}, and nobody wanted it to")) }
    }
}
