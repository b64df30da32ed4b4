//! Learns from the controller which engines take tasks: a process that runs is not yet an engine.

use std::collections::BTreeMap;

use paraply_common::{connection::ConnectionFile, peer, spawn::spawn};
use paraply_proto::controller::v1::{EngineState, EngineStatus, watch_engines_response::Event as Change};
use tokio::sync::mpsc;

use super::{event::Event, watch};

/// Watches until the loop is over.
pub(super) async fn watch(connection: ConnectionFile, events: mpsc::Sender<Event>) {
    let here = peer::this_process("paraply").hostname;
    let (told, mut changes) = mpsc::channel(1);
    let _watching = spawn(watch::watch(connection, true, told));
    let mut attached = Attached::default();
    while let Some(change) = changes.recv().await {
        match change {
            Change::Snapshot(snapshot) => {
                attached = Attached::default();
                send(&events, Event::ControllerAnswers).await;
                for status in snapshot.engines {
                    attached.note(&status, &here);
                    tell(&events, status, &here).await;
                }
            }
            Change::Changed(status) => {
                attached.note(&status, &here);
                tell(&events, status, &here).await;
            }
            // The end of a process is seen at the process.
            Change::RemovedEngineId(id) => {
                attached.0.remove(&id);
            }
            Change::WantedEngines(engines) => {
                let (here, elsewhere) = attached.places();
                send(&events, Event::Scale { engines, here, elsewhere }).await;
            }
        }
    }
}

/// Engines that take tasks, by id: the pid of one on this machine.
#[derive(Debug, Default)]
struct Attached(BTreeMap<u32, Option<u32>>);

impl Attached {
    fn note(&mut self, status: &EngineStatus, here: &str) {
        let Some(engine) = &status.engine else { return };
        if status.state() == EngineState::Attached {
            let peer = engine.peer.as_ref().filter(|peer| peer.hostname == here);
            self.0.insert(engine.engine_id, peer.map(|peer| peer.pid));
        } else {
            self.0.remove(&engine.engine_id);
        }
    }

    /// The pids of those here, and how many are elsewhere.
    fn places(&self) -> (Vec<u32>, usize) {
        let here: Vec<u32> = self.0.values().copied().flatten().collect();
        let elsewhere = self.0.len() - here.len();
        (here, elsewhere)
    }
}

async fn tell(events: &mpsc::Sender<Event>, status: EngineStatus, here: &str) {
    if let Some(event) = event(status, here) {
        send(events, event).await;
    }
}

/// What a status means to the supervisor: one of its own engines has joined, or is about to leave, perhaps.
fn event(status: EngineStatus, here: &str) -> Option<Event> {
    let state = status.state();
    let engine = status.engine?;
    // Engines can come from other machines, and pids are drawn on each anew.
    let pid = engine.peer.filter(|peer| peer.hostname == here)?.pid;
    match state {
        EngineState::Attached => Some(Event::EngineJoined { engine_id: engine.engine_id, pid }),
        EngineState::Draining => Some(Event::EngineDrains { pid }),
        EngineState::Registered | EngineState::Unspecified => None,
    }
}

async fn send(events: &mpsc::Sender<Event>, event: Event) {
    // The loop is over, and this task with it at its next step.
    let _ = events.send(event).await;
}

#[cfg(test)]
mod tests {
    use paraply_proto::common::v1::{Engine, PeerInfo};

    use super::*;

    #[test]
    fn an_engine_of_another_machine_is_not_taken_for_the_process_of_its_pid_here() {
        let joined = status(3, "here", EngineState::Attached);
        assert!(matches!(event(joined, "here"), Some(Event::EngineJoined { engine_id: 3, pid: 7 })));
        let draining = status(3, "here", EngineState::Draining);
        assert!(matches!(event(draining, "here"), Some(Event::EngineDrains { pid: 7 })));
        assert!(event(status(3, "there", EngineState::Attached), "here").is_none());
        assert!(event(status(3, "here", EngineState::Registered), "here").is_none());
    }

    #[test]
    fn those_that_take_tasks_are_counted_here_and_elsewhere() {
        let mut attached = Attached::default();
        for (id, host) in [(1, "here"), (2, "there"), (3, "there")] {
            attached.note(&status(id, host, EngineState::Attached), "here");
        }
        assert_eq!(attached.places(), (vec![7], 2));
        attached.note(&status(1, "here", EngineState::Draining), "here");
        attached.note(&status(2, "there", EngineState::Registered), "here");
        assert_eq!(attached.places(), (vec![], 1));
    }

    fn status(engine_id: u32, hostname: &str, state: EngineState) -> EngineStatus {
        let peer = PeerInfo { hostname: hostname.to_owned(), pid: 7, ..PeerInfo::default() };
        let engine = Engine { engine_id, peer: Some(peer), ..Engine::default() };
        EngineStatus { engine: Some(engine), state: state.into(), ..EngineStatus::default() }
    }
}
