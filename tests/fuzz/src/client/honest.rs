//! A scheduler that keeps the rules, after one that did not: every task comes to its result.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use paraply_core::{
    call::{Call, Work},
    id::{Digest, Epoch},
    outcome::{FailureKind, Outcome},
    session_link::{Event, EventKind, SubmitCredit, ToClient, ToScheduler, Update, Welcome},
};

use super::World;

/// Looks at what came, with time passing between them.
const PATIENCE: u32 = 200;
const ENOUGH: SubmitCredit = SubmitCredit { total_tasks: u64::MAX, total_bytes: u64::MAX };

/// What an honest scheduler knows.
pub(super) struct Honest<'a> {
    world: &'a mut World,
    welcomes: u32,
    epoch: Epoch,
    /// Calls below this index are accepted.
    accepted: u64,
    sequence: u64,
    functions: BTreeSet<Digest>,
    /// Calls whose function has not come.
    waiting: BTreeMap<u64, Call>,
}

impl<'a> Honest<'a> {
    pub(super) fn new(world: &'a mut World) -> Self {
        let (functions, waiting) = (BTreeSet::new(), BTreeMap::new());
        Self { world, welcomes: 0, epoch: Epoch(1), accepted: 0, sequence: 0, functions, waiting }
    }

    /// Has everything said again, loses a stream meanwhile, and finishes every task.
    pub(super) fn serve(mut self) -> Result<(), String> {
        self.world.hang_up();
        self.world.settle()?;
        self.world.prompt = true;
        for _ in 0..PATIENCE {
            let status = self.world.machine.status();
            let all_told = self.world.told.finished() == status.next_index;
            if self.world.ended || (self.welcomes > 1 && status.open_tasks == 0 && all_told) {
                return Ok(());
            }
            self.world.connect();
            self.world.settle()?;
            for message in std::mem::take(&mut self.world.said) {
                self.hear(message)?;
                self.world.settle()?;
            }
            if self.welcomes == 1 && status.open_tasks == 0 {
                self.world.hang_up();
            }
            self.world.pass(Duration::from_millis(100))?;
        }
        let status = self.world.machine.status();
        Err(format!("an honest scheduler waited in vain: {status:?}, {:?} wait for functions", self.waiting.keys()))
    }

    fn hear(&mut self, message: ToScheduler) -> Result<(), String> {
        match message {
            ToScheduler::Hello(hello) => {
                let again = self.welcomes > 0;
                self.welcomes += 1;
                let replay = !again && hello.resume.is_some();
                let accepted_up_to = if again { self.accepted } else { 0 };
                if replay && let Some(resume) = hello.resume {
                    self.accepted = resume.next_index;
                    // Another scheduler than the last one, whatever that called itself.
                    self.epoch = Epoch(resume.epoch.0 ^ (1 << 40));
                }
                let grace = Duration::from_secs(3600);
                let epoch = self.epoch;
                self.tell(ToClient::Welcome(Welcome {
                    epoch,
                    accepted_up_to,
                    replay,
                    engines: Vec::new(),
                    credit: ENOUGH,
                    session_grace: grace,
                }));
            }
            ToScheduler::Replay { calls, functions, .. } => {
                self.functions.extend(functions.iter().map(|function| function.digest));
                self.take(calls);
            }
            // The stream breaks before the first submission is taken in: it has to come again.
            ToScheduler::Submit { .. } if self.welcomes == 1 => self.world.hang_up(),
            ToScheduler::Submit { calls, functions, .. } => {
                self.functions.extend(functions.iter().map(|function| function.digest));
                if let Some(call) = calls.first()
                    && call.first_index > self.accepted
                {
                    return Err(format!("call {} came, and {} was expected", call.first_index, self.accepted));
                }
                self.take(calls);
            }
            _ => {}
        }
        self.answer();
        Ok(())
    }

    fn take(&mut self, calls: Vec<Call>) {
        for call in calls {
            self.accepted = self.accepted.max(call.first_index + call.tasks());
            self.waiting.insert(call.first_index, call);
        }
    }

    /// Finishes what can be, and asks for the functions of the rest.
    fn answer(&mut self) {
        let lacks = |call: &Call| match call.head.work {
            Work::Function(digest) => (!self.functions.contains(&digest)).then_some(digest),
            Work::Execute { .. } => None,
        };
        let need: BTreeSet<Digest> = self.waiting.values().filter_map(lacks).collect();
        let (ready, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(_, call)| lacks(call).is_none());
        self.waiting = waiting;
        let mut events = Vec::new();
        for (first, call) in &ready as &BTreeMap<u64, Call> {
            for index in *first..first + call.tasks() {
                self.sequence += 1;
                let outcome = Outcome::failed(FailureKind::Aborted, "TaskAborted", String::new(), None);
                let kind = EventKind::Finished {
                    index,
                    attempt: 1,
                    engine: None,
                    accepted_unix_nanos: 1,
                    outcome: Arc::new(outcome),
                };
                events.push(Event { sequence: self.sequence, kind });
            }
        }
        if events.is_empty() && need.is_empty() || !self.world.machine.is_attached() {
            return;
        }
        let (accepted_up_to, need_functions) = (Some(self.accepted), need.into_iter().collect());
        self.tell(ToClient::Update(Update { accepted_up_to, need_functions, events, ..Update::default() }));
    }

    fn tell(&mut self, message: ToClient) {
        self.world.receive(message);
    }
}
