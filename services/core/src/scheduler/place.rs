//! Placement: which engine gets which task next.
//!
//! Direct tasks go to their engine as far as its credit reaches. Balanced tasks go to the least loaded engine that may
//! run them, at most `prefetch` ahead of what it runs. An engine with nothing to do, when the queue has nothing for it,
//! gets back what another was sent and has not claimed, if it may run that.

use std::time::Duration;

use super::{
    Scheduler, Transition,
    balanced::{Offer, Size, Taker},
    engine::{Engine, Held, nanos},
    task::{State, Takers, Task},
};
use crate::{
    call::{Placement, Work},
    engine_link::{AssignedCall, AssignedTask},
    id::{AttemptId, EngineId, SessionId, TaskId},
    time::Time,
};

/// What a task weighs that is expected to take so long: one that was never measured fills the prefetch.
fn weight(expected: Option<Duration>, prefetch: Duration) -> u64 {
    nanos(expected.unwrap_or(prefetch))
}

impl Scheduler {
    pub(super) fn place(&mut self, now: Time) {
        let changed: Vec<EngineId> = self.dirty_engines.iter().copied().collect();
        for engine in &changed {
            self.place_direct(now, *engine);
        }
        changed.into_iter().for_each(|engine| self.reopen(engine));
        self.place_balanced(now);
    }

    fn place_direct(&mut self, now: Time, id: EngineId) {
        let (mut placed, balanced_waits) = (false, self.placeable() > 0);
        loop {
            let Some(engine) = self.engines.get_mut(&id) else { return };
            let Some(task) = engine.direct.front().copied() else { break };
            let record = self.sessions.get(&task.session).and_then(|session| session.tasks.get(task.index));
            let Some(record) = record.filter(|record| record.state == State::Queued && record.target == Some(id))
            else {
                engine.direct.pop_front(); // It has left: cancelled, or its session is gone.
                continue;
            };
            // The last of the credit is left for balanced work, if there is some: neither starves the other.
            let left = engine.credit.total_tasks.saturating_sub(engine.used.total_tasks);
            let reserved = left <= 1 && engine.held_balanced == 0 && balanced_waits && placed;
            if reserved || !engine.has_credit(record.size()) {
                break;
            }
            engine.direct.pop_front();
            self.assign(now, id, task);
            placed = true;
        }
    }

    fn place_balanced(&mut self, now: Time) {
        let mut passed = Vec::new();
        while self.placeable() > 0 {
            let Some((_, id)) = self.room.pop_first() else { break };
            if let Some(engine) = self.engines.get_mut(&id) {
                engine.open_at = None;
            }
            match self.offer(id) {
                Offer::Task(session, index) => {
                    self.assign(now, id, TaskId { session, index });
                    self.reopen(id);
                }
                // Until it changes, there is no use in asking again.
                Offer::DoesNotFit => {}
                Offer::Nothing => passed.push(id),
            }
        }
        let mut idle = passed.clone();
        if self.placeable() == 0 {
            idle.extend(self.room.iter().take_while(|(load, _)| *load == 0).map(|(_, id)| *id));
        }
        idle.retain(|id| self.engines.get(id).is_some_and(Engine::is_idle));
        self.take_back_for_one_of(now, idle);
        passed.into_iter().for_each(|id| self.reopen(id));
    }

    fn offer(&mut self, id: EngineId) -> Offer {
        let Self { engines, balanced, selectors, sessions, functions, config, .. } = self;
        let Some(engine) = engines.get(&id).filter(|engine| engine.has_credit(0)) else { return Offer::DoesNotFit };
        let lookup = |session: SessionId, index: u64, engine: EngineId| {
            let task = sessions.get(&session)?.tasks.get(index)?;
            let may_run = task.may_run_on(engine) && selectors.admits(engine, task.selector);
            let queued = task.state == State::Queued && may_run;
            let expected = task.digest().and_then(|digest| functions.expected(digest));
            queued.then(|| Size { expected, bytes: task.size() })
        };
        let (held, prefetched) = (engine.held_balanced, engine.prefetched());
        let taker = Taker { engine: id, any: selectors.admits(id, None), carried: selectors.of(id) };
        let offer = balanced.take(taker, &lookup, &|size| {
            engine.has_credit(size.bytes) && Engine::fits(held, prefetched, size.expected, config.prefetch)
        });
        if let Offer::Task(session, index) = offer
            && let Some(Takers::Carriers(selector)) = self.task(TaskId { session, index }).map(Task::takers)
        {
            self.selectors.left(selector);
        }
        offer
    }

    /// Sends a queued task to an engine.
    fn assign(&mut self, now: Time, id: EngineId, task: TaskId) {
        let Some(record) = self.sessions.get_mut(&task.session).and_then(|session| session.tasks.get_mut(task.index))
        else {
            return;
        };
        let Some(engine) = self.engines.get_mut(&id) else { return };
        self.transitions.took(if record.is_direct() {
            Transition::AssignedDirect
        } else {
            Transition::AssignedBalanced
        });
        let (head, arguments, direct) = (record.head.clone(), record.arguments.clone(), record.is_direct());
        let selector = record.selector;
        // One that has bytes to wait for may still be taken back.
        let claimed = engine.is_idle() && !head.start_once && arguments.blobs().next().is_none();
        let several = matches!(&head.placement, Placement::Direct { engines } if engines.len() > 1);
        record.attempt = record.attempt.max(record.heard_of) + 1;
        record.state = if claimed { State::Claimed(id) } else { State::Assigned(id) };
        let attempt = record.attempt;
        engine.used.total_tasks += 1;
        engine.used.total_bytes += arguments.inline_size();
        let digest = if let Work::Function(digest) = head.work { Some(digest) } else { None };
        let expected = digest.and_then(|digest| self.functions.expected(digest));
        let cost = weight(expected, self.config.prefetch);
        engine.hold(task, Held { balanced: !direct, selector, claimed: claimed.then_some(now), cost });
        if let Some(digest) = digest.filter(|digest| !engine.functions.contains(digest)) {
            self.send_function(id, digest);
        }
        let Some(engine) = self.engines.get_mut(&id) else { return };
        let assigned = AssignedTask { index: task.index, attempt, claimed, arguments, expected, span: None };
        match engine.assigned.back_mut() {
            Some(call)
                if call.session == task.session
                    && call.direct == direct
                    && std::sync::Arc::ptr_eq(&call.head, &head) =>
            {
                call.tasks.push(assigned);
            }
            _ => engine.assigned.push_back(AssignedCall {
                head,
                session: task.session,
                direct,
                several,
                tasks: vec![assigned],
            }),
        }
        self.dirty_engines.insert(id);
        if claimed {
            self.transitions.took(Transition::AssignedClaimed);
            self.note_claim(now, id, AttemptId { task, attempt });
        }
    }

    /// What a task weighs, in nanoseconds.
    pub(super) fn cost(&self, task: TaskId) -> u64 {
        let digest = self.task(task).and_then(Task::digest);
        weight(digest.and_then(|digest| self.functions.expected(digest)), self.config.prefetch)
    }

    /// The engine changed: it may be offered balanced work again.
    fn reopen(&mut self, id: EngineId) {
        let Some(engine) = self.engines.get_mut(&id) else { return };
        if let Some(load) = engine.open_at.take() {
            self.room.remove(&(load, id));
        }
        if engine.has_credit(0) {
            engine.open_at = Some(engine.held_cost);
            self.room.insert((engine.held_cost, id));
        }
    }

    /// Asks an engine for half of the unclaimed balanced work that one with nothing to do may run: the engine that has most
    /// of it, or whose work waits behind a task that takes long. One engine's answer first: it may be enough for all.
    fn take_back_for_one_of(&mut self, now: Time, idle: Vec<EngineId>) {
        if idle.is_empty() || self.engines.values().any(|engine| engine.retracting > 0) {
            return;
        }
        // Moving work costs a round trip: less than a fifth of the prefetch is not worth it.
        let prefetch = self.config.prefetch;
        let least = nanos(prefetch) / 5;
        let spare = self.engines.iter().filter_map(|(id, engine)| {
            let prefetched = if engine.held_balanced > 1 { engine.prefetched() } else { 0 };
            if prefetched >= least {
                return Some((prefetched, *id));
            }
            let waits = engine.held_balanced > 0 && engine.runs_since().is_some_and(|since| since + prefetch <= now);
            waits.then_some((engine.held_balanced_cost, *id))
        });
        let mut victims: Vec<(u64, EngineId)> = spare.collect();
        if victims.is_empty() {
            return;
        }
        victims.sort_unstable_by(|a, b| b.cmp(a));
        for id in idle {
            for (_, victim) in &victims {
                if *victim != id && self.take_back(*victim, id) {
                    return;
                }
            }
        }
    }

    /// Asks one engine for work that another may run. Says whether it has some.
    fn take_back(&mut self, victim: EngineId, idle: EngineId) -> bool {
        let (any, carried) = (self.selectors.admits(idle, None), self.selectors.of(idle));
        let may_give = |engine: &&Engine| engine.may_give_to(any, carried);
        let Some(engine) = self.engines.get(&victim).filter(may_give) else { return false };
        let unclaimed = engine
            .sent_balanced
            .iter()
            .copied()
            .filter(|id| engine.held.get(id).is_some_and(|held| held.claimed.is_none()))
            .filter(|id| self.task(*id).is_some_and(|task| self.may_run(task, idle)));
        let mut unclaimed: Vec<TaskId> = unclaimed.collect();
        let give: Vec<TaskId> = unclaimed.split_off(unclaimed.len() / 2);
        give.iter().for_each(|task| self.retract(*task));
        !give.is_empty()
    }

    /// Asks for a task back, if it was sent to an engine that has not claimed it.
    pub(super) fn retract(&mut self, task: TaskId) {
        let Some(record) = self.task_mut(task) else { return };
        let State::Assigned(holder) = record.state else { return };
        record.state = State::Retracting(holder);
        let attempt = AttemptId { task, attempt: record.attempt };
        if let Some(engine) = self.engines.get_mut(&holder) {
            engine.retracting += 1;
            self.transitions.took(Transition::Retracted);
            engine.orders.retract.push(attempt);
            self.dirty_engines.insert(holder);
        }
    }
}
