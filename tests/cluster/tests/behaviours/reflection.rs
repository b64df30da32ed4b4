//! `grpcurl list` works, for those who may.

use paraply_cluster_tests::{cluster::Cluster, soon};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

#[tokio::test]
async fn every_service_of_the_schema_is_listed() {
    let cluster = Cluster::default();
    let (controller, scheduler) = cluster.both();
    for service in [&controller, &scheduler] {
        let channel = cluster.dial(service).await;
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut client = ServerReflectionClient::with_interceptor(channel.clone(), cluster.as_client());
        let mut answers =
            client.server_reflection_info(tokio_stream::once(request.clone())).await.unwrap().into_inner();
        let answer = soon("a list", answers.message()).await.unwrap().unwrap().message_response.unwrap();
        let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
        let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
        for name in
            ["paraply.scheduler.v1.TaskService", "paraply.controller.v1.ClusterService", "paraply.blob.v1.BlobService"]
        {
            assert!(names.contains(&name), "{names:?}");
        }
        let mut stranger = ServerReflectionClient::new(channel);
        let refused = stranger.server_reflection_info(tokio_stream::once(request)).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    }
}
