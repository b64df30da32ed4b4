//! How often machines took their transitions.

use std::collections::BTreeMap;

use paraply_core::{client_session, engine_session, membership, scheduler, transitions::Transitions};

use crate::{agenda::Place, world::World};

/// Sums over machines.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    engines: Transitions<engine_session::Transition>,
    clients: Transitions<client_session::Transition>,
    membership: Transitions<membership::Transition>,
    scheduler: Transitions<scheduler::Transition>,
}

impl Tally {
    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        self.engines.add(&other.engines);
        self.clients.add(&other.clients);
        self.membership.add(&other.membership);
        self.scheduler.add(&other.scheduler);
    }

    /// By machine and transition.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        let engines = self.engines.iter().map(|(name, count)| (("engine session", name), count));
        let clients = self.clients.iter().map(|(name, count)| (("client session", name), count));
        let membership = self.membership.iter().map(|(name, count)| (("membership", name), count));
        let scheduler = self.scheduler.iter().map(|(name, count)| (("scheduler", name), count));
        engines.chain(clients).chain(membership).chain(scheduler).collect()
    }
}

impl World {
    /// Keeps the counts of a process that is about to go.
    pub fn tally_of(&mut self, place: Place) {
        match place {
            Place::Controller => {
                if let Some(process) = &self.controller {
                    self.tally.membership.add(process.machine.transitions());
                }
            }
            Place::Scheduler => {
                if let Some(process) = &self.scheduler {
                    self.tally.scheduler.add(process.machine.transitions());
                }
            }
            Place::Engine(slot) => {
                if let Some(process) = &self.engines[slot] {
                    self.tally.engines.add(process.machine.transitions());
                }
            }
            Place::Client(slot) => {
                if let Some(process) = &self.clients[slot] {
                    self.tally.clients.add(process.machine.transitions());
                }
            }
        }
    }
}
