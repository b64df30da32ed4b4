//! The engines of a cluster as whoever launches them sees them: each with its host, which is a container or a pod of its
//! own, and with what it has to do.

use std::collections::BTreeMap;

use paraply_proto::controller::v1::{EngineState, EngineStatus, watch_engines_response::Event};

/// What the controller has told, by the id of the engine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fleet(BTreeMap<u32, Engine>);

#[derive(Debug, Clone)]
struct Engine {
    host: String,
    /// Of its process, on its host.
    pid: u32,
    state: EngineState,
    tasks: u32,
}

/// What would be lost with a host: the first of these goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    /// Its engine is about to leave.
    Leaving,
    /// No engine of it takes tasks yet.
    Empty,
    /// Its engine has so many.
    Tasks(u32),
}

impl Fleet {
    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::Snapshot(snapshot) => {
                self.0.clear();
                snapshot.engines.iter().for_each(|status| self.note(status));
            }
            Event::Changed(status) => self.note(status),
            Event::RemovedEngineId(id) => {
                self.0.remove(id);
            }
            Event::WantedEngines(_) => {}
        }
    }

    fn note(&mut self, status: &EngineStatus) {
        let Some(engine) = &status.engine else { return };
        let (host, pid) = engine.peer.as_ref().map(|peer| (peer.hostname.clone(), peer.pid)).unwrap_or_default();
        let tasks = status.claimed_tasks.saturating_add(status.queued_tasks);
        self.0.insert(engine.engine_id, Engine { host, pid, state: status.state(), tasks });
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }

    pub(crate) fn count(&self, state: EngineState) -> usize {
        self.0.values().filter(|engine| engine.state == state).count()
    }

    /// Those that take tasks, each with its pid.
    pub(crate) fn attached(&self) -> impl Iterator<Item = (u32, u32)> {
        let attached = self.0.iter().filter(|(_, engine)| engine.state == EngineState::Attached);
        attached.map(|(id, engine)| (*id, engine.pid))
    }

    pub(crate) fn worth(&self, host: &str) -> Worth {
        let of_host = self.0.values().filter(|engine| engine.host == host);
        let worth = of_host.map(|engine| match engine.state {
            EngineState::Draining => Worth::Leaving,
            EngineState::Attached => Worth::Tasks(engine.tasks),
            EngineState::Registered | EngineState::Unspecified => Worth::Empty,
        });
        worth.max().unwrap_or(Worth::Empty)
    }

    /// Of these hosts those that are too many, where there are to be `wanted`.
    pub(crate) fn surplus<'a>(&self, hosts: &[&'a str], wanted: usize) -> Vec<&'a str> {
        let mut hosts = hosts.to_vec();
        hosts.sort_by_key(|host| self.worth(host));
        hosts.truncate(hosts.len().saturating_sub(wanted));
        hosts
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use paraply_proto::{
        common::v1::{Engine, PeerInfo},
        controller::v1::EngineSnapshot,
    };

    use super::*;

    pub(crate) fn status(engine_id: u32, host: &str, state: EngineState, claimed_tasks: u32) -> EngineStatus {
        let peer = PeerInfo { hostname: host.to_owned(), pid: 7, ..PeerInfo::default() };
        let engine = Engine { engine_id, peer: Some(peer), ..Engine::default() };
        EngineStatus { engine: Some(engine), state: state.into(), claimed_tasks, ..EngineStatus::default() }
    }

    #[test]
    fn who_leaves_goes_first_then_who_has_not_come_then_who_has_least_to_do() {
        let mut fleet = Fleet::default();
        let engines = vec![
            status(0, "busy", EngineState::Attached, 3),
            status(1, "idle", EngineState::Attached, 0),
            status(2, "leaving", EngineState::Draining, 9),
        ];
        fleet.take(&Event::Snapshot(EngineSnapshot { engines }));
        let hosts = ["busy", "idle", "leaving", "new"];
        assert!(fleet.surplus(&hosts, 4).is_empty());
        assert_eq!(fleet.surplus(&hosts, 2), ["leaving", "new"]);
        assert_eq!(fleet.surplus(&hosts, 1), ["leaving", "new", "idle"]);
        assert_eq!(fleet.surplus(&hosts, 0).len(), 4);
        assert_eq!(fleet.attached().collect::<Vec<_>>(), [(0, 7), (1, 7)]);
    }

    #[test]
    fn an_engine_that_has_taken_the_place_of_another_counts_for_its_host() {
        let mut fleet = Fleet::default();
        fleet.take(&Event::Changed(status(1, "host", EngineState::Draining, 0)));
        assert_eq!(fleet.worth("host"), Worth::Leaving);
        fleet.take(&Event::Changed(status(5, "host", EngineState::Attached, 1)));
        assert_eq!(fleet.worth("host"), Worth::Tasks(1));
        fleet.take(&Event::RemovedEngineId(5));
        fleet.take(&Event::RemovedEngineId(1));
        assert_eq!(fleet.worth("host"), Worth::Empty);
        assert_eq!(fleet.count(EngineState::Attached), 0);
    }
}
