//! Anybody with the client's token learns where tasks are, why, and what they came to.

use paraply_cluster_tests::{
    cluster::Cluster,
    session::RawSession,
    words::{direct, finished, none, session_hello},
};
use paraply_proto::{
    common::v1::{TaskId, TaskState},
    scheduler::v1::{GetTasksRequest, task_service_client::TaskServiceClient},
};
use tonic::Code;

#[tokio::test]
async fn by_id_whoever_submitted_them() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let mut engine = cluster.engine(&scheduler, 0).await;
    let hello = session_hello();
    let id = |index| TaskId { session_id: hello.session_id.clone(), index };
    let mut session = RawSession::hello(&cluster, cluster.dial(&scheduler).await, hello.clone()).await.unwrap();
    session.submit(vec![direct(0, 0), direct(1, 0)]).await;
    let tasks = engine.assigned().await.unwrap();

    let mut other = TaskServiceClient::with_interceptor(cluster.dial(&scheduler).await, cluster.as_client());
    let asked = GetTasksRequest { task_ids: vec![id(0), id(1), id(9)], with_outcomes: true };
    let found = other.get_tasks(asked.clone()).await.unwrap().into_inner().tasks;
    assert_eq!(found.iter().map(|task| task.engine_id).collect::<Vec<_>>(), [Some(0), Some(0)]);
    assert_eq!(found[0].state(), TaskState::Claimed);
    assert!(found[1].why.contains("engine 0"), "{}", found[1].why);

    engine.finish(tasks, &none()).await;
    session.events_until(|event| finished(event).is_some()).await;
    let found = other.get_tasks(asked).await.unwrap().into_inner().tasks;
    assert_eq!((found[0].state(), found[0].outcome.is_some()), (TaskState::Finished, true));

    let many = GetTasksRequest { task_ids: vec![id(0); 1001], with_outcomes: false };
    assert_eq!(other.get_tasks(many).await.unwrap_err().code(), Code::InvalidArgument);
}
