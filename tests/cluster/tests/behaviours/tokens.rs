//! Every call shows the token that it needs.

use paraply_cluster_tests::{
    cluster::Cluster,
    dial::{Bearer, bearer},
};
use paraply_common::secret::Secret;
use paraply_proto::{
    blob::v1::{QueryWriteStatusRequest, blob_service_client::BlobServiceClient},
    controller::v1::{GetClusterInfoRequest, cluster_service_client::ClusterServiceClient},
    scheduler::v1::{
        AttachEngineRequest, GetSchedulerStatusRequest, engine_link_service_client::EngineLinkServiceClient,
        task_service_client::TaskServiceClient,
    },
};
use tonic::{Code, Status, transport::Channel};

async fn status(channel: &Channel, token: Bearer) -> Result<(), Status> {
    let mut client = TaskServiceClient::with_interceptor(channel.clone(), token);
    client.get_scheduler_status(GetSchedulerStatusRequest::default()).await.map(drop)
}

async fn attach(channel: &Channel, token: Bearer) -> Result<(), Status> {
    let mut client = EngineLinkServiceClient::with_interceptor(channel.clone(), token);
    client.attach_engine(tokio_stream::once(AttachEngineRequest::default())).await.map(drop)
}

async fn query(channel: &Channel, token: Bearer) -> Result<(), Status> {
    let mut client = BlobServiceClient::with_interceptor(channel.clone(), token);
    client.query_write_status(QueryWriteStatusRequest { blob_id: vec![0; 16].into() }).await.map(drop)
}

async fn info(channel: &Channel, token: Bearer) -> Result<(), Status> {
    let mut client = ClusterServiceClient::with_interceptor(channel.clone(), token);
    client.get_cluster_info(GetClusterInfoRequest::default()).await.map(drop)
}

#[tokio::test]
async fn a_wrong_token_is_refused_everywhere_and_says_so() {
    let cluster = Cluster::default();
    let (controller, scheduler) = cluster.both();
    let wrong = || bearer(&Secret::random().unwrap());
    for service in [&controller, &scheduler] {
        let channel = cluster.dial(service).await;
        for result in [
            status(&channel, wrong()).await,
            attach(&channel, wrong()).await,
            query(&channel, wrong()).await,
            info(&channel, wrong()).await,
        ] {
            let refused = result.unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
            assert!(refused.message().contains("token"), "{refused}");
        }
    }
}

#[tokio::test]
async fn a_client_is_no_engine_and_an_engine_no_client() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let channel = cluster.dial(&scheduler).await;
    assert_eq!(status(&channel, cluster.as_engine()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(attach(&channel, cluster.as_client()).await.unwrap_err().code(), Code::Unauthenticated);
    status(&channel, cluster.as_client()).await.unwrap();
    // Either may use the blob service, which then says what is wrong with the call itself.
    assert_eq!(query(&channel, cluster.as_engine()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(query(&channel, cluster.as_client()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(attach(&channel, cluster.as_engine()).await.unwrap_err().code(), Code::InvalidArgument);
}
