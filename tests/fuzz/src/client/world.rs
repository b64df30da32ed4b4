//! One client and its scheduler.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use paraply_common::wire::{
    payload,
    session_link::{decode_request, decode_response, encode_request},
};
use paraply_core::{
    call::{CallHead, Placement, Work},
    client_session::{ClientSession, Config, Instruction, Stimulus},
    id::{BlobId, Digest, EngineId, SessionId},
    payload::{Function, Payload},
    session_link::{CancelMode, CloseReason, SubmitCredit, ToClient, ToScheduler, Update},
    time::Time,
};
use paraply_proto::scheduler::v1::OpenSessionResponse;
use prost::Message as _;

use super::{honest::Honest, told::Told};
use crate::{entry, names, peers::Peers, tally::Tally, wakes::Wakes};

/// What a message may have beside what it is cut at: framing.
const FRAMING: u64 = 256;
/// The largest argument.
const ARGUMENT: usize = 300;

/// The stream, as the shell has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stream {
    None,
    Dialling,
    Open,
}

pub(crate) struct World {
    pub(super) peers: Peers,
    pub(super) machine: ClientSession,
    config: Config,
    pub(super) now: Time,
    stream: Stream,
    line_taken: bool,
    /// The event that the scheduler should tell next.
    next_event: u64,
    /// The most that was ever granted.
    granted: SubmitCredit,
    pub(super) told: Told,
    pub(super) ended: bool,
    /// Everything goes at once.
    pub(super) prompt: bool,
    /// What an honest scheduler was told.
    pub(super) said: Vec<ToScheduler>,
}

impl entry::World for World {
    fn step(&mut self) -> Result<(), String> {
        if self.ended {
            self.start();
        }
        match self.peers.random.below(1000) {
            0..60 => self.pass(Duration::from_millis(self.peers.random.clone().below(300)))?,
            60..80 => self.hang_up(),
            80..180 => self.free_line(),
            180..330 => self.submit(),
            330..380 => self.cancel(),
            380..400 => {
                let blobs = (0..self.peers.random.below(4)).map(|n| BlobId(u128::from(n))).collect();
                self.give(Stimulus::Release { blobs });
            }
            400 if self.peers.random.chance(100) => self.give(Stimulus::Close),
            _ => self.hear()?,
        }
        self.settle()
    }

    fn serve(&mut self) -> Result<(), String> {
        Honest::new(self).serve()
    }

    fn tally(&self) -> Tally {
        Tally { done: self.told.finished(), ..self.peers.tally }
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut peers = Peers::new(seed);
        let random = &mut peers.random;
        let config = Config {
            call_tasks: random.pick(&[2, 256]).unwrap_or(2),
            call_bytes: 500,
            message_bytes: random.pick(&[600, 10_000]).unwrap_or(600),
            ack_events: 3,
            functions_remembered: random.pick(&[1, 2, 100]).unwrap_or(1),
            ..Config::new(SessionId(7))
        };
        let now = Time(1_000_000_000_000);
        Self {
            machine: ClientSession::new(config.clone(), now),
            peers,
            config,
            now,
            stream: Stream::None,
            line_taken: false,
            next_event: 1,
            granted: SubmitCredit::default(),
            told: Told::default(),
            ended: false,
            prompt: false,
            said: Vec::new(),
        }
    }

    /// Another session in the place of the one that is over.
    fn start(&mut self) {
        self.machine = ClientSession::new(self.config.clone(), self.now);
        (self.told, self.granted) = (Told::default(), SubmitCredit::default());
        (self.stream, self.line_taken, self.ended) = (Stream::None, false, false);
    }

    pub(super) fn give(&mut self, stimulus: Stimulus) {
        self.machine.handle(self.now, stimulus);
    }

    /// The scheduler ends the stream, or does not take it.
    pub(super) fn hang_up(&mut self) {
        if self.stream != Stream::None {
            self.stream = Stream::None;
            self.give(Stimulus::Broken);
        }
    }

    pub(super) fn connect(&mut self) {
        if self.stream == Stream::Dialling {
            (self.stream, self.line_taken) = (Stream::Open, false);
            self.give(Stimulus::Connected);
        }
    }

    fn free_line(&mut self) {
        if std::mem::take(&mut self.line_taken) {
            self.give(Stimulus::LineFree);
        }
    }

    /// The user calls something.
    fn submit(&mut self) {
        let random = &mut self.peers.random;
        let engines: Vec<_> = (0..random.below(4) as u32).map(EngineId).collect();
        let balanced = random.chance(500);
        let retries = random.below(3) as u32;
        let placement = if balanced {
            let label = (Bytes::from_static(b"key 0"), Bytes::from_static(b"value"));
            let labels = if random.chance(200) { vec![label] } else { Vec::new() };
            Placement::Balanced { engines, labels, retries, queue_timeout: None }
        } else {
            Placement::Direct { engines }
        };
        let (source, digest) = names::function(random);
        let digest = Digest(<[u8; 32]>::try_from(&digest[..]).unwrap_or_default());
        let payload = Payload { data: source, ..Payload::default() };
        let function = Function { digest, payload, name: Bytes::from_static(b"some function") };
        let code = random.chance(100);
        let work = if code {
            let filename = Bytes::from_static(b"a file that somebody has edited");
            Work::Execute { source: Bytes::from(vec![b'x'; random.index(ARGUMENT)]), silent: true, filename }
        } else {
            Work::Function(digest)
        };
        let most = if code { 0 } else { 6 };
        let arguments = (0..random.below(most))
            .map(|_| Payload { data: Bytes::from(vec![b'x'; random.index(ARGUMENT)]), ..Payload::default() });
        let arguments = arguments.collect();
        let head = Arc::new(CallHead::new(work, placement));
        // A call that cannot be is refused, and nothing is taken.
        let _refused = self.machine.submit(head, arguments, (!code).then(|| Arc::new(function)));
    }

    fn cancel(&mut self) {
        let next = self.machine.status().next_index;
        let random = &mut self.peers.random;
        let indexes = (0..random.below(4)).map(|_| random.below(next + 2)).collect();
        let mode = if random.chance(500) { CancelMode::Abort } else { CancelMode::Interrupt { kill_after: None } };
        self.give(Stimulus::Cancel { indexes, mode });
    }

    /// Something comes on the stream, or the stream comes about.
    fn hear(&mut self) -> Result<(), String> {
        match self.stream {
            Stream::None => return self.pass(Duration::from_millis(100)),
            Stream::Dialling if self.peers.random.chance(900) => self.connect(),
            Stream::Dialling => self.hang_up(),
            Stream::Open => match self.message() {
                Some(message) => self.receive(message),
                // As a shell does with what it cannot understand.
                None => self.hang_up(),
            },
        }
        Ok(())
    }

    fn message(&mut self) -> Option<ToClient> {
        let message = self.peers.message::<OpenSessionResponse>("paraply.scheduler.v1.OpenSessionResponse")?;
        let mut message = self.peers.understood(decode_response(message))?;
        let random = &mut self.peers.random;
        match &mut message {
            // These end the stream, most of them the session.
            ToClient::Closed { reason: CloseReason::Shutdown | CloseReason::OutOfOrder, .. } if random.chance(100) => {}
            ToClient::Closed { .. } if random.chance(998) => return self.message(),
            ToClient::Welcome(_) if self.machine.is_attached() && random.chance(950) => return self.message(),
            ToClient::Update(_) if !self.machine.is_attached() && random.chance(950) => return self.message(),
            // More than was ever sent ends the session.
            ToClient::Welcome(welcome) if random.chance(995) => {
                welcome.accepted_up_to = welcome.accepted_up_to.min(self.machine.status().accepted_up_to);
            }
            ToClient::Update(update) if random.chance(970) => self.number(update),
            _ => {}
        }
        Some(message)
    }

    /// Gives events the numbers that a scheduler would give them, some again.
    fn number(&mut self, update: &mut Update) {
        for event in &mut update.events {
            if event.sequence != 0 {
                event.sequence = self.next_event;
                self.next_event += 1;
            }
        }
        if self.peers.random.chance(200) {
            update.events.extend(update.events.clone());
        }
    }

    pub(super) fn receive(&mut self, message: ToClient) {
        let credit = match &message {
            ToClient::Welcome(welcome) => {
                self.told.welcomed();
                self.next_event = 1;
                Some(welcome.credit)
            }
            ToClient::Update(update) => update.credit,
            ToClient::Closed { .. } => None,
        };
        if let Some(credit) = credit {
            self.granted.total_tasks = self.granted.total_tasks.max(credit.total_tasks);
            self.granted.total_bytes = self.granted.total_bytes.max(credit.total_bytes);
        }
        self.give(Stimulus::Received(message));
    }

    pub(super) fn pass(&mut self, time: Duration) -> Result<(), String> {
        let until = self.now + time;
        let mut wakes = Wakes::default();
        while let Some(next) = self.machine.next_timeout().filter(|next| *next <= until && !self.ended) {
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
        while !self.ended {
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
            Instruction::Deliver(events) => self.told.hear(&events, self.machine.status().next_index)?,
            Instruction::Ended { .. } => self.ended = true,
            Instruction::Send(message) => return self.sent(message),
            // It keeps nothing.
            Instruction::PassOn(want) => self.give(Stimulus::Release { blobs: vec![want.blob] }),
            Instruction::BlobTaken { .. } => {}
        }
        Ok(())
    }

    /// What the client says is within its rights, and is understood.
    fn sent(&mut self, message: ToScheduler) -> Result<(), String> {
        if self.stream != Stream::Open || std::mem::replace(&mut self.line_taken, true) {
            return Err(format!("a message went on a line that was not free: {message:?}"));
        }
        let wire = encode_request(message.clone());
        let size = wire.encoded_len() as u64;
        if size > self.config.message_bytes + largest(&message) + FRAMING {
            return Err(format!("a message has {size} bytes: {message:?}"));
        }
        match decode_request(wire) {
            Ok(decoded) if decoded == message => {}
            other => return Err(format!("a scheduler makes {other:?} of {message:?}")),
        }
        if let ToScheduler::Submit { calls, .. } = &message
            && let Some(over) = calls.iter().find(|call| call.first_index + call.tasks() > self.granted.total_tasks)
        {
            return Err(format!("call {} goes beyond the credit, {:?}", over.first_index, self.granted));
        }
        if self.prompt {
            self.said.push(message);
        } else if self.peers.random.chance(700) {
            self.free_line();
        }
        Ok(())
    }
}

/// The bytes of the largest call or function of a message, which may be larger than messages are cut at.
fn largest(message: &ToScheduler) -> u64 {
    let (ToScheduler::Submit { calls, functions, .. } | ToScheduler::Replay { calls, functions, .. }) = message else {
        return 0;
    };
    let call = calls.iter().map(|call| call.inline_size() + 32 * call.arguments.len() as u64);
    let function = functions.iter().map(|function| payload::encode_function(function).encoded_len() as u64);
    call.max().unwrap_or_default() + function.max().unwrap_or_default()
}
