//! The actor: membership, the lines of its streams, and what it keeps.

use std::collections::HashMap;

use bytes::Bytes;
use paraply_common::{actor::Actor, line::Line, tower::pass_through::Upstream, wire::members};
use paraply_core::{
    id::{ConnectionId, EngineId},
    membership::{
        CloseReason, Demand, Grant, Instruction, Membership, Page, PageLimit, Refusal, RequestId, SchedulerInfo,
        Stimulus as Machine, WatchEvent,
    },
    time::Time,
};
use paraply_proto::controller::v1::{Autoscaling, KeepAliveResponse, WatchEnginesResponse, WatchMembersResponse};
use tokio::sync::{oneshot, watch};
use tonic::Status;

use crate::{figures::Measured, state::State};

/// What happens to the controller.
#[derive(Debug)]
pub(crate) enum Stimulus {
    /// To the machine, as it is.
    Machine(Machine),
    /// A registration, by the request that the machine's stimulus names.
    Register { request: RequestId, stimulus: Machine, reply: oneshot::Sender<Result<Grant, Status>> },
    /// A stream was opened; what the machine is told of it.
    Open { connection: ConnectionId, line: AnyLine, stimulus: Machine },
    /// A peer said on a stream what cannot be read.
    Malformed { connection: ConnectionId, status: Status },
    /// The machine is told, and the caller when that is done.
    Tell { stimulus: Machine, reply: oneshot::Sender<()> },
    /// The machine is told what an engine is to do; answered with whether there is one of that id.
    Order { engine: EngineId, stimulus: Machine, reply: oneshot::Sender<bool> },
    /// So many engines are to be there; answered with how many there were.
    Scale { engines: u32, reply: oneshot::Sender<Result<u32, NotScaled>> },
    /// A signal for engines; answered with the first of which it cannot be taken, and whether there is such an engine.
    Signal { engines: Vec<EngineId>, signal: Bytes, reply: oneshot::Sender<Result<(), NotSignalled>> },
    /// What does autoscaling keep to?
    Autoscaling { reply: oneshot::Sender<Option<Autoscaling>> },
    /// Which scheduler is there?
    Scheduler { reply: oneshot::Sender<Option<SchedulerInfo>> },
    /// Somebody asks for metrics.
    Measure { reply: oneshot::Sender<Measured> },
    /// Which engines are there, from an id on?
    Engines { first: EngineId, limit: PageLimit, reply: oneshot::Sender<Page> },
}

/// Why a signal was not taken. No engine gets it then.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NotSignalled {
    /// No engine of this id holds a lease.
    Unknown(EngineId),
    /// Too many signals wait for this one.
    Full(EngineId),
}

/// Why there are not to be so many engines.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NotScaled {
    /// Engines are missing, or would be started again, and nobody launches any; so many there are.
    NobodyLaunches { engines: u32 },
    /// Autoscaling keeps to these.
    OutOfBounds { min: u32, max: u32 },
}

/// The line of a stream of any kind.
#[derive(Debug)]
pub(crate) enum AnyLine {
    KeepAlive(Line<KeepAliveResponse>),
    Engines(Line<WatchEnginesResponse>),
    Members(Line<WatchMembersResponse>),
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Controller {
    machine: Membership,
    engines_restart: bool,
    state: State,
    upstream: Upstream,
    /// What scalers outside are told.
    demand: watch::Sender<Option<Demand>>,
    lines: HashMap<ConnectionId, AnyLine>,
    registrations: HashMap<RequestId, oneshot::Sender<Result<Grant, Status>>>,
    instructions: Vec<Instruction>,
}

impl Controller {
    pub(crate) fn new(
        machine: Membership,
        engines_restart: bool,
        state: State,
        upstream: Upstream,
        demand: watch::Sender<Option<Demand>>,
    ) -> Self {
        let (lines, registrations) = (HashMap::new(), HashMap::new());
        Self { machine, engines_restart, state, upstream, demand, lines, registrations, instructions: Vec::new() }
    }

    fn signal(&mut self, now: Time, engines: Vec<EngineId>, signal: Bytes) -> Result<(), NotSignalled> {
        for engine in &engines {
            match self.machine.takes_signals(*engine) {
                None => return Err(NotSignalled::Unknown(*engine)),
                Some(false) => return Err(NotSignalled::Full(*engine)),
                Some(true) => {}
            }
        }
        self.machine.handle(now, Machine::Signal { engines, signal });
        Ok(())
    }

    fn scale(&mut self, now: Time, engines: u32) -> Result<u32, NotScaled> {
        let before = u32::try_from(self.machine.staying()).unwrap_or(u32::MAX);
        let bounds = self.machine.bounds();
        if !bounds.contains(&engines) {
            return Err(NotScaled::OutOfBounds { min: *bounds.start(), max: *bounds.end() });
        }
        if (engines > before || self.engines_restart) && !self.machine.has_launcher() {
            return Err(NotScaled::NobodyLaunches { engines: before });
        }
        self.machine.handle(now, Machine::Scale { engines });
        Ok(before)
    }

    fn autoscaling(&self) -> Option<Autoscaling> {
        let (policy, idle) = self.machine.autoscale()?;
        Some(Autoscaling {
            min_engines: policy.min,
            max_engines: policy.max,
            idle_millis: u64::try_from(idle.as_millis()).unwrap_or(u64::MAX),
            wanted_engines: self.machine.wanted_engines(),
        })
    }

    fn carry_out(&mut self, instruction: Instruction) {
        match instruction {
            Instruction::Persist { next_engine_id } => self.state.want(next_engine_id),
            Instruction::Answer { request, answer } => {
                let Some(reply) = self.registrations.remove(&request) else { return };
                // An id that is not kept is not given.
                let kept = self.state.settle().inspect_err(|error| tracing::error!(%error, "engine ids are not kept"));
                let answer = match (answer, kept) {
                    (Ok(_), Err(error)) => Err(Status::unavailable(error)),
                    (answer, _) => answer.map_err(refusal),
                };
                reply_to(reply, answer);
            }
            Instruction::ToMember { connection, answer } => {
                if let Some(AnyLine::KeepAlive(line)) = self.lines.get(&connection) {
                    line.send(members::encode_keep_alive(answer));
                }
            }
            Instruction::ToWatcher { connection, event } => self.tell(connection, event),
            Instruction::Close { connection, reason } => {
                self.end(connection, Err(closed(reason)));
            }
            Instruction::SchedulerAt { endpoints } => {
                tracing::info!(?endpoints, "the scheduler is there now");
                self.upstream.set(&endpoints);
            }
        }
    }

    fn tell(&self, connection: ConnectionId, event: WatchEvent) {
        match self.lines.get(&connection) {
            Some(AnyLine::Engines(line)) => line.send(members::encode_engine_event(event)),
            Some(AnyLine::Members(line)) => line.send(members::encode_member_event(event)),
            Some(AnyLine::KeepAlive(_)) | None => {}
        }
    }

    fn end(&mut self, connection: ConnectionId, end: Result<(), Status>) {
        match self.lines.remove(&connection) {
            Some(AnyLine::KeepAlive(line)) => line.close(end),
            Some(AnyLine::Engines(line)) => line.close(end),
            Some(AnyLine::Members(line)) => line.close(end),
            None => {}
        }
    }
}

impl Actor for Controller {
    type Stimulus = Stimulus;

    fn handle(&mut self, now: Time, stimulus: Stimulus) {
        match stimulus {
            Stimulus::Machine(stimulus) => {
                if let Machine::Broken { connection } = stimulus {
                    self.end(connection, Ok(()));
                }
                self.machine.handle(now, stimulus);
            }
            Stimulus::Register { request, stimulus, reply } => {
                self.registrations.insert(request, reply);
                self.machine.handle(now, stimulus);
            }
            Stimulus::Open { connection, line, stimulus } => {
                self.lines.insert(connection, line);
                self.machine.handle(now, stimulus);
            }
            Stimulus::Malformed { connection, status } => {
                self.end(connection, Err(status));
                self.machine.handle(now, Machine::Broken { connection });
            }
            Stimulus::Tell { stimulus, reply } => {
                self.machine.handle(now, stimulus);
                reply_to(reply, ());
            }
            Stimulus::Order { engine, stimulus, reply } => {
                let there = self.machine.engine(engine).is_some();
                self.machine.handle(now, stimulus);
                reply_to(reply, there);
            }
            Stimulus::Scale { engines, reply } => reply_to(reply, self.scale(now, engines)),
            Stimulus::Signal { engines, signal, reply } => reply_to(reply, self.signal(now, engines, signal)),
            Stimulus::Autoscaling { reply } => reply_to(reply, self.autoscaling()),
            Stimulus::Scheduler { reply } => reply_to(reply, self.machine.scheduler().cloned()),
            Stimulus::Measure { reply } => reply_to(reply, Measured::of(&self.machine)),
            Stimulus::Engines { first, limit, reply } => reply_to(reply, self.machine.page(first, limit)),
        }
    }

    fn tick(&mut self, now: Time) {
        self.machine.handle(now, Machine::Tick);
    }

    fn flush(&mut self, now: Time) {
        let mut instructions = std::mem::take(&mut self.instructions);
        self.machine.flush(now, &mut instructions);
        for instruction in instructions.drain(..) {
            self.carry_out(instruction);
        }
        self.instructions = instructions;
        let demand = self.machine.demand();
        self.demand.send_if_modified(|known| std::mem::replace(known, demand) != demand);
    }

    fn next_timeout(&self) -> Option<Time> {
        self.machine.next_timeout()
    }
}

/// The caller may have gone meanwhile; then nobody needs the answer.
fn reply_to<T>(reply: oneshot::Sender<T>, answer: T) {
    let _gone = reply.send(answer);
}

fn refusal(refusal: Refusal) -> Status {
    let message = refusal.to_string();
    match refusal {
        Refusal::NoScheduler | Refusal::TooManyWaiting(_) => Status::unavailable(message),
        Refusal::TooManyEngines(_) => Status::resource_exhausted(message),
        Refusal::Repeated => Status::aborted(message),
        Refusal::IdHeld(_) | Refusal::Superseded => Status::already_exists(message),
        Refusal::IdTooHigh { .. } | Refusal::TooLarge { .. } => Status::invalid_argument(message),
    }
}

fn closed(reason: CloseReason) -> Status {
    let message = reason.to_string();
    match reason {
        CloseReason::NoLease => Status::not_found(message),
        CloseReason::Replaced => Status::aborted(message),
        CloseReason::Shutdown => Status::unavailable(message),
    }
}
