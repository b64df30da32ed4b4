//! A client that does not read costs one message of memory, and finds everything when it reads again. (HTTP/2 itself
//! ends a connection on which thousands of tiny frames wait unread, and every call on it.)

use std::collections::BTreeSet;

use paraply_cluster_tests::{
    cluster::Cluster,
    session::RawSession,
    words::{balanced, finished},
};
use paraply_common::spawn::spawn;

const TASKS: u64 = 10_000;

#[tokio::test]
async fn ten_thousand_outcomes_wait_and_others_work_on() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let _serving = spawn(cluster.engine(&scheduler, 0).await.serve());
    let mut slow = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    let mut other = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    // One call a message: as many small messages as there can be.
    for index in 0..TASKS {
        slow.submit(vec![balanced(index, 1, 0)]).await;
    }
    for index in 0..100 {
        other.submit(vec![balanced(index, 1, 0)]).await;
        other.events_until(|event| finished(event).is_some_and(|done| done.index == index)).await;
    }
    let mut seen = BTreeSet::new();
    slow.events_until(|event| {
        seen.extend(finished(event).map(|done| done.index));
        seen.len() as u64 == TASKS
    })
    .await;
}
