use paraply_common::wire::endpoint;
use paraply_core::membership::Endpoint;
use paraply_proto::{common::v1::PeerInfo, controller::v1::GetClusterInfoRequest};
use tonic::{Code, Request, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::support::{Controller, me, scheduler};

#[tokio::test]
async fn it_says_which_cluster_this_is_and_where_the_scheduler_can_be_reached() {
    let controller = Controller::start().await;
    let ask = async || controller.cluster().get_cluster_info(GetClusterInfoRequest { peer: Some(me()) }).await;
    let info = ask().await.unwrap().into_inner();
    assert_eq!(info.cluster_id, "quiet-heron");
    assert_eq!(info.scheduler, None);
    assert_eq!(info.scheduler_endpoints, endpoint::encode(&[Endpoint::Same]));

    let at = [Endpoint::Unix { path: "/run/s.sock".into(), boot_id: "b".into() }, Endpoint::Tcp("127.0.0.1:1".into())];
    controller.register(scheduler(1, &at, 0)).await.unwrap();
    let info = ask().await.unwrap().into_inner();
    assert_eq!(info.scheduler.unwrap().agent, "paraply-test");
    assert_eq!(info.controller.unwrap().agent, "paraply-controller");
    let [unix, tcp] = at;
    assert_eq!(info.scheduler_endpoints, endpoint::encode(&[unix, tcp, Endpoint::Same]), "best first");
}

#[tokio::test]
async fn a_caller_of_another_time_is_refused_with_both_ranges() {
    let controller = Controller::start().await;
    let peer = PeerInfo { protocol_min: 8, protocol_max: 9, ..me() };
    let status = controller.cluster().get_cluster_info(GetClusterInfoRequest { peer: Some(peer) }).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("8 to 9"), "{status}");
}

#[tokio::test]
async fn health_needs_no_token_and_knows_its_services() {
    let controller = Controller::start().await;
    let mut health: HealthClient<Channel> = HealthClient::new(controller.channel.clone());
    for service in ["", "paraply.controller.v1.ClusterService"] {
        let answer = health.check(Request::new(HealthCheckRequest { service: service.into() })).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }
    let unknown = health.check(HealthCheckRequest { service: "what".into() }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}
