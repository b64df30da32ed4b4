//! How much there is to do, and for how many engines: what autoscalers go by, this one and those outside.

use super::{
    Transition,
    autoscale::{Autoscale, Seen},
    machine::Membership,
};
use crate::{id::EngineId, time::Time};

/// What the scheduler last said there is to do. Engines that leave are not of it: what they run they finish, and the rest
/// waits for others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Demand {
    /// Engines that have something to do, and do not leave.
    pub busy: u32,
    /// Tasks that no engine has, and that any may run.
    pub waiting: u64,
    /// There is something to do, or was within the time after which the cluster is idle.
    pub active: bool,
}

impl Demand {
    /// How many engines it is work for, where each gets so many tasks; not fewer than are busy.
    #[must_use]
    pub fn engines(&self, tasks_each: u32) -> u32 {
        let tasks = u64::from(self.busy).saturating_add(self.waiting);
        let engines = tasks.div_ceil(u64::from(tasks_each.max(1)));
        u32::try_from(engines).unwrap_or(u32::MAX).max(self.busy)
    }

    fn is_work(&self) -> bool {
        self.busy > 0 || self.waiting > 0
    }
}

/// When what there is to do is looked at.
#[derive(Debug, Default)]
pub(super) struct Review {
    /// Something has changed.
    pub(super) due: bool,
    /// When something will, by time alone.
    pub(super) at: Option<Time>,
    pub(super) demand: Option<Demand>,
    /// Until when the cluster counts as active, since there is nothing to do.
    active_until: Option<Time>,
}

impl Membership {
    /// How much there is to do; `None` while no scheduler has said so.
    #[must_use]
    pub fn demand(&self) -> Option<Demand> {
        self.review.demand
    }

    /// Looks at what there is to do, if that may have changed, and has engines come or leave where they are scaled here.
    pub(super) fn review(&mut self, now: Time) {
        let due = std::mem::take(&mut self.review.due) || self.review.at.is_some_and(|at| at <= now);
        if !due {
            return;
        }
        self.review.at = None;
        let Some((busy, staying, idle, next_idle)) = self.look(now) else {
            self.review.demand = None;
            return;
        };
        let waiting = self.scheduler.as_ref().map_or(0, |scheduler| scheduler.waiting);
        let mut demand = Demand { busy, waiting, active: true };
        if demand.is_work() {
            self.review.active_until = None;
        } else {
            if self.review.demand.is_some_and(|before| before.is_work()) {
                self.review.active_until = Some(now + self.config.idle);
            }
            self.review.active_until = self.review.active_until.filter(|until| *until > now);
            demand.active = self.review.active_until.is_some();
        }
        self.review.demand = Some(demand);
        self.review.at = self.review.active_until;
        if let Some(policy) = self.config.autoscale.filter(|_| self.whole) {
            let seen = Seen { staying, useful: demand.engines(1), waiting: waiting > 0, idle };
            self.decide(now, &policy, seen);
            let later = next_idle.into_iter().chain(self.autoscaler.next(&policy)).filter(|at| *at > now).min();
            self.review.at = self.review.at.into_iter().chain(later).min();
        }
    }

    fn decide(&mut self, now: Time, policy: &Autoscale, seen: Seen) {
        if let Some(engines) = self.autoscaler.decide(policy, self.config.idle, now, seen) {
            let transition = if engines > seen.staying { Transition::AskedForMore } else { Transition::LetIdleGo };
            self.transitions.took(transition);
            self.scaled_itself = true;
            self.bring_to(now, engines);
        } else {
            self.wanted_engines = self.within_bounds(self.autoscaler.expected(seen.staying));
        }
    }

    /// Of the engines that stay: how many are busy, how many there are, how many are idle for long enough, and when the
    /// next will be. `None` where no scheduler says so.
    fn look(&mut self, now: Time) -> Option<(u32, u32, u32, Option<Time>)> {
        let loads = &self.scheduler.as_ref().filter(|scheduler| scheduler.reported)?.loads;
        let (mut busy, mut staying, mut idle, mut next) = (0, 0, 0, None::<Time>);
        for (id, engine) in &mut self.engines {
            let load = loads.get(id);
            if engine.exit || engine.drain || load.is_some_and(|load| load.draining) {
                continue;
            }
            staying += 1;
            let works = load.is_some_and(|load| load.is_work());
            busy += u32::from(works);
            engine.idle_since = (load.is_some() && !works).then(|| engine.idle_since.unwrap_or(now));
            match engine.idle_since.map(|since| since + self.config.idle) {
                Some(at) if at <= now => idle += 1,
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        Some((busy, staying, idle, next))
    }

    /// It had nothing to do for as long as it takes.
    pub(super) fn is_idle(&self, now: Time, id: EngineId) -> bool {
        let since = self.engines.get(&id).and_then(|engine| engine.idle_since);
        since.is_some_and(|since| since + self.config.idle <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_gets_its_tasks_and_busy_ones_count() {
        let demand = |busy, waiting| Demand { busy, waiting, active: true };
        assert_eq!(demand(0, 0).engines(1), 0);
        assert_eq!(demand(2, 3).engines(1), 5);
        assert_eq!(demand(0, 20).engines(4), 5);
        assert_eq!(demand(5, 15).engines(4), 5);
        assert_eq!(demand(5, 1).engines(4), 5, "none that is busy is one too many");
        assert_eq!(demand(3, u64::MAX).engines(1), u32::MAX);
        assert_eq!(demand(1, 1).engines(0), 2);
    }
}
