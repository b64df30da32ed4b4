//! How many engines there are to be, and which leave when they are too many.

use std::{cmp::Reverse, ops::RangeInclusive, time::Duration};

use super::{
    Autoscale, Transition,
    machine::{Engine, Membership},
};
use crate::{id::EngineId, time::Time};

impl Membership {
    /// An engine takes no new work from now on, and leaves when it has finished what it claimed.
    pub(super) fn drain(&mut self, id: EngineId) {
        let Some(engine) = self.engines.get_mut(&id).filter(|engine| !engine.drain) else { return };
        self.transitions.took(Transition::DrainOrdered);
        engine.drain = true;
        self.due.extend(engine.stream);
        self.engine_changed(id, false);
    }

    /// Somebody says how many there are to be.
    pub(super) fn scale(&mut self, now: Time, engines: u32) {
        self.transitions.took(Transition::Scaled);
        let engines = self.within_bounds(engines);
        if let Some(policy) = self.config.autoscale {
            let staying = u32::try_from(self.staying()).unwrap_or(u32::MAX);
            self.autoscaler.told(&policy, self.config.idle, now, engines, staying);
            self.scaled_itself = true;
        }
        self.bring_to(now, engines);
    }

    /// So many stay, and launchers hear of it.
    pub(super) fn bring_to(&mut self, now: Time, engines: u32) {
        self.wanted_engines = self.within_bounds(engines);
        for id in self.surplus(now, engines) {
            self.drain(id);
        }
        self.tell_launchers();
    }

    /// The engines beyond so many: those first that have least to do, then those that are idle for long, and of these the
    /// youngest.
    fn surplus(&self, now: Time, engines: u32) -> Vec<EngineId> {
        let mut staying: Vec<(u32, bool, Reverse<EngineId>)> = self
            .engines
            .iter()
            .filter(|(_, engine)| self.stays(engine))
            .map(|(id, engine)| {
                let load = self.status(engine).load;
                let idle = self.config.autoscale.is_some() && self.is_idle(now, *id);
                (load.claimed_tasks.saturating_add(load.queued_tasks), !idle, Reverse(*id))
            })
            .collect();
        staying.sort_unstable();
        let over = staying.len().saturating_sub(engines as usize);
        staying.into_iter().take(over).map(|(_, _, Reverse(id))| id).collect()
    }

    /// How many engines somebody may ask for: any number, or what autoscaling keeps to.
    #[must_use]
    pub fn bounds(&self) -> RangeInclusive<u32> {
        self.config.autoscale.map_or(0..=u32::MAX, |policy| policy.min..=policy.max)
    }

    /// What autoscaling keeps to, where it is on, and how long an engine has nothing to do until it is idle.
    #[must_use]
    pub fn autoscale(&self) -> Option<(Autoscale, Duration)> {
        self.config.autoscale.map(|policy| (policy, self.config.idle))
    }

    /// How many there are to be, as was said last.
    #[must_use]
    pub fn wanted_engines(&self) -> u32 {
        self.wanted_engines
    }

    pub(super) fn within_bounds(&self, engines: u32) -> u32 {
        let bounds = self.bounds();
        engines.clamp(*bounds.start(), *bounds.end())
    }

    /// How many engines hold a lease and are not about to leave.
    #[must_use]
    pub fn staying(&self) -> usize {
        self.engines.values().filter(|engine| self.stays(engine)).count()
    }

    fn stays(&self, engine: &Engine) -> bool {
        !engine.exit && self.status(engine).state != super::EngineState::Draining
    }
}
