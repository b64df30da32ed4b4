use paraply_proto::controller::v1::{
    GetClusterInfoRequest, cluster_service_client::ClusterServiceClient,
    membership_service_client::MembershipServiceClient,
};
use paraply_proto::scheduler::v1::{GetSchedulerStatusRequest, task_service_client::TaskServiceClient};
use tonic::Code;

use crate::support::{CLIENT, Controller, ENGINE, authed, engine};

#[tokio::test]
async fn the_wrong_token_opens_nothing_and_others_go_on_working() {
    let controller = Controller::start().await;
    let channel = || controller.channel.clone();
    for token in [ENGINE, "not-the-token-at-all"] {
        let mut client = ClusterServiceClient::new(authed(channel(), token));
        let status = client.get_cluster_info(GetClusterInfoRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        assert!(status.message().contains("token"), "{status}");
    }
    let mut bare = ClusterServiceClient::new(channel());
    let status = bare.get_cluster_info(GetClusterInfoRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let mut client_as_engine = MembershipServiceClient::new(authed(channel(), CLIENT));
    assert_eq!(client_as_engine.register_member(engine(1)).await.unwrap_err().code(), Code::Unauthenticated);
    let mut passed_on = TaskServiceClient::new(authed(channel(), ENGINE));
    let status = passed_on.get_scheduler_status(GetSchedulerStatusRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "what is passed on is checked first");

    controller.cluster().get_cluster_info(GetClusterInfoRequest::default()).await.unwrap();
}
