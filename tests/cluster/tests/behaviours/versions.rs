//! Client, controller and scheduler agree on a protocol revision, or say why not.

use paraply_cluster_tests::{
    cluster::Cluster,
    engine::{RawEngine, hello},
    session::RawSession,
    soon,
    words::{peer, session_hello},
};
use paraply_proto::{
    common::v1::PeerInfo,
    controller::v1::{GetClusterInfoRequest, GetClusterInfoResponse, cluster_service_client::ClusterServiceClient},
    scheduler::v1::{EngineHello, SessionHello},
};
use tonic::{Code, Status, transport::Channel};

async fn info(cluster: &Cluster, channel: Channel, peer: PeerInfo) -> Result<GetClusterInfoResponse, Status> {
    let mut client = ClusterServiceClient::with_interceptor(channel, cluster.as_client());
    let request = GetClusterInfoRequest { peer: Some(peer) };
    Ok(client.get_cluster_info(request).await?.into_inner())
}

/// What the controller says once the scheduler has registered with it.
async fn complete_info(cluster: &Cluster, channel: Channel) -> GetClusterInfoResponse {
    soon("a registered scheduler", async {
        loop {
            match info(cluster, channel.clone(), peer()).await {
                Ok(info) if info.scheduler.is_some() => return info,
                _ => tokio::task::yield_now().await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn client_controller_and_scheduler_agree() {
    let cluster = Cluster::default();
    let (controller, scheduler) = cluster.both();
    let through_controller = complete_info(&cluster, cluster.dial(&controller).await).await;
    assert_eq!(through_controller.cluster_id, cluster.id);
    assert_eq!(through_controller.controller.as_ref().unwrap().agent, "paraply-controller");
    let registered = through_controller.scheduler.as_ref().unwrap();
    assert_eq!((registered.agent.as_str(), registered.protocol_max), ("paraply-scheduler", 1));
    assert!(!through_controller.scheduler_endpoints.is_empty());

    let through_scheduler = info(&cluster, cluster.dial(&scheduler).await, peer()).await.unwrap();
    assert_eq!(through_scheduler.cluster_id, cluster.id, "one address is enough, whichever it is");

    let session = RawSession::open(&cluster, cluster.dial(&controller).await).await;
    let welcomed_by = session.welcome.scheduler.as_ref().unwrap();
    assert_eq!(welcomed_by.version, registered.version, "through the controller, from the scheduler");
    assert!(session.welcome.limits.is_some_and(|limits| limits.inline_bytes > 0 && limits.message_bytes > 0));
}

#[tokio::test]
async fn a_peer_of_another_time_is_told_both_ranges() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let newer = || Some(PeerInfo { protocol_min: 7, protocol_max: 9, ..peer() });
    let session = SessionHello { peer: newer(), ..session_hello() };
    let engine = EngineHello { peer: newer(), ..hello(&cluster, 0, vec![]) };
    for refused in [
        RawSession::hello(&cluster, cluster.dial(&scheduler).await, session).await.unwrap_err(),
        RawEngine::hello(&cluster, cluster.dial(&scheduler).await, engine).await.unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("1 to 1") && refused.message().contains("7 to 9"), "{refused}");
    }
}
