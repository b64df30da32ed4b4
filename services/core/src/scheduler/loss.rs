//! Engines attach and are lost: who gets what they had.

use std::collections::BTreeSet;

use super::{CloseStatus, Instruction, Peer, Scheduler, Seen, Transition, blobs::Holder, engine::Engine, task::State};
use crate::{
    engine_link::{HeldState, Hello, Welcome},
    id::{AttemptId, ConnectionId, EngineId, TaskId},
    mutant::{Mutant, forgets},
    outcome::{FailureKind, Outcome},
    session_link::EventKind,
    time::Time,
};

impl Scheduler {
    pub(super) fn on_engine_opened(&mut self, now: Time, connection: ConnectionId, hello: Hello) {
        if self.shutting_down {
            return self.close(connection, CloseStatus::Unavailable("the scheduler is shutting down"));
        }
        let (id, incarnation) = (hello.info.id, hello.info.incarnation);
        let seen = self.seen.get(&id).copied();
        if seen.is_some_and(|seen| seen.incarnation != incarnation) {
            self.transitions.took(Transition::EngineRefused);
            return self.close(connection, CloseStatus::AlreadyExists("another process holds the engine id"));
        }
        if seen.is_some_and(|seen| hello.stream != 0 && hello.stream < seen.stream) {
            self.transitions.took(Transition::RefusedLateHello);
            return self.close(connection, CloseStatus::Unavailable("a later connection of this engine came before"));
        }
        self.transitions.took(Transition::EngineAttached);
        if self.engines.contains_key(&id) {
            self.transitions.took(Transition::EngineCameAgain);
        }
        // Its old stream is half open: what it had there is given away, as if the break had been seen in time.
        self.lose_engine(now, id, "connected again", CloseStatus::Unavailable("the engine connected again"));
        self.seen.insert(id, Seen { incarnation, stream: hello.stream });
        self.connections.insert(connection, Peer::Engine(id));
        let mut engine = Engine::new(hello.info.clone(), connection, hello.credit, now);
        engine.direct = self.recovery.came_back(id);
        self.engines.insert(id, engine);
        if self.selectors.attached(&hello.info) {
            self.transitions.took(Transition::LabelsCame);
        }
        let mut dropped = Vec::new();
        let mut kept = BTreeSet::new();
        for held in hello.held {
            if self.adopt(now, id, held) {
                kept.insert(held.attempt);
            } else {
                dropped.push(held.attempt);
            }
        }
        self.adopt_blobs(id, hello.kept_blobs, &kept);
        if let Some(engine) = self.engines.get_mut(&id) {
            engine.welcome = Some(Welcome { epoch: self.epoch, lease: self.config.lease, dropped });
        }
        self.each_session(|session| {
            if session.connection.is_some() && !session.welcome_due {
                session.outbox.push(EventKind::EngineJoined(hello.info.clone()), None);
            }
        });
        self.watch_engine(now, id);
        self.welcome_to_retries(id);
        self.dirty_engines.insert(id);
        self.out.push(Instruction::EngineAttached { info: hello.info });
        self.settle_unsure(Some(id));
        self.answer_wants();
        self.end_recovery_if_all_are_back();
    }

    pub(super) fn on_broken(&mut self, now: Time, connection: ConnectionId) {
        match self.connections.remove(&connection) {
            Some(Peer::Session(id)) => self.on_session_broken(now, id),
            Some(Peer::Engine(id)) => {
                self.transitions.took(Transition::EngineBroke);
                self.lose_engine(now, id, "connection closed", CloseStatus::Ok);
            }
            None => {}
        }
    }

    /// The controller has given up an engine: nobody waits for it any more. One that is attached is there, whatever the
    /// controller has missed.
    pub(super) fn on_member_removed(&mut self, id: EngineId) {
        if !self.engines.contains_key(&id) {
            self.transitions.took(Transition::EngineRemoved);
            self.recovery.is_gone(id);
            self.lose_blobs_of(id);
            self.end_recovery_if_all_are_back();
        }
    }

    /// An engine is gone. Clients hear of it before they hear what became of its tasks.
    pub(super) fn lose_engine(&mut self, now: Time, id: EngineId, reason: &'static str, status: CloseStatus) {
        let Some(engine) = self.engines.remove(&id) else { return };
        self.selectors.lost(&engine.info);
        if self.connections.remove(&engine.connection).is_some() {
            self.out.push(Instruction::Close { connection: engine.connection, status });
        }
        self.dirty_engines.remove(&id);
        if let Some(load) = engine.open_at {
            self.room.remove(&(load, id));
        }
        self.unpersisted_outcomes.retain(|(_, keeper, _)| *keeper != id);
        self.each_session(|session| session.outbox.forget_keeper(id));
        if !forgets(Mutant::LossToldLate) {
            self.tell_left(id, reason);
        }
        self.out.push(Instruction::EngineLost { engine: id, reason });
        for task in engine.held.keys() {
            self.lose_attempt(now, *task, id);
        }
        for task in engine.direct {
            if self.task(task).is_some_and(|record| record.state == State::Queued && record.target == Some(id)) {
                self.fail_lost(task, id);
            }
        }
        if forgets(Mutant::LossToldLate) {
            self.tell_left(id, reason);
        }
        self.miss_blobs_of(now, id);
        self.blobs.tell_again(|holder| matches!(holder, Holder::Absent(keeper, _) if keeper == id));
        self.give_up_stranded();
        self.queue_what_is_ready();
    }

    fn tell_left(&mut self, engine: EngineId, reason: &'static str) {
        self.each_session(|session| {
            if session.connection.is_some() && !session.welcome_due {
                session.outbox.push(EventKind::EngineLeft { engine, reason: reason.into() }, None);
            }
        });
    }

    /// What becomes of a task that a lost engine had.
    fn lose_attempt(&mut self, now: Time, id: TaskId, engine: EngineId) {
        let Some(task) = self.task(id).filter(|task| task.engine() == Some(engine)) else { return };
        let (claimed, direct) = (matches!(task.state, State::Claimed(_)), task.is_direct());
        self.transitions.took(match (direct, claimed) {
            (true, _) => Transition::LostDirect,
            (false, true) => Transition::LostClaimed,
            (false, false) => Transition::LostUnclaimed,
        });
        let Some(task) = self.task(id) else { return };
        if task.is_direct() || (claimed && !task.may_retry()) {
            self.fail_lost(id, engine);
        } else if claimed {
            let outcome = lost(id, engine);
            self.retry(now, id, engine, outcome.into());
        } else if task.cancelled {
            self.abort(id);
        } else {
            self.queue(id, true);
            if forgets(Mutant::RequeuedTwice) {
                self.queue(id, true);
            }
        }
    }

    pub(super) fn fail_lost(&mut self, id: TaskId, engine: EngineId) {
        self.finish(id, Some(engine), lost(id, engine));
    }

    /// An attaching engine holds a task. True if the task is its own from here on.
    fn adopt(&mut self, now: Time, engine: EngineId, held: crate::engine_link::Held) -> bool {
        let AttemptId { task: id, attempt } = held.attempt;
        let Some(task) = self.task_mut(id) else {
            let kept = self.recovery.keep_orphan(engine, held, self.sessions.get(&id.session));
            self.transitions.took(if kept.is_ok() { Transition::KeptOrphan } else { Transition::RefusedHeld });
            if let Ok(Some(earlier)) = &kept {
                self.drop_orphan(earlier);
            }
            if kept.is_ok() && held.state != HeldState::Finished {
                self.note_other(engine, held.attempt);
            }
            return kept.is_ok();
        };
        task.heard_of = task.heard_of.max(attempt);
        let free = match task.state {
            State::Unsure(None) => task.target.is_none_or(|target| target == engine),
            State::Unsure(Some(expected)) => expected == engine,
            // A task that was given up, or waited for this engine or its bytes, and went nowhere else since.
            State::Queued | State::Waiting => task.target.is_none_or(|target| target == engine) && task.attempt == 0,
            _ => false,
        };
        if !free && held.state != HeldState::Queued {
            // It ran there, and what comes of that is not waited for: one run less that it may have.
            task.failures = task.failures.max(attempt);
        }
        self.transitions.took(if free { Transition::Adopted } else { Transition::RefusedHeld });
        if free {
            self.give_to(now, id, engine, attempt, held.state);
        }
        free
    }
}

fn lost(id: TaskId, engine: EngineId) -> Outcome {
    let message = format!("Engine {engine} died while running task '{id}'");
    Outcome::failed(FailureKind::EngineLost, "EngineError", message, Some(engine))
}
