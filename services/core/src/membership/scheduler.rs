//! The scheduler of the cluster, and what it says of its engines.

use std::collections::BTreeMap;

use super::{
    EngineLoad, Instruction, SchedulerInfo, SchedulerReport, Transition,
    ids::FIRST_SCHEDULER_ID,
    keep_alive::Member,
    machine::{Membership, StreamOf},
};
use crate::{
    id::{ConnectionId, EngineId, Incarnation},
    mutant::{Mutant, forgets},
    time::Time,
};

/// How many scheduler processes that were taken over from are remembered.
pub(super) const SUPERSEDED: usize = 16;

/// A scheduler that holds a lease.
#[derive(Debug)]
pub(super) struct Scheduler {
    pub(super) id: u32,
    pub(super) info: SchedulerInfo,
    pub(super) lease_until: Time,
    pub(super) stream: Option<ConnectionId>,
    /// The engines attached to it: also those that are not members yet, as after a restart of the controller.
    pub(super) loads: BTreeMap<EngineId, EngineLoad>,
    /// Tasks that no engine has, and that any may run.
    pub(super) waiting: u64,
    /// It has said what there is to do.
    pub(super) reported: bool,
}

impl Membership {
    /// Makes it the scheduler; returns its member id.
    pub(super) fn enter_scheduler(&mut self, now: Time, info: SchedulerInfo) -> u32 {
        let lease_until = now + self.config.lease;
        self.wake_at(lease_until);
        let moved = self.scheduler_endpoints() != info.endpoints;
        let id = match self.scheduler.take() {
            Some(mut same) if same.info.incarnation == info.incarnation => {
                self.transitions.took(Transition::SchedulerRepeated);
                (same.info, same.lease_until) = (info, lease_until);
                let id = same.id;
                self.scheduler = Some(same);
                id
            }
            before => {
                self.transitions.took(Transition::SchedulerRegistered);
                // What another scheduler had lost, this one may see come back.
                self.engines.values_mut().for_each(|engine| engine.lost = false);
                let id =
                    before.as_ref().map_or(FIRST_SCHEDULER_ID, |before| before.id.checked_add(1).unwrap_or(before.id));
                let (stream, loads, waiting, reported) = (None, BTreeMap::new(), 0, false);
                self.scheduler = Some(Scheduler { id, info, lease_until, stream, loads, waiting, reported });
                self.review.due = true;
                if let Some(before) = before {
                    self.supersede(before);
                }
                id
            }
        };
        if moved {
            self.scheduler_moved();
        }
        id
    }

    pub(super) fn is_scheduler(&self, member_id: u32, incarnation: Incarnation) -> bool {
        self.scheduler.as_ref().is_some_and(|s| s.id == member_id && s.info.incarnation == incarnation)
    }

    /// No scheduler from now on.
    pub(super) fn forget_scheduler(&mut self) {
        let Some(scheduler) = self.scheduler.take() else { return };
        self.review.due = true;
        if let Some(connection) = scheduler.stream {
            self.close(connection, super::CloseReason::NoLease);
        }
        self.detached(scheduler.loads);
        self.scheduler_moved();
    }

    /// Takes in what the scheduler says of its engines.
    pub(super) fn report(&mut self, report: SchedulerReport) {
        if let Some(scheduler) = &mut self.scheduler {
            (scheduler.waiting, scheduler.reported) = (report.waiting, true);
            self.review.due = true;
        }
        let next = self.ids.next();
        for (id, load) in report.loads {
            // A machine that knows nothing of it was not told at its start either.
            self.ids.mark(id);
            let Some(scheduler) = &mut self.scheduler else { return };
            if scheduler.loads.len() >= self.config.reported_engines && !scheduler.loads.contains_key(&id) {
                continue;
            }
            let before = scheduler.loads.insert(id, load);
            if before.is_none() {
                self.transitions.took(Transition::EngineAttached);
            }
            if let Some(engine) = self.engines.get_mut(&id) {
                engine.lost = false;
                if before != Some(load) && !forgets(Mutant::WorkForgotten) {
                    engine.idle_since = None;
                }
            }
            if before != Some(load) {
                self.engine_changed(id, false);
            }
        }
        self.persist_if_changed(next);
        for id in report.lost {
            let attached = self.scheduler.as_mut().is_some_and(|scheduler| scheduler.loads.remove(&id).is_some());
            let Some(engine) = self.engines.get_mut(&id) else { continue };
            engine.lost = true;
            if engine.stream.is_none() {
                self.transitions.took(Transition::EngineLost);
                self.forget_engine(id);
            } else if attached {
                self.engine_changed(id, false);
            }
        }
    }

    /// The one before is told to exit, now or when it comes back.
    fn supersede(&mut self, before: Scheduler) {
        self.transitions.took(Transition::SchedulerSuperseded);
        self.superseded.push_back(before.info.incarnation);
        if self.superseded.len() > SUPERSEDED {
            self.superseded.pop_front();
        }
        if let Some(connection) = before.stream
            && let Some(stream) = self.streams.get_mut(&connection)
            && let StreamOf::KeepAlive(keep_alive) = &mut stream.of
        {
            keep_alive.member = Member::Superseded;
            self.due.insert(connection);
        }
        self.detached(before.loads);
    }

    fn detached(&mut self, loads: BTreeMap<EngineId, EngineLoad>) {
        for id in loads.into_keys() {
            self.engine_changed(id, false);
        }
    }

    /// Everyone who keeps a lease alive is told where the scheduler is now.
    fn scheduler_moved(&mut self) {
        let endpoints = self.scheduler_endpoints().to_vec();
        if !endpoints.is_empty() {
            for (connection, stream) in &mut self.streams {
                if let StreamOf::KeepAlive(keep_alive) = &mut stream.of {
                    keep_alive.endpoints_due = true;
                    self.due.insert(*connection);
                }
            }
        }
        self.urgent.push(Instruction::SchedulerAt { endpoints });
    }
}
