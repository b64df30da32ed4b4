//! What the controller tells of engines, for as long as somebody listens.

use std::{convert::Infallible, time::Duration};

use paraply_common::{clock, connection::ConnectionFile};
use paraply_proto::controller::v1::{
    WatchEnginesRequest, cluster_service_client::ClusterServiceClient, watch_engines_response::Event,
};
use tokio::sync::mpsc;

use crate::cluster_client::{self, ClientError};

/// Between the end of a stream and the next: the controller may be on its way up.
const PAUSE: Duration = Duration::from_millis(100);

/// Watches until nobody listens. `launcher`: whether this is who launches engines.
pub(super) async fn watch<E: From<Event>>(connection: ConnectionFile, launcher: bool, events: mpsc::Sender<E>) {
    while !events.is_closed() {
        let Err(error) = follow(&connection, launcher, &events).await;
        tracing::debug!(%error, "the controller does not tell of engines");
        clock::sleep_until(clock::now() + PAUSE).await;
    }
}

async fn follow<E: From<Event>>(
    connection: &ConnectionFile,
    launcher: bool,
    events: &mpsc::Sender<E>,
) -> Result<Infallible, ClientError> {
    let mut client = ClusterServiceClient::new(cluster_client::connect(connection).await?);
    let mut changes = client.watch_engines(WatchEnginesRequest { launcher }).await?.into_inner();
    loop {
        let change = changes.message().await?.and_then(|response| response.event);
        let change = change.ok_or_else(|| tonic::Status::unavailable("the stream has ended"))?;
        // The loop is over, and this task with it at its next step.
        let _ = events.send(change.into()).await;
    }
}
