//! One task there and back, and how long that takes on the wire.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use paraply_cluster_tests::{
    cluster::Cluster,
    session::RawSession,
    words::{balanced, direct, finished},
};
use paraply_common::spawn::spawn;
use paraply_proto::{common::v1::outcome::Outcome, scheduler::v1::event};
use tokio::runtime::Builder;

#[tokio::test]
async fn a_direct_task_runs_on_its_engine() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let engine = cluster.engine(&scheduler, 3).await;
    let _serving = spawn(engine.serve());
    let mut session = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    assert_eq!(session.welcome.engines.iter().map(|engine| engine.engine_id).collect::<Vec<_>>(), [3]);
    assert!(!session.welcome.replay);

    session.submit(vec![direct(0, 3)]).await;
    let update = session.update().await;
    assert_eq!(update.accepted_up_to, Some(1), "said with the first update that is due anyway");
    let done = finished(&update.events[0]).unwrap();
    assert_eq!((done.index, done.attempt, done.engine_id), (0, 1, Some(3)));
    assert!(matches!(done.outcome.as_ref().unwrap().outcome, Some(Outcome::Result(_))));
}

#[tokio::test]
async fn balanced_tasks_all_come_back() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let mut serving = Vec::new();
    for id in 0..4 {
        serving.push(spawn(cluster.engine(&scheduler, id).await.serve()));
    }
    let mut session = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    session.submit(vec![balanced(0, 1000, 0)]).await;
    let mut left = 1000;
    let events = session
        .events_until(|event| {
            left -= u32::from(finished(event).is_some());
            left == 0
        })
        .await;
    let mut indexes: Vec<u64> = events.iter().filter_map(finished).map(|done| done.index).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, (0..1000).collect::<Vec<_>>(), "each task one outcome");
}

/// How many blocking no-ops are timed.
const ROUND_TRIPS: u64 = 3000;

#[tokio::test]
async fn a_round_trip_is_short() {
    let cluster = Arc::new(Cluster::default());
    let scheduler = Arc::new(cluster.scheduler());
    // As in a cluster: the engine has a thread of its own.
    let serving = {
        let (cluster, scheduler) = (Arc::clone(&cluster), Arc::clone(&scheduler));
        let serve = async move { cluster.engine(&scheduler, 0).await.serve().await };
        thread::spawn(move || Builder::new_current_thread().enable_all().build().unwrap().block_on(serve))
    };
    let mut session = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    if session.welcome.engines.is_empty() {
        session.events_until(|event| matches!(event.event, Some(event::Event::EngineJoined(_)))).await;
    }
    let mut times = Vec::new();
    for index in 0..ROUND_TRIPS {
        #[allow(clippy::disallowed_methods, reason = "a measurement")]
        let start = Instant::now();
        session.submit(vec![direct(index, 0)]).await;
        session.events_until(|event| finished(event).is_some_and(|done| done.index == index)).await;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize];
    println!(
        "no-op, client to scheduler to engine and back: median {:?}, p90 {:?}, p99 {:?}",
        at(0.5),
        at(0.9),
        at(0.99)
    );
    assert!(at(0.5) < Duration::from_millis(5), "many times what it takes on a machine that does nothing else");
    scheduler.tell_to_stop();
    serving.join().unwrap();
}
