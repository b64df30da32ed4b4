//! Learns from the controller which engines take tasks: a process that runs is not yet an engine.

use std::{convert::Infallible, time::Duration};

use paraply_common::{clock, connection::ConnectionFile, peer};
use paraply_proto::controller::v1::{
    EngineState, EngineStatus, WatchEnginesRequest, cluster_service_client::ClusterServiceClient,
    watch_engines_response::Event as Change,
};
use tokio::sync::mpsc;

use super::event::Event;
use crate::cluster_client::{self, ClientError};

/// Between the end of a stream and the next: the controller may be on its way up again.
const PAUSE: Duration = Duration::from_millis(100);

/// Watches until the loop is over.
pub(super) async fn watch(connection: ConnectionFile, events: mpsc::Sender<Event>) {
    while !events.is_closed() {
        let Err(error) = follow(&connection, &events).await;
        tracing::debug!(%error, "the controller does not tell of engines");
        clock::sleep_until(clock::now() + PAUSE).await;
    }
}

async fn follow(connection: &ConnectionFile, events: &mpsc::Sender<Event>) -> Result<Infallible, ClientError> {
    let here = peer::this_process("paraply").hostname;
    let mut client = ClusterServiceClient::new(cluster_client::connect(connection).await?);
    let mut changes = client.watch_engines(WatchEnginesRequest {}).await?.into_inner();
    loop {
        let change = changes.message().await?.and_then(|response| response.event);
        match change.ok_or_else(|| tonic::Status::unavailable("the stream has ended"))? {
            Change::Snapshot(snapshot) => {
                send(events, Event::ControllerAnswers).await;
                for status in snapshot.engines {
                    tell(events, status, &here).await;
                }
            }
            Change::Changed(status) => tell(events, status, &here).await,
            // The end of a process is seen at the process.
            Change::RemovedEngineId(_) => {}
        }
    }
}

async fn tell(events: &mpsc::Sender<Event>, status: EngineStatus, here: &str) {
    if let Some(joined) = joined(status, here) {
        send(events, joined).await;
    }
}

/// What a status means to the supervisor: one of its own engines has joined, perhaps.
fn joined(status: EngineStatus, here: &str) -> Option<Event> {
    let attached = status.state() == EngineState::Attached;
    let engine = status.engine.filter(|_| attached)?;
    // Engines can come from other machines, and pids are drawn on each anew.
    let peer = engine.peer.filter(|peer| peer.hostname == here)?;
    Some(Event::EngineJoined { engine_id: engine.engine_id, pid: peer.pid })
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
        let status = |hostname: &str| {
            let peer = PeerInfo { hostname: hostname.to_owned(), pid: 7, ..PeerInfo::default() };
            let engine = Engine { engine_id: 3, peer: Some(peer), ..Engine::default() };
            EngineStatus { engine: Some(engine), state: EngineState::Attached.into(), ..EngineStatus::default() }
        };
        assert!(matches!(joined(status("here"), "here"), Some(Event::EngineJoined { engine_id: 3, pid: 7 })));
        assert!(joined(status("there"), "here").is_none());
    }
}
