//! When a call's bytes are all here its tasks enter their queues, all of them in one step.
//!
//! A direct call also waits for every earlier direct call of its session to any of its engines. So calls enter the
//! direct queues one after the other: one session's calls to one engine are FIFO, and all calls on several engines have
//! one order that is the same on every engine.

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
};

use super::{
    Scheduler, Transition,
    balanced::Lists,
    session::PendingCall,
    task::{State, Takers},
    timers::Timer,
};
use crate::{
    id::{EngineId, SessionId, TaskId},
    mutant::{Mutant, forgets},
    outcome::{FailureKind, Outcome},
};

impl Scheduler {
    pub(super) fn queue_what_is_ready(&mut self) {
        let waiting = self.sessions.iter().filter(|(_, session)| !session.pending.is_empty());
        let waiting: Vec<SessionId> = waiting.map(|(id, _)| *id).collect();
        waiting.into_iter().for_each(|id| self.queue_ready_of(id));
    }

    pub(super) fn queue_ready_of(&mut self, id: SessionId) {
        // Cancels come before a replay is complete: nothing starts that the client does not want any more.
        let Some(session) = self.sessions.get_mut(&id).filter(|session| !session.replaying) else { return };
        let mut blocked: BTreeSet<EngineId> = BTreeSet::new();
        let mut later = VecDeque::new();
        for call in mem::take(&mut session.pending) {
            if blocked.is_disjoint(&call.engines.iter().copied().collect()) && self.is_here(&call) {
                self.queue_call(id, &call);
            } else if self.is_waited_for(id, &call) {
                self.transitions.took(Transition::HeldCallBack);
                blocked.extend(call.engines.iter().filter(|_| !forgets(Mutant::CallOvertaken)));
                later.push_back(call);
            }
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.pending = later;
        }
    }

    fn is_here(&self, call: &PendingCall) -> bool {
        call.function.is_none_or(|digest| self.functions.get(digest).is_some())
            && call.blobs.iter().all(|blob| !self.blobs.is_awaited(*blob))
    }

    fn is_waited_for(&self, id: SessionId, call: &PendingCall) -> bool {
        let Some(session) = self.sessions.get(&id) else { return false };
        let mut tasks = session.tasks.range(call.first_index..call.first_index + call.tasks);
        tasks.any(|(_, task)| task.state == State::Waiting)
    }

    fn queue_call(&mut self, id: SessionId, call: &PendingCall) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let mut others = Vec::new();
        for (index, task) in session.tasks.range_mut(call.first_index..call.first_index + call.tasks) {
            if task.state != State::Waiting {
                continue;
            }
            // Most tasks may run anywhere: for these it is one walk through the session's tasks.
            if task.is_direct() || task.takers() != Takers::Any || task.queue_deadline.is_some() {
                others.push(index);
            } else {
                task.state = State::Queued;
                self.balanced.push(task.head.priority, id, index, Lists::Any, false);
            }
        }
        for index in others {
            self.queue(TaskId { session: id, index }, false);
        }
    }

    /// Puts a task into its queue: at the back, or at the front when it was there before.
    pub(super) fn queue(&mut self, id: TaskId, front: bool) {
        let Some(task) = self.task_mut(id) else { return };
        task.state = State::Queued;
        if let Some(engine) = task.target {
            return self.queue_direct(id, engine);
        }
        if let Some(deadline) = task.queue_deadline {
            self.timers.insert((deadline, Timer::QueueTimeout(id)));
        }
        let Some(task) = self.task(id) else { return };
        let priority = task.head.priority;
        match task.takers() {
            Takers::Any => return self.balanced.push(priority, id.session, id.index, Lists::Any, front),
            Takers::Carriers(selector) => {
                self.balanced.push(priority, id.session, id.index, Lists::Carriers(selector), front);
                if !self.selectors.queued(selector) {
                    self.transitions.took(Transition::WaitedForLabels);
                }
                return;
            }
            Takers::Listed => {}
        }
        let engines: Vec<EngineId> =
            self.engines.keys().copied().filter(|engine| self.may_run(task, *engine)).collect();
        if engines.is_empty() && !self.recovery.is_on() {
            return self.give_up(id);
        }
        // While engines are still coming back, the ones it names may be among them, and their labels are not known yet.
        let named: Vec<EngineId> = task.allowed().map_or_else(|| engines.clone(), <[EngineId]>::to_vec);
        let named: Vec<EngineId> = named.into_iter().filter(|engine| task.may_run_on(*engine)).collect();
        self.balanced.push(priority, id.session, id.index, Lists::Only(&named), front);
    }

    fn queue_direct(&mut self, id: TaskId, engine: EngineId) {
        if let Some(attached) = self.engines.get_mut(&engine) {
            attached.direct.push_back(id);
            self.dirty_engines.insert(engine);
        } else if self.recovery.may_come_back(engine) && !self.seen.contains_key(&engine) {
            self.transitions.took(Transition::WaitedForEngine);
            self.recovery.wait_for(engine, id);
        } else {
            let message = format!("engine {engine} is gone");
            self.finish(
                id,
                Some(engine),
                Outcome::failed(FailureKind::EngineLost, "EngineError", message, Some(engine)),
            );
        }
    }

    /// An engine came: tasks that failed elsewhere, and so wait for certain engines, may run there too.
    pub(super) fn welcome_to_retries(&mut self, engine: EngineId) {
        if self.balanced.restricted() == 0 {
            return;
        }
        for (session, owner) in &self.sessions {
            for (index, task) in owner.tasks.iter() {
                let waits = task.state == State::Queued && !task.excluded.is_empty() && task.allowed().is_none();
                if waits && !task.is_direct() && self.may_run(task, engine) {
                    self.balanced.also(task.head.priority, *session, index, engine);
                }
            }
        }
    }

    /// No engine is left that a queued task may run on: its last real failure is its outcome.
    pub(super) fn give_up(&mut self, id: TaskId) {
        self.transitions.took(Transition::GaveUp);
        let Some(task) = self.task_mut(id) else { return };
        let (engine, outcome) = match task.last_failure.take() {
            Some((engine, outcome)) => (Some(engine), outcome),
            None => {
                let and = if task.labels().is_empty() { "" } else { " and carries the labels that it asks for" };
                let message = format!("none of the engines that the task is limited to is attached{and}");
                (None, Outcome::failed(FailureKind::EngineLost, "EngineError", message, None).into())
            }
        };
        // Not in the balanced queue: `finish` must not count it as leaving one.
        task.state = State::Waiting;
        self.finish(id, engine, outcome);
    }

    /// An engine is gone: restricted tasks that only it could run have nowhere to go.
    pub(super) fn give_up_stranded(&mut self) {
        if self.recovery.is_on() || self.balanced.restricted() == 0 {
            return;
        }
        let mut stranded = Vec::new();
        for (session, tasks) in self.sessions.iter().map(|(id, session)| (*id, &session.tasks)) {
            let restricted = tasks.iter().filter(|(_, task)| task.state == State::Queued && !task.is_direct());
            let restricted = restricted.filter(|(_, task)| task.takers() == Takers::Listed);
            for (index, _) in restricted.filter(|(_, task)| !self.engines.keys().any(|id| self.may_run(task, *id))) {
                stranded.push(TaskId { session, index });
            }
        }
        for id in stranded {
            self.balanced.left(true);
            self.give_up(id);
        }
    }
}
