//! An engine: the session machine, a runtime that runs one task after the other, and the thinnest of shells.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use paraply_core::{
    engine_link::ToScheduler,
    engine_session::{Config, EngineSession, Instruction, RunTask, Stimulus},
    id::{AttemptId, BlobId, ConnectionId, EngineId, Incarnation, SessionId},
    payload::BlobRef,
    session_link::EngineInfo,
    time::Time,
};

use crate::{
    agenda::{Event, Pid, Place},
    labels,
    member::Member,
    network::{Ending as StreamEnding, Kind, Message, Side},
    oracle::Violation,
    program::{self, Ending, Program},
    transfers::Fetch,
    world::{Clock, World},
};

/// One process.
#[derive(Debug)]
pub struct EngineProcess {
    /// Which.
    pub pid: Pid,
    /// Which.
    pub incarnation: Incarnation,
    /// When it acts by itself.
    pub clock: Clock,
    /// The machine.
    pub machine: EngineSession,
    /// Its lease.
    pub member: Member,
    /// The id that it would like.
    pub wish: Option<EngineId>,
    /// Its stream to the scheduler.
    pub link: Option<ConnectionId>,
    dial: u64,
    batch: VecDeque<RunTask>,
    running: Option<Running>,
    interrupted: BTreeSet<AttemptId>,
    /// Arguments on their way.
    pub fetches: BTreeMap<AttemptId, Fetch>,
    /// Parts of results, whose they are, and since when.
    pub kept: BTreeMap<BlobId, (SessionId, Time)>,
}

#[derive(Clone, Debug)]
struct Running {
    task: RunTask,
    program: Program,
    since: Time,
    signature: Bytes,
}

impl World {
    /// An engine starts.
    pub fn start_engine(&mut self, pid: Pid, slot: usize, incarnation: Incarnation) {
        let mut config = Config { ..self.setting.engine };
        config.dial.jitter_seed = self.random.any();
        let wish = self.random.chance(150).then(|| EngineId(u32::try_from(self.random.below(9)).unwrap_or_default()));
        let mut machine = EngineSession::new(config, self.now);
        machine.handle(self.now, Stimulus::RuntimeIdle);
        self.engines[slot] = Some(EngineProcess {
            pid,
            incarnation,
            clock: Clock::default(),
            machine,
            member: Member::new(self.now),
            wish,
            link: None,
            dial: 0,
            batch: VecDeque::new(),
            running: None,
            interrupted: BTreeSet::new(),
            fetches: BTreeMap::new(),
            kept: BTreeMap::new(),
        });
    }

    /// Gives the machine a stimulus.
    pub fn to_engine(&mut self, slot: usize, stimulus: Stimulus) {
        let now = self.now;
        let Some(process) = &mut self.engines[slot] else { return };
        self.story.tell(now, || format!("engine {slot} <- {stimulus:?}"));
        process.machine.handle(now, stimulus);
        self.stimuli += 1;
        let pid = process.pid;
        self.flush_later(pid);
    }

    /// The controller gave it an id.
    pub fn engine_registered(&mut self, slot: usize, id: EngineId) {
        let Some(process) = &self.engines[slot] else { return };
        let incarnation = process.incarnation;
        let info = Arc::new(EngineInfo { id, incarnation, peer: Bytes::new(), labels: labels::of_slot(slot) });
        let result = self.oracle.id_given(id, incarnation);
        self.check(result);
        self.to_engine(slot, Stimulus::Registered { info });
    }

    /// A message of a stream.
    pub fn engine_hears(&mut self, slot: usize, message: Message) {
        match message {
            Message::LinkDown(message) => {
                if let Some(link) = self.engines[slot].as_ref().and_then(|process| process.link) {
                    let result = self.oracle.engine_hears(link, &message);
                    self.check(result);
                }
                self.to_engine(slot, Stimulus::Received(message));
            }
            Message::KeepAliveAnswer(answer) if answer.exit => self.kill(Place::Engine(slot), StreamEnding::Clean),
            Message::KeepAliveAnswer(answer) => {
                self.signalled(slot, answer.signals.len());
                if answer.drain {
                    self.to_engine(slot, Stimulus::Drain);
                }
            }
            _ => {}
        }
    }

    /// Signals arrived: each that was sent at most once.
    fn signalled(&mut self, slot: usize, count: usize) {
        let Some(id) = self.engines[slot].as_ref().and_then(|engine| engine.member.id()).map(EngineId) else { return };
        let left = self.signals.entry(id).or_default();
        match left.checked_sub(count as u64) {
            Some(less) => *left = less,
            None => self.check(Err(Violation::general(format!("engine {id} got a signal that nobody sent")))),
        }
    }

    /// The line is free.
    pub fn engine_line_free(&mut self, slot: usize, connection: ConnectionId) {
        if self.engines[slot].as_ref().is_some_and(|process| process.link == Some(connection)) {
            self.to_engine(slot, Stimulus::LineFree);
        }
    }

    /// A stream ended.
    pub fn engine_lost(&mut self, slot: usize, connection: ConnectionId) {
        let Some(process) = &mut self.engines[slot] else { return };
        if process.link == Some(connection) {
            process.link = None;
            self.to_engine(slot, Stimulus::Broken);
        } else if process.member.holds(connection) {
            self.member_lost(Place::Engine(slot));
        }
    }

    /// Its stream is there; says whether it is wanted.
    pub fn engine_connected(&mut self, slot: usize, connection: ConnectionId, dial: u64) -> bool {
        let Some(process) = self.engines[slot].as_mut().filter(|process| process.dial == dial) else { return false };
        process.link = Some(connection);
        self.to_engine(slot, Stimulus::Connected);
        true
    }

    /// Its dial was refused.
    pub fn engine_refused(&mut self, slot: usize, dial: u64) {
        if self.engines[slot].as_ref().is_some_and(|process| process.dial == dial) {
            self.to_engine(slot, Stimulus::Broken);
        }
    }

    /// Time passed.
    pub fn engine_wakes(&mut self, slot: usize) {
        let now = self.now;
        let Some(process) = &mut self.engines[slot] else { return };
        process.clock.armed = None;
        let (pid, due) = (process.pid, process.machine.next_timeout().is_some_and(|at| at <= now));
        self.member_wakes(Place::Engine(slot));
        if due {
            self.to_engine(slot, Stimulus::Tick);
        }
        self.flush_later(pid);
    }

    /// Carries out what the machine says.
    pub fn flush_engine(&mut self, slot: usize) {
        let now = self.now;
        let Some(process) = &mut self.engines[slot] else { return };
        process.clock.flush_due = false;
        let mut out = Vec::new();
        process.machine.flush(now, &mut out);
        let checked = process.machine.check();
        let due = process.machine.next_timeout().into_iter().chain([process.member.wake]).min();
        Self::rearm(&mut self.agenda, now, process.pid, &mut process.clock, due);
        self.check_machine(checked);
        for instruction in out {
            self.story.tell(now, || format!("engine {slot} -> {instruction:?}"));
            self.engine_does(slot, instruction);
        }
    }

    fn engine_does(&mut self, slot: usize, instruction: Instruction) {
        let name = self.name();
        let Some(process) = &mut self.engines[slot] else { return };
        match instruction {
            Instruction::Dial => {
                process.dial = name;
                let pid = process.pid;
                self.dial(pid, Kind::Link, name);
            }
            Instruction::Send(message) => {
                if let Some(link) = process.link {
                    self.oracle.engine_says(link, &message);
                    self.send(link, Side::Caller, Message::LinkUp(message));
                }
            }
            Instruction::HangUp => {
                process.dial = 0;
                if let Some(link) = process.link.take() {
                    self.hang_up(link, Side::Caller);
                }
            }
            Instruction::Run(batch) => {
                process.batch.extend(batch);
                self.run_next(slot);
            }
            Instruction::Interrupt { attempt } => {
                process.interrupted.insert(attempt);
                let running = process.running.as_ref().filter(|running| running.task.attempt == attempt);
                if let Some(running) = running.filter(|running| !running.program.stubborn) {
                    let (engine, attempt) = (process.pid, running.task.attempt);
                    self.agenda.at(self.now + Duration::from_micros(50), Event::TaskEnds { engine, attempt });
                }
            }
            Instruction::Fetch { attempt, arguments } => self.fetch(slot, attempt, arguments),
            Instruction::FetchNow { .. } => {}
            Instruction::GiveUpFetch { attempt } => self.give_up_fetch(slot, attempt),
            Instruction::PassOn(want) => {
                let pid = process.pid;
                self.pass_on(pid, want);
            }
            Instruction::StoreBlob { blob } => self.store_blob(slot, blob),
            Instruction::DropBlob { blob } => {
                process.kept.remove(&blob);
            }
            Instruction::Exit { .. } => {
                self.deregister(Place::Engine(slot));
                self.kill(Place::Engine(slot), StreamEnding::Clean);
            }
        }
    }

    /// The runtime takes the next task of its batch, or says that it has none.
    fn run_next(&mut self, slot: usize) {
        let now = self.now;
        let Some(process) = self.engines[slot].as_mut().filter(|process| process.running.is_none()) else { return };
        let Some(task) = process.batch.pop_front() else {
            process.interrupted.clear();
            return self.to_engine(slot, Stimulus::RuntimeIdle);
        };
        let (attempt, incarnation) = (task.attempt, process.incarnation);
        let Some(info) = process.machine.info().cloned() else { return };
        if process.interrupted.contains(&attempt) {
            let outcome = program::outcome(Bytes::new(), Ending::Interrupted, info.id, now, now);
            let outcome = paraply_core::outcome::Outcome { started_unix_nanos: 0, ..outcome };
            self.to_engine(slot, Stimulus::Finished { attempt, outcome });
            return self.run_next(slot);
        }
        let Some(program) = Program::of(&task) else {
            return self.check(Err(Violation::of(attempt.task, "its arguments were not what was sent")));
        };
        let signature = program::signature(attempt, incarnation, now);
        let ends = now + program.runs;
        let engine = process.pid;
        let result = self.oracle.run_started(now, &info, &task, &signature);
        process.running = Some(Running { task, program, since: now, signature });
        self.check(result);
        self.story.tell(now, || format!("engine {slot} starts {attempt:?}, {program:?}"));
        self.agenda.at(ends, Event::TaskEnds { engine, attempt });
    }

    /// User code returns, or was interrupted.
    pub fn task_ends(&mut self, engine: Pid, attempt: AttemptId) {
        let Some(Place::Engine(slot)) = self.place_of(engine) else { return };
        let (now, blob) = (self.now, BlobId(u128::from(self.name())));
        let Some(process) = &mut self.engines[slot] else { return };
        let Some(running) = process.running.take_if(|running| running.task.attempt == attempt) else { return };
        let Some(info) = process.machine.info().cloned() else { return };
        for output in running.program.output() {
            self.to_engine(slot, Stimulus::Output { attempt, output });
        }
        let interrupted = self.engines[slot].as_ref().is_some_and(|process| process.interrupted.contains(&attempt));
        let heard = interrupted && !running.program.stubborn;
        let ending = if heard && now < running.since + running.program.runs {
            Ending::Interrupted
        } else if running.program.raises {
            Ending::Raised
        } else if running.program.large && self.random.chance(750) {
            let (now, session) = (self.now, attempt.task.session);
            self.keepers.insert(blob, engine);
            if let Some(process) = &mut self.engines[slot] {
                process.kept.insert(blob, (session, now));
            }
            Ending::Returned { blob: Some(BlobRef { id: blob, size: 100_000, kept: true }) }
        } else if running.program.large && self.knows_session(attempt.task.session) {
            // What has no room here goes up before it is reported.
            self.upload(blob, attempt.task.session, Duration::ZERO, true);
            self.disk.insert(blob, attempt.task.session);
            Ending::Returned { blob: Some(BlobRef { id: blob, size: 100_000, kept: false }) }
        } else {
            Ending::Returned { blob: None }
        };
        let outcome = program::outcome(running.signature, ending, info.id, running.since, now);
        let result = self.oracle.run_ended(now, attempt, &outcome, running.program.stubborn);
        self.check(result);
        self.to_engine(slot, Stimulus::Finished { attempt, outcome });
        self.run_next(slot);
    }

    /// Sends something that an honest engine would not, on the stream of one that is attached.
    pub fn engine_lies(&mut self, slot: usize, message: ToScheduler) {
        if let Some(link) = self.engines[slot].as_ref().and_then(|process| process.link) {
            self.send(link, Side::Caller, Message::LinkUp(message));
        }
    }
}
