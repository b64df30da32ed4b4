//! How many engines there are to be, and which leave when they are too many.

use std::cmp::Reverse;

use super::{
    Transition,
    machine::{Engine, Membership},
};
use crate::id::EngineId;

impl Membership {
    /// An engine takes no new work from now on, and leaves when it has finished what it claimed.
    pub(super) fn drain(&mut self, id: EngineId) {
        let Some(engine) = self.engines.get_mut(&id).filter(|engine| !engine.drain) else { return };
        self.transitions.took(Transition::DrainOrdered);
        engine.drain = true;
        self.due.extend(engine.stream);
        self.engine_changed(id, false);
    }

    pub(super) fn scale(&mut self, engines: u32) {
        self.transitions.took(Transition::Scaled);
        self.wanted_engines = engines;
        for id in self.surplus(engines) {
            self.drain(id);
        }
        self.tell_launchers();
    }

    /// The engines beyond so many: those first that have least to do, and of these the youngest.
    fn surplus(&self, engines: u32) -> Vec<EngineId> {
        let mut staying: Vec<(u32, Reverse<EngineId>)> = self
            .engines
            .iter()
            .filter(|(_, engine)| self.stays(engine))
            .map(|(id, engine)| {
                let load = self.status(engine).load;
                (load.claimed_tasks.saturating_add(load.queued_tasks), Reverse(*id))
            })
            .collect();
        staying.sort_unstable();
        let over = staying.len().saturating_sub(engines as usize);
        staying.into_iter().take(over).map(|(_, Reverse(id))| id).collect()
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
