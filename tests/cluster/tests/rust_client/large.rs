//! Arguments and results that are too large for a message.

use futures_util::StreamExt as _;
use paraply_cluster_tests::soon;

use crate::home::Home;

const LARGE: usize = 3 << 20;

#[tokio::test]
async fn large_arguments_reach_one_engine_any_engine_and_all_of_them() {
    let home = Home::new(2);
    let client = home.client().await;
    let text = "x".repeat(LARGE);
    let length: usize = soon("any", client.balanced().apply("toy:length", (&text,))).await.unwrap();
    assert_eq!(length, LARGE);
    let lengths: Vec<usize> = soon("one", client.direct(1).apply("toy:length", (&text,))).await.unwrap();
    assert_eq!(lengths, [LARGE]);
    let lengths: Vec<usize> = soon("all", client.broadcast().apply("toy:length", (&text,))).await.unwrap();
    assert_eq!(lengths, [LARGE, LARGE]);
}

#[tokio::test]
async fn large_results_and_parts_come_whole() {
    let home = Home::new(2);
    let client = home.client().await;
    let text: String = soon("a result", client.balanced().apply("toy:repeat", (LARGE,))).await.unwrap();
    assert!(text.len() == LARGE && text.bytes().all(|byte| byte == b'x'));
    let items: Vec<u64> = (0..200_000).map(|n| n << 30).collect();
    let all = client.broadcast();
    soon("scatter", all.scatter("part", &items)).await.unwrap();
    assert_eq!(soon("gather", all.gather::<u64>("part")).await.unwrap(), items);
}

#[tokio::test]
async fn who_reads_large_results_as_they_come_may_ask_for_others_meanwhile() {
    let home = Home::new(2);
    let client = home.client().await;
    // Together they are more than a connection has under way.
    let sizes = vec![LARGE; 40];
    let mut results = client.balanced().map::<String, _>("toy:repeat", sizes).unordered();
    let mut read = 0;
    while let Some(result) = soon("a result", results.next()).await {
        assert_eq!(result.unwrap().len(), LARGE);
        let other: String = soon("another", client.balanced().apply("toy:repeat", (LARGE,))).await.unwrap();
        assert_eq!(other.len(), LARGE);
        read += 1;
    }
    assert_eq!(read, 40);
}

#[tokio::test]
async fn results_that_nobody_reads_are_let_go() {
    let home = Home::new(1);
    let client = home.client().await;
    // The engine keeps 2 GiB at the most; what is released makes room, and nothing fails.
    for _ in 0..20 {
        let unread = client.balanced().apply::<String>("toy:repeat", (LARGE,));
        soon("an end", async {
            while !unread.is_finished() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    assert_eq!(soon("a result", client.balanced().apply::<u64>("toy:runs", ())).await.unwrap(), 21);
}
