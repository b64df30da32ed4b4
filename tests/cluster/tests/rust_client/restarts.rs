//! A client outlives the scheduler, and hears of engines that do not come back.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use paraply::Error;
use paraply_cluster_tests::soon;

use crate::home::Home;

#[tokio::test]
async fn tasks_have_one_result_each_across_a_restart_of_the_scheduler() {
    let mut home = Home::new(2);
    let client = home.client().await;
    let text = "x".repeat(100_000);
    let before = client.balanced().map::<i64, _>("toy:double", 0..2000).window(2000);
    let mut results = Box::pin(before.try_collect::<Vec<_>>());
    // On its way, and with arguments that a new scheduler has not.
    let _pending = futures_util::poll!(results.as_mut());
    let large: Vec<_> = (0..4).map(|_| client.balanced().apply::<usize>("toy:length", (&text,))).collect();
    tokio::task::yield_now().await;
    home.restart_scheduler();
    let all = tokio::time::timeout(Duration::from_secs(60), results).await.unwrap().unwrap();
    assert_eq!(all, (0..2000).map(|n| 2 * n).collect::<Vec<_>>());
    for task in large {
        assert_eq!(soon("a large argument", task).await.unwrap(), text.len());
    }
    let after: i64 = soon("a result", client.balanced().apply("toy:double", (1,))).await.unwrap();
    assert_eq!(after, 2);
}

#[tokio::test]
async fn a_lost_engine_fails_its_tasks_and_is_not_listed() {
    let mut home = Home::new(2);
    let client = home.client().await;
    let running = client.direct(1).apply::<i64>("toy:wait", ());
    home.kill_engine(1);
    let lost = tokio::time::timeout(Duration::from_secs(30), running).await.unwrap().unwrap_err();
    assert!(matches!(lost, Error::EngineLost { engine: Some(1), .. }), "{lost:?}");
    assert_eq!(client.engines().iter().map(|engine| engine.id).collect::<Vec<_>>(), [0]);
}
