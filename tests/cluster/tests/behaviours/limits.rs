//! What peers say of themselves has its limits.

use std::collections::HashMap;

use paraply_cluster_tests::{
    cluster::Cluster,
    engine::{RawEngine, hello},
    session::RawSession,
    words::session_hello,
};
use paraply_proto::scheduler::v1::{
    EngineHello, GetSchedulerStatusRequest, SessionHello, task_service_client::TaskServiceClient,
};
use tonic::Code;

#[tokio::test]
async fn a_long_label_of_a_session_is_cut_between_characters() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let channel = cluster.dial(&scheduler).await;
    let hello = SessionHello { label: format!("x{}", "ä".repeat(1000)), ..session_hello() };
    let _session = RawSession::hello(&cluster, channel.clone(), hello).await.unwrap();
    let mut client = TaskServiceClient::with_interceptor(channel, cluster.as_client());
    let request = GetSchedulerStatusRequest { with_sessions: true, longest_running: 0 };
    let status = client.get_scheduler_status(request).await.unwrap().into_inner();
    assert_eq!(status.session_rows[0].label, format!("x{}", "ä".repeat(127)));
}

#[tokio::test]
async fn an_engine_with_too_many_labels_is_refused_by_name() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let labels = HashMap::from([("key".to_owned(), "v".repeat(16 << 10))]);
    let hello = EngineHello { labels, ..hello(&cluster, 3, vec![]) };
    let refused = RawEngine::hello(&cluster, cluster.dial(&scheduler).await, hello).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("hello.labels"), "{refused}");
}

#[tokio::test]
async fn a_thousand_sessions_are_shown_of_more() {
    let cluster = Cluster::default();
    let config = paraply_scheduler::Config { sessions: 1001, ..cluster.scheduler_config() };
    let scheduler = cluster.scheduler_with(config, 0);
    let channel = cluster.dial(&scheduler).await;
    for _ in 0..1001 {
        drop(RawSession::open(&cluster, channel.clone()).await);
    }
    let mut client = TaskServiceClient::with_interceptor(channel, cluster.as_client());
    let request = GetSchedulerStatusRequest { with_sessions: true, longest_running: 0 };
    let status = client.get_scheduler_status(request).await.unwrap().into_inner();
    assert_eq!((status.sessions, status.session_rows.len()), (1001, 1000));
}
