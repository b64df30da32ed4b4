//! How members come and go.

use std::sync::Arc;

use super::{
    Grant, Instruction, NewEngine, NewScheduler, Refusal, RequestId, Transition,
    ids::FIRST_SCHEDULER_ID,
    machine::{Engine, Membership},
    view::described,
};
use crate::{
    id::{EngineId, Incarnation},
    session_link::EngineInfo,
    time::Time,
};
/// A new engine that came before any scheduler had registered.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: RequestId,
    pub(super) engine: NewEngine,
    pub(super) until: Time,
}

impl Membership {
    pub(super) fn register_engine(&mut self, now: Time, request: RequestId, engine: NewEngine) {
        let answer = match self.admit(now, request, engine) {
            Ok(Some(id)) => Ok(self.grant(id)),
            Ok(None) => return,
            Err(refusal) => Err(refusal),
        };
        self.answer_registration(request, answer);
    }

    pub(super) fn register_scheduler(&mut self, now: Time, request: RequestId, scheduler: NewScheduler) {
        let incarnation = scheduler.info.incarnation;
        if self.superseded.contains(&incarnation) {
            return self.answer_registration(request, Err(Refusal::Superseded));
        }
        if let Err(refusal) = self.check_size(scheduler.info.size()) {
            return self.answer_registration(request, Err(refusal));
        }
        let next = self.ids.next();
        self.ids.learn(scheduler.next_engine_id);
        self.persist_if_changed(next);
        let member_id = self.enter_scheduler(now, scheduler.info);
        let scheduler_endpoints = self.scheduler_endpoints().to_vec();
        self.answer_registration(request, Ok(Grant { member_id, incarnation, scheduler_endpoints }));
        for waiting in std::mem::take(&mut self.waiting) {
            self.register_engine(now, waiting.request, waiting.engine);
        }
    }

    pub(super) fn deregister(&mut self, member_id: u32, incarnation: Incarnation) {
        let id = EngineId(member_id);
        if self.engines.get(&id).is_some_and(|engine| engine.info.incarnation == incarnation) {
            self.transitions.took(Transition::EngineLeft);
            self.forget_engine(id);
        } else if self.is_scheduler(member_id, incarnation) {
            self.transitions.took(Transition::SchedulerLeft);
            self.forget_scheduler();
        }
    }

    /// Who waited long enough is told to try again.
    pub(super) fn give_up_waiting(&mut self, now: Time) {
        let over = self.waiting.partition_point(|waiting| waiting.until <= now);
        for waiting in self.waiting.drain(..over).collect::<Vec<_>>() {
            self.transitions.took(Transition::EngineWaitedInVain);
            self.answer_registration(waiting.request, Err(Refusal::NoScheduler));
        }
    }

    /// The id of an engine that registers; `None` if it is to wait.
    fn admit(&mut self, now: Time, request: RequestId, engine: NewEngine) -> Result<Option<EngineId>, Refusal> {
        self.check_size(described(&engine.peer, &engine.labels))?;
        let held = self.engines.values().find(|held| held.info.incarnation == engine.incarnation);
        let held = held.map(|held| held.info.id);
        if let Some(id) = held {
            self.transitions.took(Transition::EngineRepeated);
            self.renew_engine(now, id);
            return Ok(Some(id));
        }
        if self.engines.len() >= self.config.engines {
            return Err(Refusal::TooManyEngines(self.engines.len()));
        }
        if let Some(id) = engine.id.filter(|_| engine.proven) {
            self.come_back(now, id, engine)?;
            return Ok(Some(id));
        }
        if !self.ids.known() {
            self.wait(now, request, engine)?;
            return Ok(None);
        }
        let next = self.ids.next();
        let id = self.choose(engine.id)?;
        self.persist_if_changed(next);
        self.transitions.took(Transition::EngineRegistered);
        self.enter_engine(now, id, engine);
        Ok(Some(id))
    }

    /// The wish, if it was never given, else a new id.
    fn choose(&mut self, wish: Option<EngineId>) -> Result<EngineId, Refusal> {
        let most = self.ids.most(self.config.id_reach);
        if let Some(wish) = wish {
            if wish > most {
                return Err(Refusal::IdTooHigh { wish, most });
            }
            if self.ids.take(wish) {
                self.transitions.took(Transition::EngineGotItsWish);
                return Ok(wish);
            }
        }
        self.ids.draw().ok_or(Refusal::IdTooHigh { wish: EngineId(FIRST_SCHEDULER_ID), most })
    }

    /// An engine that this machine has given up or never knew, with a ticket for its id.
    fn come_back(&mut self, now: Time, id: EngineId, engine: NewEngine) -> Result<(), Refusal> {
        let held = self.engines.contains_key(&id) || self.ids.is_anothers(id, engine.incarnation);
        if held || id.0 >= FIRST_SCHEDULER_ID {
            return Err(Refusal::IdHeld(id));
        }
        let next = self.ids.next();
        self.ids.mark(id);
        self.persist_if_changed(next);
        self.transitions.took(Transition::EngineCameBack);
        self.enter_engine(now, id, engine);
        Ok(())
    }

    fn wait(&mut self, now: Time, request: RequestId, engine: NewEngine) -> Result<(), Refusal> {
        if let Some(earlier) = self.waiting.iter_mut().find(|w| w.engine.incarnation == engine.incarnation) {
            let repeated = std::mem::replace(&mut earlier.request, request);
            self.answer_registration(repeated, Err(Refusal::Repeated));
            return Ok(());
        }
        if self.waiting.len() >= self.config.waiting_engines {
            return Err(Refusal::TooManyWaiting(self.waiting.len()));
        }
        self.transitions.took(Transition::EngineWaited);
        let until = now + self.config.scheduler_wait;
        self.waiting.push_back(Waiting { request, engine, until });
        self.wake_at(until);
        Ok(())
    }

    fn enter_engine(&mut self, now: Time, id: EngineId, engine: NewEngine) {
        let NewEngine { incarnation, peer, labels, registered_unix_nanos, .. } = engine;
        let lease_until = now + self.config.lease;
        self.ids.own(id, incarnation);
        let info = Arc::new(EngineInfo { id, incarnation, peer, labels });
        let engine = Engine {
            info,
            registered_unix_nanos,
            lease_until,
            stream: None,
            lost: false,
            exit: false,
            drain: false,
            idle_since: None,
            signals: Vec::new(),
        };
        self.engines.insert(id, engine);
        self.autoscaler.came(self.config.idle, now);
        self.wake_at(lease_until);
        self.engine_changed(id, true);
    }

    pub(super) fn renew_engine(&mut self, now: Time, id: EngineId) {
        if let Some(engine) = self.engines.get_mut(&id) {
            engine.lease_until = now + self.config.lease;
        }
    }

    fn grant(&self, id: EngineId) -> Grant {
        Grant {
            member_id: id.0,
            incarnation: self.engines.get(&id).map_or(Incarnation(0), |engine| engine.info.incarnation),
            scheduler_endpoints: self.scheduler_endpoints().to_vec(),
        }
    }

    fn check_size(&self, size: usize) -> Result<(), Refusal> {
        let most = self.config.description_bytes;
        if size > most { Err(Refusal::TooLarge { size, most }) } else { Ok(()) }
    }

    fn answer_registration(&mut self, request: RequestId, answer: Result<Grant, Refusal>) {
        if answer.is_err() {
            self.transitions.took(Transition::RegistrationRefused);
        }
        self.urgent.push(Instruction::Answer { request, answer });
    }

    pub(super) fn persist_if_changed(&mut self, before: u32) {
        let next_engine_id = self.ids.next();
        if next_engine_id != before {
            self.urgent.push(Instruction::Persist { next_engine_id });
        }
    }
}
