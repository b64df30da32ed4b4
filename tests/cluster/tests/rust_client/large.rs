//! Arguments and results that are too large for a message.

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
