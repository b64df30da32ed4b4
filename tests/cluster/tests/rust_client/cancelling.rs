//! Cancelling by call, by dropping a handle, and by time.

use std::time::Duration;

use paraply::{Client, Error, Task};
use paraply_cluster_tests::soon;

use crate::home::Home;

/// A task that runs on the only engine, and one that waits behind it.
async fn busy(client: &Client) -> (Task<i64>, Task<i64>) {
    let running = client.balanced().apply::<i64>("toy:wait", ());
    soon("a start", async {
        while running.attempt() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    (running, client.balanced().apply("toy:double", (4,)))
}

#[tokio::test]
async fn what_runs_is_interrupted_and_what_waits_never_starts() {
    let home = Home::new(1);
    let client = home.client().await;
    let (running, waiting) = busy(&client).await;
    waiting.abort();
    assert!(matches!(soon("an abort", waiting).await, Err(Error::Aborted)));
    running.cancel();
    assert!(matches!(soon("an interrupt", running).await, Err(Error::Cancelled(_))));
    assert_eq!(soon("runs", client.balanced().apply::<u64>("toy:runs", ())).await.unwrap(), 2, "and this one");
}

#[tokio::test]
async fn who_drops_a_handle_cancels_and_who_detaches_does_not() {
    let home = Home::new(1);
    let client = home.client().await;
    let (running, waiting) = busy(&client).await;
    waiting.detach();
    drop(client.balanced().apply::<i64>("toy:double", (5,)));
    // What is said later of another one is heard later.
    let last = client.balanced().apply::<i64>("toy:double", (6,));
    last.abort();
    assert!(matches!(soon("an abort", last).await, Err(Error::Aborted)));
    drop(running);
    let runs = client.balanced().apply::<u64>("toy:runs", ());
    assert_eq!(soon("runs", runs).await.unwrap(), 3, "what ran, what was detached, and this one");
}

#[tokio::test]
async fn a_task_that_runs_or_waits_too_long_fails() {
    let home = Home::new(1);
    let client = home.client().await;
    let short = client.balanced().run_timeout(Duration::from_millis(50));
    assert!(matches!(soon("a run time-out", short.apply::<i64>("toy:wait", ())).await, Err(Error::RunTimeout(_))));
    let (running, _waiting) = busy(&client).await;
    let impatient = client.balanced().queue_timeout(Duration::from_millis(50));
    let late = soon("a queue time-out", impatient.apply::<i64>("toy:double", (1,))).await;
    assert!(matches!(late, Err(Error::QueueTimeout(_))), "{late:?}");
    drop(running);
}
