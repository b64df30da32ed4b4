//! An engine that is cut off is seen at once, and what it had fails or moves.

use std::time::{Duration, Instant};

use paraply_cluster_tests::{
    cluster::Cluster,
    session::RawSession,
    words::{balanced, direct, finished},
};
use paraply_common::spawn::spawn;
use paraply_proto::{
    common::v1::{FailureKind, outcome::Outcome},
    scheduler::v1::{Event, event},
};

fn failure(event: &Event) -> Option<FailureKind> {
    match finished(event)?.outcome.as_ref()?.outcome.as_ref()? {
        Outcome::Failure(failure) => Some(failure.kind()),
        Outcome::Result(_) => None,
    }
}

#[tokio::test]
async fn its_direct_task_fails_at_once_after_clients_know_it_left() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let mut engine = cluster.engine(&scheduler, 7).await;
    let mut session = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    session.submit(vec![direct(0, 7)]).await;
    engine.assigned().await.unwrap();

    #[allow(clippy::disallowed_methods, reason = "a measurement")]
    let cut = Instant::now();
    drop(engine);
    let events = session.events_until(|event| finished(event).is_some()).await;
    assert!(cut.elapsed() < Duration::from_secs(5), "{:?}", cut.elapsed());
    let left = events
        .iter()
        .position(|event| matches!(&event.event, Some(event::Event::EngineLeft(left)) if left.engine_id == 7));
    let failed = events.iter().position(|event| failure(event) == Some(FailureKind::EngineLost));
    assert!(left.unwrap() < failed.unwrap(), "{events:?}");
    assert_eq!(finished(&events[failed.unwrap()]).unwrap().engine_id, Some(7), "the error names the engine");
}

#[tokio::test]
async fn its_balanced_task_runs_again_elsewhere() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let mut lost = cluster.engine(&scheduler, 0).await;
    let mut session = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    session.submit(vec![balanced(0, 1, 1)]).await;
    lost.assigned().await.unwrap();
    let _serving = spawn(cluster.engine(&scheduler, 1).await.serve());
    drop(lost);
    let events = session.events_until(|event| finished(event).is_some()).await;
    let done = finished(events.last().unwrap()).unwrap();
    assert_eq!((done.engine_id, done.attempt), (Some(1), 2));
    assert_eq!(failure(events.last().unwrap()), None);
}

#[tokio::test]
async fn a_task_for_an_engine_that_never_was_is_refused() {
    let cluster = Cluster::default();
    let (_controller, scheduler) = cluster.both();
    let mut session = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    session.submit(vec![direct(0, 99)]).await;
    let events = session.events_until(|event| finished(event).is_some()).await;
    let kind = failure(events.last().unwrap()).unwrap();
    assert!(matches!(kind, FailureKind::Refused | FailureKind::EngineLost), "{kind:?}");
}
