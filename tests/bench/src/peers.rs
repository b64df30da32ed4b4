//! A client with one session and an engine: they submit tasks, and run them.

use std::sync::Arc;

use bytes::Bytes;
use paraply_core::{
    engine_link::{self, Credit, Reports, ToEngine},
    id::{AttemptId, Incarnation, TaskId},
    scheduler::Stimulus,
    session_link::{self, EngineInfo, EventKind, ToClient, ToScheduler},
};

use crate::{
    Kind,
    callgrind::measured,
    messages,
    stack::{CLIENT, ENGINE, ENGINE_ID, NOW, SESSION, Said, Stack, Word},
};

/// Tasks that an engine takes at a time.
const AT_A_TIME: u64 = 100;
const ENOUGH_BYTES: u64 = 1 << 40;

/// See the module's documentation. What the stack does for them is [`measured`].
#[derive(Debug)]
pub struct Peers<S: Stack> {
    stack: S,
    kind: Kind,
    submitted: u64,
    finished: u64,
    /// What the engine was told to run.
    assigned: Vec<AttemptId>,
}

impl<S: Stack> Peers<S> {
    /// Both are connected. The engine takes no tasks yet.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        let mut stack = S::new();
        let hello = session_link::Hello {
            session: SESSION,
            resume: None,
            cancel_on_disconnect: false,
            label: Bytes::new(),
            stream: 0,
        };
        let info = EngineInfo { id: ENGINE_ID, incarnation: Incarnation(1), peer: Bytes::new(), labels: Vec::new() };
        let engine_hello = engine_link::Hello {
            info: Arc::new(info),
            last_epoch: None,
            held: Vec::new(),
            credit: Credit { total_tasks: 0, total_bytes: 0 },
            stream: 0,
            kept_blobs: Vec::new(),
        };
        stack.machine().handle(NOW, Stimulus::SessionOpened { connection: CLIENT, hello });
        stack.machine().handle(NOW, Stimulus::EngineOpened { connection: ENGINE, hello: engine_hello });
        let mut peers = Self { stack, kind, submitted: 0, finished: 0, assigned: Vec::new() };
        // The welcomes.
        peers.say(Word::Engine(engine_link::ToScheduler::Heartbeat));
        peers
    }

    /// Submits so many tasks in one message.
    pub fn submit(&mut self, tasks: u64) {
        let message = messages::submit(self.kind, self.submitted, tasks);
        self.submitted += tasks;
        self.say(Word::Client(message));
    }

    /// Runs so many tasks, until the client has their results.
    ///
    /// # Panics
    /// There are not so many, or the scheduler does not give them.
    pub fn run(&mut self, tasks: u64) {
        let until = self.finished + tasks;
        assert!(until <= self.submitted, "{until} tasks are to run, of {}", self.submitted);
        while self.finished < until {
            let before = self.finished;
            let assigned = std::mem::take(&mut self.assigned);
            let finished: Vec<_> = assigned.into_iter().map(|attempt| (attempt, messages::outcome().into())).collect();
            let total_tasks = (self.finished + finished.len() as u64 + AT_A_TIME).min(until);
            let credit = Some(Credit { total_tasks, total_bytes: ENOUGH_BYTES });
            let reports = Reports { finished, credit, ..Reports::default() };
            self.say(Word::Engine(engine_link::ToScheduler::Reports(reports)));
            assert!(self.finished > before || !self.assigned.is_empty(), "nothing is finished, and nothing assigned");
        }
    }

    /// Tasks that the client has the results of.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.finished
    }

    fn say(&mut self, word: Word) {
        let mut words = vec![word];
        while let Some(word) = words.pop() {
            let input = S::sent(word);
            let mut out = Vec::new();
            let stack = &mut self.stack;
            measured(|| stack.step(input, &mut out));
            for output in out {
                self.hear(S::received(output), &mut words);
            }
        }
    }

    fn hear(&mut self, said: Said, answers: &mut Vec<Word>) {
        match said {
            Said::Engine(ToEngine::Orders(orders)) => {
                for call in orders.assigned {
                    let attempts = call.tasks.iter().map(|task| AttemptId {
                        task: TaskId { session: call.session, index: task.index },
                        attempt: task.attempt,
                    });
                    self.assigned.extend(attempts);
                }
            }
            Said::Client(ToClient::Update(update)) => {
                let finished = update.events.iter().filter(|event| matches!(event.kind, EventKind::Finished { .. }));
                self.finished += finished.count() as u64;
                if let Some(last) = update.events.last() {
                    answers.push(Word::Client(ToScheduler::Ack { sequence: last.sequence }));
                }
            }
            Said::Client(ToClient::Closed { message, .. }) => panic!("the session was closed: {message}"),
            Said::Client(ToClient::Welcome(_)) | Said::Engine(ToEngine::Welcome(_) | ToEngine::Heartbeat) => {}
        }
    }
}
