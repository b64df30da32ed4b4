//! A port of this machine that leads to the controller's pod, as `kubectl port-forward` does it: through the API server.

use std::{net::Ipv4Addr, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use paraply_common::{
    clock,
    spawn::{Task, spawn, spawn_detached},
};
use paraply_core::membership::Endpoint;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use crate::error::Error;

/// Of the controller's pods, and where it listens.
const LABELS: &str = "app.kubernetes.io/part-of=paraply,app.kubernetes.io/name=controller";
const PORT: u16 = 7600;
/// After a connection that could not be taken.
const PAUSE: Duration = Duration::from_millis(50);

/// Forwards for as long as the task lives. Each connection goes to the pod that is there when it comes.
///
/// # Errors
/// If no port is free.
pub(super) async fn to_controller(client: Client, namespace: &str) -> Result<(Endpoint, Task<()>), Error> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::io("cannot listen on 127.0.0.1"))?;
    let address = listener.local_addr().map_err(Error::io("cannot listen on 127.0.0.1"))?.to_string();
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    let forwarding = spawn(async move {
        loop {
            match listener.accept().await {
                Ok((connection, _)) => spawn_detached(serve(pods.clone(), connection)),
                // Descriptors are short: at once it would fail again.
                Err(_) => clock::sleep_until(clock::now() + PAUSE).await,
            }
        }
    });
    // Every certificate that the controller makes is for that name.
    Ok((Endpoint::Tls { address, server_name: "localhost".to_owned() }, forwarding))
}

async fn serve(pods: Api<Pod>, connection: TcpStream) {
    if let Err(error) = forward(&pods, connection).await {
        // Whoever has connected sees that it has ended, and tries again.
        tracing::warn!(error, "a connection was not forwarded to the controller");
    }
}

async fn forward(pods: &Api<Pod>, mut connection: TcpStream) -> Result<(), String> {
    let there = pods.list(&ListParams::default().labels(LABELS)).await.map_err(|error| error.to_string())?;
    let runs = |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
    let stays = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
    let pod = there.items.into_iter().find(|pod| runs(pod) && stays(pod)).and_then(|pod| pod.metadata.name);
    let pod = pod.ok_or("no pod of the controller runs")?;
    let mut forwarder = pods.portforward(&pod, &[PORT]).await.map_err(|error| error.to_string())?;
    let mut stream = forwarder.take_stream(PORT).ok_or("the API server gives no stream")?;
    // The end of either side is the end of both.
    let _ended = copy_bidirectional(&mut connection, &mut stream).await;
    Ok(())
}
