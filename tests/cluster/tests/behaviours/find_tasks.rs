//! Anybody with the client's token learns where tasks are, why, and what they came to.

use paraply_cluster_tests::{
    cluster::Cluster,
    session::RawSession,
    words::{direct, finished, none, session_hello},
};
use paraply_proto::{
    common::v1::{TaskId, TaskState},
    scheduler::v1::{GetTasksRequest, ListTasksRequest, TaskStatus, task_service_client::TaskServiceClient},
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

#[tokio::test]
async fn a_page_at_a_time_whether_they_are_finished_or_not() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let mut engine = cluster.engine(&scheduler, 0).await;
    let mut sessions = Vec::new();
    for tasks in [3, 2] {
        let hello = session_hello();
        let session = RawSession::hello(&cluster, cluster.dial(&scheduler).await, hello.clone()).await.unwrap();
        session.submit((0..tasks).map(|index| direct(index, 0)).collect()).await;
        sessions.push((hello.session_id, session, tasks));
    }
    let first = engine.assigned().await.unwrap();
    engine.finish(first, &none()).await;
    sessions[0].1.events_until(|event| finished(event).is_some()).await;

    let mut other = TaskServiceClient::with_interceptor(cluster.dial(&scheduler).await, cluster.as_client());
    let mut listed = Vec::new();
    let mut request = ListTasksRequest { page_size: 2, ..ListTasksRequest::default() };
    loop {
        let page = other.list_tasks(request.clone()).await.unwrap().into_inner();
        assert!(page.tasks.len() <= 2);
        listed.extend(page.tasks);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let id = |task: &TaskStatus| task.task_id.clone().map(|id| (id.session_id, id.index));
    let mut all: Vec<_> = sessions
        .iter()
        .flat_map(|(session, _, tasks)| (0..*tasks).map(move |index| Some((session.clone(), index))))
        .collect();
    all.sort();
    assert_eq!(listed.iter().map(id).collect::<Vec<_>>(), all);
    let over = |task: &&TaskStatus| matches!(task.state(), TaskState::Finished | TaskState::Delivered);
    assert!(listed.iter().any(|task| over(&task)) && !listed.iter().all(|task| over(&task)));
    assert!(listed.iter().all(|task| task.times.is_some_and(|times| times.accepted_unix_nanos > 0)));

    for request in [
        ListTasksRequest { page_token: "7".to_owned(), ..ListTasksRequest::default() },
        ListTasksRequest { session_id: vec![1].into(), ..ListTasksRequest::default() },
    ] {
        assert_eq!(other.list_tasks(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
}
