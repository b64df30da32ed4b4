//! Learns from the controller which engines take tasks: a process that runs is not yet an engine.

use std::{convert::Infallible, time::Duration};

use paraply_common::{clock, connection::ConnectionFile};
use paraply_proto::controller::v1::{
    EngineState, EngineStatus, WatchEnginesRequest, watch_engines_response::Event as Change,
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
    let mut client = cluster_client::connect(connection).await?;
    let mut changes = client.watch_engines(WatchEnginesRequest {}).await?.into_inner();
    loop {
        let change = changes.message().await?.and_then(|response| response.event);
        match change.ok_or_else(|| tonic::Status::unavailable("the stream has ended"))? {
            Change::Snapshot(snapshot) => {
                send(events, Event::ControllerAnswers).await;
                for status in snapshot.engines {
                    tell(events, status).await;
                }
            }
            Change::Changed(status) => tell(events, status).await,
            // The end of a process is seen at the process.
            Change::RemovedEngineId(_) => {}
        }
    }
}

async fn tell(events: &mpsc::Sender<Event>, status: EngineStatus) {
    let attached = status.state() == EngineState::Attached;
    let Some((engine, pid)) =
        status.engine.and_then(|engine| engine.peer.as_ref().map(|peer| peer.pid).map(|pid| (engine, pid)))
    else {
        return;
    };
    if attached {
        send(events, Event::EngineJoined { engine_id: engine.engine_id, pid }).await;
    }
}

async fn send(events: &mpsc::Sender<Event>, event: Event) {
    // The loop is over, and this task with it at its next step.
    let _ = events.send(event).await;
}
