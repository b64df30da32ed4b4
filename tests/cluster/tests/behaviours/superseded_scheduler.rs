//! Of two schedulers the later one is the cluster's; the other ends, and sends everyone there.

use paraply_cluster_tests::{cluster::Cluster, session::RawSession, soon, words::peer};
use paraply_proto::{
    controller::v1::{GetClusterInfoRequest, cluster_service_client::ClusterServiceClient},
    scheduler::v1::session_closed::Reason,
};

#[tokio::test]
async fn it_ends_with_a_reason_and_tells_its_sessions() {
    let cluster = Cluster::default();
    let (controller, first) = cluster.both();
    let mut client = ClusterServiceClient::with_interceptor(cluster.dial(&controller).await, cluster.as_client());
    soon("the first scheduler's registration", async {
        let request = GetClusterInfoRequest { peer: Some(peer()) };
        while client.get_cluster_info(request.clone()).await.unwrap().into_inner().scheduler.is_none() {}
    })
    .await;
    let mut session = RawSession::open(&cluster, cluster.dial(&first).await).await;

    let config = paraply_scheduler::Config { controller: controller.addresses(), ..cluster.scheduler_config() };
    let second = cluster.scheduler_at("second.sock", config);
    assert_eq!(session.closed().await.reason(), Reason::Shutdown);
    let ended = soon("its end", tokio::task::spawn_blocking(move || first.ended())).await.unwrap();
    let reason = ended.unwrap_err();
    assert!(reason.contains("another scheduler process has taken over"), "{reason}");
    RawSession::open(&cluster, cluster.dial(&second).await).await;
}
