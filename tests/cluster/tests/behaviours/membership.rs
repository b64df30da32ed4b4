//! The scheduler is a member of its cluster, also of one whose controller restarts.

use paraply_cluster_tests::{
    cluster::Cluster,
    session::RawSession,
    soon,
    words::{direct, finished, peer},
};
use paraply_common::spawn::spawn;
use paraply_proto::controller::v1::{
    EngineState, EngineStatus, GetClusterInfoRequest, ListEnginesRequest, cluster_service_client::ClusterServiceClient,
    endpoint::Address,
};
use tonic::transport::Channel;

async fn engines(cluster: &Cluster, channel: &Channel) -> Vec<EngineStatus> {
    let mut client = ClusterServiceClient::with_interceptor(channel.clone(), cluster.as_client());
    let answer = client.list_engines(ListEnginesRequest::default()).await;
    answer.map(|answer| answer.into_inner().engines).unwrap_or_default()
}

/// Whether the controller says that the scheduler is at this address.
async fn scheduler_is(cluster: &Cluster, channel: &Channel, address: Address) -> bool {
    let mut client = ClusterServiceClient::with_interceptor(channel.clone(), cluster.as_client());
    let request = GetClusterInfoRequest { peer: Some(peer()) };
    let info = client.get_cluster_info(request).await.unwrap().into_inner();
    info.scheduler_endpoints.iter().any(|endpoint| endpoint.address.as_ref() == Some(&address))
}

#[tokio::test]
async fn the_controller_learns_of_attached_engines() {
    let cluster = Cluster::default();
    let (controller, scheduler) = cluster.both();
    let channel = cluster.dial(&controller).await;
    let member = cluster.register_engine(&controller, 5).await;
    let engine = cluster.engine(&scheduler, member.member_id).await;
    let attached = |engines: &[EngineStatus]| {
        engines
            .iter()
            .any(|engine| engine.state() == EngineState::Attached && engine.engine.as_ref().unwrap().engine_id == 5)
    };
    soon("an attached engine", async { while !attached(&engines(&cluster, &channel).await) {} }).await;
    drop(engine);
    soon("its loss", async { while attached(&engines(&cluster, &channel).await) {} }).await;
}

#[tokio::test]
async fn a_restarted_scheduler_takes_the_place_of_the_one_that_was_killed() {
    let cluster = Cluster::default();
    let (controller, scheduler) = cluster.both();
    let channel = cluster.dial(&controller).await;
    let here = |port: u16| Address::Tcp(format!("127.0.0.1:{port}"));
    soon("the first", async { while !scheduler_is(&cluster, &channel, here(scheduler.port())).await {} }).await;
    scheduler.kill();
    let config = paraply_scheduler::Config { controller: controller.addresses(), ..cluster.scheduler_config() };
    let second = cluster.scheduler_with(config, 0);
    soon("the second", async { while !scheduler_is(&cluster, &channel, here(second.port())).await {} }).await;
    RawSession::open(&cluster, channel).await;
}

#[tokio::test]
async fn tasks_run_on_without_a_controller_and_it_is_told_when_it_is_back() {
    let cluster = Cluster::default();
    let (controller, scheduler) = cluster.both();
    let _serving = spawn(cluster.engine(&scheduler, 0).await.serve());
    let mut session = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    controller.kill();
    session.submit(vec![direct(0, 0)]).await;
    session.events_until(|event| finished(event).is_some()).await;

    let controller = cluster.controller();
    let channel = cluster.dial(&controller).await;
    // A call of the scheduler's, through a controller that has heard where the scheduler is.
    soon("the scheduler's return", async {
        while RawSession::try_open(&cluster, channel.clone()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
