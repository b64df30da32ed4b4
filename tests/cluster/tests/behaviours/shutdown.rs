//! Stopping is bounded in time, and everyone is told.

use std::time::{Duration, Instant};

use paraply_cluster_tests::{
    cluster::{Cluster, GRACE},
    session::RawSession,
};
use paraply_proto::scheduler::v1::session_closed::Reason;

#[tokio::test]
async fn sessions_are_told_and_the_service_ends_in_time() {
    let cluster = Cluster::default();
    let (_controller, scheduler) = cluster.both();
    let mut session = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    let mut engine = cluster.engine(&scheduler, 0).await;
    #[allow(clippy::disallowed_methods, reason = "a measurement")]
    let told = Instant::now();
    scheduler.tell_to_stop();
    assert_eq!(session.closed().await.reason(), Reason::Shutdown);
    assert!(engine.assigned().await.is_err());
    // Neither hangs up: a peer that does not listen must not hold the service.
    tokio::task::spawn_blocking(move || scheduler.ended()).await.unwrap().unwrap();
    assert!(told.elapsed() < GRACE + Duration::from_secs(2), "{:?}", told.elapsed());
    drop((session, engine));
}
