//! A scheduler that keeps the rules, after one that did not: the engine is as good as new.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use paraply_core::{
    call::{CallHead, Placement, Work},
    engine_link::{AssignedCall, AssignedTask, HeldState, Orders, Reports, ToEngine, ToScheduler, Welcome},
    engine_session::Stimulus,
    id::{AttemptId, Epoch, SessionId, TaskId},
    payload::Payload,
};

use super::World;

const TASK: AttemptId = AttemptId { task: TaskId { session: SessionId(u128::MAX), index: 7 }, attempt: 1 };
/// Looks at what came, with time passing between them.
const PATIENCE: u32 = 60;

/// What an honest scheduler knows.
pub(super) struct Honest<'a> {
    world: &'a mut World,
    /// Outcomes that the engine said it has.
    finished: BTreeSet<AttemptId>,
    welcomed: bool,
    assigned: bool,
    done: bool,
}

impl<'a> Honest<'a> {
    pub(super) fn new(world: &'a mut World) -> Self {
        Self { world, finished: BTreeSet::new(), welcomed: false, assigned: false, done: false }
    }

    /// Drops all that is held, takes the outcomes, and has a task of its own done.
    pub(super) fn serve(mut self) -> Result<(), String> {
        self.world.hang_up();
        self.world.settle()?;
        self.world.prompt = true;
        for _ in 0..PATIENCE {
            if self.world.exited {
                // It was leaving already.
                return if self.world.may_leave() { Ok(()) } else { Err("the engine left".to_owned()) };
            }
            if self.done && self.finished.is_empty() {
                return self.nothing_is_left();
            }
            self.world.connect();
            self.world.work(true);
            self.world.settle()?;
            for message in std::mem::take(&mut self.world.said) {
                self.hear(message)?;
            }
            self.world.settle()?;
            self.world.pass(Duration::from_millis(500))?;
        }
        let missing = &self.finished;
        Err(format!("an honest scheduler waited in vain: task done {}, outcomes missing {missing:?}", self.done))
    }

    fn hear(&mut self, message: ToScheduler) -> Result<(), String> {
        match message {
            ToScheduler::Hello(hello) => {
                if self.welcomed {
                    return Err("the engine hung up on an honest scheduler".to_owned());
                }
                self.welcomed = true;
                let is_finished = |state| state == HeldState::Finished;
                let finished = hello.held.iter().filter(|held| is_finished(held.state));
                self.finished = finished.map(|held| held.attempt).collect();
                let dropped = hello.held.iter().filter(|held| !is_finished(held.state));
                let dropped = dropped.map(|held| held.attempt).collect();
                let lease = Duration::from_secs(600);
                self.tell(ToEngine::Welcome(Welcome { epoch: Epoch(u64::MAX), lease, dropped }));
                self.assign(hello.credit.total_tasks);
            }
            ToScheduler::Reports(reports) => self.reported(&reports),
            ToScheduler::Heartbeat => {}
        }
        Ok(())
    }

    fn reported(&mut self, reports: &Reports) {
        let acked: Vec<_> = reports.finished.iter().map(|(attempt, _)| *attempt).collect();
        for attempt in &acked {
            self.finished.remove(attempt);
            self.done |= *attempt == TASK;
        }
        self.tell(ToEngine::Orders(Orders { acked, ..Orders::default() }));
        self.assign(reports.credit.map_or(0, |credit| credit.total_tasks));
    }

    /// Its task, once there is credit for it.
    fn assign(&mut self, total_tasks: u64) {
        if self.assigned || total_tasks == 0 {
            return;
        }
        self.assigned = true;
        let work = Work::Execute { source: Bytes::new(), silent: true, filename: Bytes::new() };
        let head = Arc::new(CallHead::new(work, Placement::Direct { engines: Vec::new() }));
        let TaskId { session, index } = TASK.task;
        let arguments = Payload::default();
        let task = AssignedTask { index, attempt: TASK.attempt, claimed: true, arguments, expected: None, span: None };
        let assigned = vec![AssignedCall { head, session, direct: true, several: false, tasks: vec![task] }];
        self.tell(ToEngine::Orders(Orders { assigned, ..Orders::default() }));
    }

    fn tell(&mut self, message: ToEngine) {
        self.world.give(Stimulus::Received(message));
    }

    /// Tasks, outcomes and output are all given back.
    fn nothing_is_left(self) -> Result<(), String> {
        let status = self.world.machine.status();
        let clean = (status.tasks, status.held, status.functions_waited_for, status.output_bytes);
        if clean == Default::default() { Ok(()) } else { Err(format!("the engine is left with {status:?}")) }
    }
}
