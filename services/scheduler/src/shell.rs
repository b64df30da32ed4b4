//! The machine with the shell around it: stimuli go in, instructions are carried out.

use paraply_common::{actor::Actor, line::Line};
use paraply_core::{
    engine_link,
    id::{ConnectionId, SessionId, TaskId},
    scheduler::{self, Instruction, RunningTask, Scheduler, Status, TaskReport},
    session_link::{self, ToClient},
    time::Time,
};
use paraply_proto::scheduler::v1::TaskStatus;
use tokio::sync::oneshot;
use tokio_util::sync::DropGuard;

use crate::{
    blob::Blobs,
    connections::{Connection, Connections, End},
    controller::News,
    figures::Measured,
    observe,
    recent::Recent,
    store::Store,
    tally::Tally,
    traces::Traces,
};

/// What happens to the scheduler.
#[derive(Debug)]
pub(crate) enum Stimulus {
    /// A client opened a stream and said hello.
    SessionOpened { connection: ConnectionId, hello: session_link::Hello, line: Line<ToClient>, reader: DropGuard },
    /// An engine opened a stream and said hello; its ticket is good.
    EngineOpened {
        connection: ConnectionId,
        hello: engine_link::Hello,
        line: Line<engine_link::ToEngine>,
        reader: DropGuard,
    },
    /// A peer said something that cannot be understood, and why.
    Malformed { connection: ConnectionId, error: String },
    /// What the machine knows how to take.
    Machine(scheduler::Stimulus),
    /// Somebody asks what the scheduler holds.
    Ask { longest_running: usize, reply: oneshot::Sender<Answer> },
    /// Somebody asks for metrics.
    Measure(oneshot::Sender<Measured>),
    /// Somebody asks where tasks are.
    Find { ids: Vec<TaskId>, reply: oneshot::Sender<Vec<TaskReport>> },
    /// Somebody asks which tasks there are.
    List { page: Page, reply: oneshot::Sender<Listed> },
}

/// What the scheduler holds.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) next_engine_id: u32,
    pub(crate) running: Vec<RunningTask>,
}

/// Part of a list: the first `most` tasks beyond `after`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Of one session; `None`: of all.
    pub(crate) session: Option<SessionId>,
    pub(crate) after: Option<TaskId>,
    pub(crate) most: usize,
}

/// As many of each sort as the page holds, in order.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) unfinished: Vec<TaskReport>,
    pub(crate) finished: Vec<TaskStatus>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Shell<S> {
    machine: Scheduler,
    connections: Connections,
    blobs: Blobs,
    news: News,
    store: S,
    recent: Recent,
    tally: Tally,
    /// Who waits for metrics.
    measuring: Vec<oneshot::Sender<Measured>>,
    traces: Option<Traces>,
    /// Tasks wait, and no engine is there: the controller was told so.
    starved: bool,
    instructions: Vec<Instruction>,
}

impl<S: Store> Shell<S> {
    pub(crate) fn new(
        machine: Scheduler,
        blobs: Blobs,
        news: News,
        store: S,
        recent: Recent,
        traces: Option<Traces>,
    ) -> Self {
        let (connections, tally) = (Connections::default(), Tally::default());
        let (measuring, instructions, starved) = (Vec::new(), Vec::new(), false);
        Self { machine, connections, blobs, news, store, recent, tally, measuring, traces, starved, instructions }
    }

    /// Rings for the first task that waits where no engine is: it is not to wait for the next report as well.
    fn tell_if_starved(&mut self) {
        let starved = self.machine.is_starved();
        if starved && !self.starved {
            self.news.ring();
        }
        self.starved = starved;
    }

    fn answer_measuring(&mut self) {
        for answer in self.measuring.drain(..) {
            let (status, tally) = (self.machine.status(), self.tally.clone());
            let transitions = self.machine.transitions().clone();
            let _asker_is_gone = answer.send(Measured { status, tally, transitions });
        }
    }

    fn carry_out(&mut self, now: Time, instruction: Instruction) {
        match instruction {
            Instruction::ToSession { connection, message } => {
                if let (ToClient::Welcome(_), Some(End::Session(session, _))) =
                    (&message, self.connections.get(connection))
                {
                    self.blobs.open_session(*session);
                }
                self.connections.tell_client(connection, message);
            }
            Instruction::ToEngine { connection, mut message } => {
                if let Some(End::Engine(engine, _)) = self.connections.get(connection) {
                    observe::to_engine(*engine, &message);
                    if let Some(traces) = &mut self.traces {
                        traces.assign(*engine, &mut message);
                    }
                }
                self.connections.tell_engine(connection, message);
            }
            Instruction::Close { connection, status } => self.connections.close(connection, status),
            Instruction::Persist { sequence, records } => {
                self.recent.take(&records);
                self.tally.count(now, &records);
                let up_to = self.store.append(sequence, records);
                self.machine.handle(now, scheduler::Stimulus::Persisted { up_to });
            }
            Instruction::DropBlob { blob } => {
                self.blobs.drop_blob(blob);
                // It may have become complete since the machine said so.
                self.machine.handle(now, scheduler::Stimulus::BlobGone { blob });
            }
            Instruction::BlobIsStored { transfer } => self.blobs.is_stored(transfer),
            Instruction::NobodyHasBlob { transfer, reason } => self.blobs.nobody_has(transfer, reason),
            Instruction::SessionForgotten { session } => {
                tracing::info!(%session, "session ended");
                for blob in self.blobs.forget_session(session) {
                    self.machine.handle(now, scheduler::Stimulus::BlobGone { blob });
                }
            }
            Instruction::EngineAttached { info } => {
                tracing::info!(engine = %info.id, incarnation = %info.incarnation, "engine attached");
                self.news.ring();
            }
            Instruction::EngineLost { engine, reason } => {
                tracing::warn!(%engine, reason, "engine lost");
                self.news.ring();
            }
        }
    }
}

impl<S: Store> Actor for Shell<S> {
    type Stimulus = Stimulus;

    fn handle(&mut self, now: Time, stimulus: Stimulus) {
        use scheduler::Stimulus as Machine;
        match stimulus {
            Stimulus::SessionOpened { connection, hello, line, reader } => {
                tracing::info!(session = %hello.session, connection = connection.0, "session stream opened");
                let end = End::Session(hello.session, line);
                self.connections.insert(connection, Connection { end, _reader: reader });
                self.machine.handle(now, Machine::SessionOpened { connection, hello });
            }
            Stimulus::EngineOpened { connection, hello, line, reader } => {
                let end = End::Engine(hello.info.id, line);
                self.connections.insert(connection, Connection { end, _reader: reader });
                self.machine.handle(now, Machine::EngineOpened { connection, hello });
            }
            Stimulus::Malformed { connection, error } => {
                tracing::warn!(connection = connection.0, error, "a peer sent what cannot be understood");
                self.connections.refuse(connection, error);
                self.machine.handle(now, Machine::Broken { connection });
            }
            // It is over by now.
            Stimulus::Machine(stimulus) if !self.blobs.confirm(&stimulus) => {}
            Stimulus::Machine(stimulus) => {
                match &stimulus {
                    Machine::Broken { connection } => self.connections.remove(*connection),
                    Machine::EngineMessage { connection, message } => {
                        if let Some(End::Engine(engine, _)) = self.connections.get(*connection) {
                            observe::from_engine(*engine, message);
                        }
                    }
                    Machine::SessionMessage { connection, message } => {
                        if let Some(End::Session(session, _)) = self.connections.get(*connection) {
                            observe::from_session(*session, message);
                            if let Some(traces) = &mut self.traces {
                                traces.heard(*session, message);
                            }
                        }
                    }
                    Machine::Shutdown => self.traces.iter_mut().for_each(Traces::end),
                    _ => {}
                }
                self.machine.handle(now, stimulus);
            }
            Stimulus::Find { ids, reply } => {
                let _asker_is_gone = reply.send(self.machine.tasks(&ids));
            }
            Stimulus::List { page: Page { session, after, most }, reply } => {
                let unfinished = self.machine.unfinished(session, after, most);
                let finished = self.recent.list(session, after, most);
                let _asker_is_gone = reply.send(Listed { unfinished, finished });
            }
            Stimulus::Ask { longest_running, reply } => {
                let mut status = self.machine.status();
                status.held_bytes += self.blobs.store.held().all();
                let next_engine_id = self.machine.next_engine_id();
                let running = self.machine.longest_running(longest_running);
                let _asker_is_gone = reply.send(Answer { status, next_engine_id, running });
            }
            // Answered when what has happened is counted too.
            Stimulus::Measure(answer) => self.measuring.push(answer),
        }
    }

    fn tick(&mut self, now: Time) {
        self.machine.handle(now, scheduler::Stimulus::Tick);
    }

    fn flush(&mut self, now: Time) {
        loop {
            let mut instructions = std::mem::take(&mut self.instructions);
            self.machine.flush(now, &mut instructions);
            if instructions.is_empty() {
                self.instructions = instructions;
                self.tell_if_starved();
                return self.answer_measuring();
            }
            if let Some(traces) = &mut self.traces {
                traces.before(&instructions);
            }
            // What is carried out may be answered at once (`Persisted`), and the answer makes more fall due.
            instructions.drain(..).for_each(|instruction| self.carry_out(now, instruction));
            self.instructions = instructions;
        }
    }

    fn next_timeout(&self) -> Option<Time> {
        self.machine.next_timeout()
    }
}

#[cfg(test)]
mod tests;
