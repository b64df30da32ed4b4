//! A client that goes without a word harms nobody and finds its results when it comes back.

use paraply_cluster_tests::{
    cluster::Cluster,
    session::RawSession,
    words::{direct, finished, none, session_hello},
};
use paraply_proto::scheduler::v1::{ResumePoint, SessionHello, session_closed::Reason};

#[tokio::test]
async fn its_task_runs_on_and_its_result_waits() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let mut engine = cluster.engine(&scheduler, 0).await;
    let mut other = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;

    let hello = session_hello();
    let gone = RawSession::hello(&cluster, cluster.dial(&scheduler).await, hello.clone()).await.unwrap();
    let epoch = gone.welcome.epoch;
    gone.submit(vec![direct(0, 0)]).await;
    let tasks = engine.assigned().await.unwrap();
    drop(gone);
    engine.finish(tasks, &none()).await;

    other.submit(vec![direct(0, 0)]).await;
    let tasks = engine.assigned().await.unwrap();
    engine.finish(tasks, &none()).await;
    other.events_until(|event| finished(event).is_some()).await;

    let resume = Some(ResumePoint { epoch, sequence: 0, next_index: 1 });
    let again = SessionHello { resume, ..hello };
    let mut back = RawSession::hello(&cluster, cluster.dial(&scheduler).await, again).await.unwrap();
    assert_eq!((back.welcome.accepted_up_to, back.welcome.replay), (1, false));
    let events = back.events_until(|event| finished(event).is_some()).await;
    assert_eq!(finished(events.last().unwrap()).unwrap().index, 0);
}

#[tokio::test]
async fn a_session_that_is_taken_over_is_told() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let hello = session_hello();
    let mut first = RawSession::hello(&cluster, cluster.dial(&scheduler).await, hello.clone()).await.unwrap();
    let resume = Some(ResumePoint { epoch: first.welcome.epoch, sequence: 0, next_index: 0 });
    let again = SessionHello { resume, ..hello };
    let _second = RawSession::hello(&cluster, cluster.dial(&scheduler).await, again).await.unwrap();
    assert_eq!(first.closed().await.reason(), Reason::Superseded);
}
