//! The controller's metrics, put together when somebody asks. docs/observability.md has them all in a table.

use std::pin::Pin;

use paraply_common::{
    telemetry::metrics::{Family, Point, Source, count},
    tower::count::CountLayer,
};
use paraply_core::{
    membership::{EngineState, Membership, Transition},
    transitions::Transitions,
};

use crate::handle::Handle;

/// What the actor answers.
#[derive(Debug)]
pub(crate) struct Measured {
    registered: u64,
    attached: u64,
    draining: u64,
    schedulers: u64,
    wanted: Option<u32>,
    transitions: Transitions<Transition>,
}

impl Measured {
    pub(crate) fn of(machine: &Membership) -> Self {
        let (mut registered, mut attached, mut draining) = (0, 0, 0);
        for engine in machine.engines() {
            match engine.state {
                EngineState::Registered => registered += 1,
                EngineState::Attached => attached += 1,
                EngineState::Draining => draining += 1,
            }
        }
        let schedulers = u64::from(machine.scheduler().is_some());
        let wanted = machine.demand().map(|demand| demand.engines(1));
        let transitions = machine.transitions().clone();
        Self { registered, attached, draining, schedulers, wanted, transitions }
    }

    fn families(&self) -> Vec<Family> {
        let of = |transition| count(self.transitions.of(transition));
        let by_role = |engine, scheduler| {
            vec![Point::of("role", "engine", of(engine)), Point::of("role", "scheduler", of(scheduler))]
        };
        let states = [("registered", self.registered), ("attached", self.attached), ("draining", self.draining)];
        vec![
            Family::gauge(
                "paraply_engines",
                "Engines that hold a lease, by how far they are.",
                states.map(|(state, engines)| Point::of("state", state, count(engines))).to_vec(),
            ),
            Family::gauge(
                "paraply_schedulers",
                "1 while a scheduler holds a lease, else 0.",
                Point::alone(count(self.schedulers)),
            ),
            Family::gauge(
                "paraply_engines_wanted",
                "Engines that there is work for: those that are busy, and one for each task that waits for any.",
                self.wanted.map_or_else(Vec::new, |engines| Point::alone(count(engines.into()))),
            ),
            Family::counter(
                "paraply_registrations_total",
                "Processes that were taken as members, by what they are.",
                by_role(Transition::EngineRegistered, Transition::SchedulerRegistered),
            ),
            Family::counter(
                "paraply_lease_expiries_total",
                "Members that were silent for longer than their lease.",
                by_role(Transition::EngineLeaseRanOut, Transition::SchedulerLeaseRanOut),
            ),
            Family::counter(
                "paraply_transitions_total",
                "What the state machine did, by its own names for it, which change with it.",
                self.transitions.iter().map(|(name, times)| Point::of("transition", name, count(times))).collect(),
            ),
        ]
    }
}

/// Where the figures come from.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) handle: Handle,
    pub(crate) calls: CountLayer,
}

impl Source for Figures {
    fn measure(&self) -> Pin<Box<dyn Future<Output = Option<Vec<Family>>> + Send + '_>> {
        Box::pin(async {
            let mut families = self.handle.measure().await.ok()?.families();
            families.push(self.calls.family());
            Some(families)
        })
    }
}
