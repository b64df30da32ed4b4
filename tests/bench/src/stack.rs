//! What is measured: the scheduler's machine, alone or with decoding and encoding around it.

use paraply_common::wire::{ServerIdentity, engine_link as engine_wire, session_link as session_wire};
use paraply_core::{
    engine_link,
    id::{ConnectionId, EngineId, Epoch, SessionId},
    scheduler::{Config, Instruction, Scheduler, Stimulus},
    session_link,
    time::Time,
};
use paraply_proto::scheduler::v1 as proto;
use paraply_scheduler::observe;
use prost::Message as _;

/// The streams of the two peers.
pub(crate) const CLIENT: ConnectionId = ConnectionId(1);
pub(crate) const ENGINE: ConnectionId = ConnectionId(2);
/// What logs call the peers.
pub(crate) const SESSION: SessionId = SessionId(7);
pub(crate) const ENGINE_ID: EngineId = EngineId(0);

/// Time stands still: nothing falls due.
pub(crate) const NOW: Time = Time(1_000_000_000);

/// What a peer says.
#[derive(Clone, Debug)]
pub enum Word {
    /// The client.
    Client(session_link::ToScheduler),
    /// The engine.
    Engine(engine_link::ToScheduler),
}

/// What is said to a peer.
#[derive(Clone, Debug)]
pub enum Said {
    /// To the client.
    Client(session_link::ToClient),
    /// To the engine.
    Engine(engine_link::ToEngine),
}

/// Takes what peers say and gives what is said to them. Lines are free again as soon as they are written to.
pub trait Stack {
    /// As it comes from a peer.
    type Input;
    /// As it goes to a peer.
    type Output;

    /// A scheduler that nobody has connected to.
    fn new() -> Self;

    /// The machine.
    fn machine(&mut self) -> &mut Scheduler;

    /// What a peer does before it sends.
    fn sent(word: Word) -> Self::Input;

    /// What counts.
    fn step(&mut self, input: Self::Input, out: &mut Vec<Self::Output>);

    /// What a peer does with what it gets.
    ///
    /// # Panics
    /// It is nothing that can be decoded.
    fn received(output: Self::Output) -> Said;
}

/// The machine alone.
#[derive(Debug)]
pub struct Machine {
    scheduler: Scheduler,
    instructions: Vec<Instruction>,
}

impl Stack for Machine {
    type Input = Word;
    type Output = Said;

    fn new() -> Self {
        let mut scheduler = Scheduler::new(Config::default(), Epoch(1), NOW);
        scheduler.handle(NOW, Stimulus::MembersKnown { engines: Vec::new() });
        Self { scheduler, instructions: Vec::new() }
    }

    fn machine(&mut self) -> &mut Scheduler {
        &mut self.scheduler
    }

    fn sent(word: Word) -> Word {
        word
    }

    fn step(&mut self, input: Word, out: &mut Vec<Said>) {
        take(&mut self.scheduler, input);
        flush(&mut self.scheduler, &mut self.instructions, |said| out.push(said));
    }

    fn received(output: Said) -> Said {
        output
    }
}

/// The machine, and what the scheduler does from the bytes of a message to those of the answer. What carries the bytes is
/// not in it.
#[derive(Debug)]
pub struct Streams {
    machine: Machine,
    identity: ServerIdentity,
}

/// The bytes of a message, and who says it.
#[derive(Clone, Debug)]
pub enum Sent {
    /// The client.
    Client(Vec<u8>),
    /// The engine.
    Engine(Vec<u8>),
}

impl Stack for Streams {
    type Input = Sent;
    type Output = Sent;

    fn new() -> Self {
        Self { machine: Machine::new(), identity: ServerIdentity::default() }
    }

    fn machine(&mut self) -> &mut Scheduler {
        self.machine.machine()
    }

    fn sent(word: Word) -> Sent {
        match word {
            Word::Client(message) => Sent::Client(session_wire::encode_request(message).encode_to_vec()),
            Word::Engine(message) => {
                Sent::Engine(engine_wire::encode_request(message, &bytes::Bytes::new()).encode_to_vec())
            }
        }
    }

    fn step(&mut self, input: Sent, out: &mut Vec<Sent>) {
        let word = decode(input);
        match &word {
            Word::Client(message) => observe::from_session(SESSION, message),
            Word::Engine(message) => observe::from_engine(ENGINE_ID, message),
        }
        take(&mut self.machine.scheduler, word);
        let identity = &self.identity;
        flush(&mut self.machine.scheduler, &mut self.machine.instructions, |said| {
            out.push(match said {
                Said::Client(message) => Sent::Client(session_wire::encode_response(message, identity).encode_to_vec()),
                Said::Engine(message) => {
                    observe::to_engine(ENGINE_ID, &message);
                    Sent::Engine(engine_wire::encode_response(message, identity).encode_to_vec())
                }
            });
        });
    }

    fn received(output: Sent) -> Said {
        match output {
            Sent::Client(bytes) => {
                let message = proto::OpenSessionResponse::decode(&*bytes).expect("what was encoded");
                Said::Client(session_wire::decode_response(message).expect("what was encoded"))
            }
            Sent::Engine(bytes) => {
                let message = proto::AttachEngineResponse::decode(&*bytes).expect("what was encoded");
                Said::Engine(engine_wire::decode_response(message).expect("what was encoded"))
            }
        }
    }
}

/// As the gRPC methods have it. Payloads of a message share its buffer, as they do there.
fn decode(sent: Sent) -> Word {
    match sent {
        Sent::Client(bytes) => {
            let message = proto::OpenSessionRequest::decode(bytes::Bytes::from(bytes)).expect("the peer can encode");
            Word::Client(session_wire::decode_request(message).expect("the peer can encode"))
        }
        Sent::Engine(bytes) => {
            let message = proto::AttachEngineRequest::decode(bytes::Bytes::from(bytes)).expect("the peer can encode");
            Word::Engine(engine_wire::decode_request(message).expect("the peer can encode"))
        }
    }
}

fn take(scheduler: &mut Scheduler, word: Word) {
    let stimulus = match word {
        Word::Client(message) => Stimulus::SessionMessage { connection: CLIENT, message },
        Word::Engine(message) => Stimulus::EngineMessage { connection: ENGINE, message },
    };
    scheduler.handle(NOW, stimulus);
}

fn flush(scheduler: &mut Scheduler, instructions: &mut Vec<Instruction>, mut tell: impl FnMut(Said)) {
    loop {
        scheduler.flush(NOW, instructions);
        if instructions.is_empty() {
            return;
        }
        for instruction in instructions.drain(..) {
            let answer = match instruction {
                Instruction::ToSession { connection, message } => {
                    tell(Said::Client(message));
                    Stimulus::LineFree { connection }
                }
                Instruction::ToEngine { connection, message } => {
                    tell(Said::Engine(message));
                    Stimulus::LineFree { connection }
                }
                Instruction::Persist { sequence, .. } => Stimulus::Persisted { up_to: sequence },
                _ => continue,
            };
            scheduler.handle(NOW, answer);
        }
    }
}
