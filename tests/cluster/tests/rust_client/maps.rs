//! Maps: order, back-pressure, failures in the middle.

use std::{cell::Cell, rc::Rc};

use futures_util::{StreamExt as _, TryStreamExt as _};
use paraply::Error;
use paraply_cluster_tests::soon;

use crate::home::Home;

/// Items without end, and how many were taken.
fn counted<T>(item: impl Fn(u64) -> T) -> (Rc<Cell<u64>>, impl Iterator<Item = T>) {
    let taken = Rc::new(Cell::new(0));
    let counting = Rc::clone(&taken);
    let items = std::iter::repeat_with(move || {
        counting.set(counting.get() + 1);
        item(counting.get())
    });
    (taken, items)
}

#[tokio::test]
async fn results_come_in_the_order_of_the_items_or_as_they_are_done() {
    let home = Home::new(2);
    let client = home.client().await;
    let doubled: Vec<i64> = client.balanced().map::<i64, _>("toy:double", 0..1000).try_collect().await.unwrap();
    assert_eq!(doubled, (0..1000).map(|n| 2 * n).collect::<Vec<_>>());
    let mut doubled: Vec<i64> =
        client.balanced().map::<i64, _>("toy:double", 0..1000).unordered().window(64).try_collect().await.unwrap();
    doubled.sort_unstable();
    assert_eq!(doubled, (0..1000).map(|n| 2 * n).collect::<Vec<_>>());
    let pairs = [("a", 1), ("b", 2)];
    let firsts: Vec<String> = client.balanced().starmap::<String, _>("toy:echo", pairs).try_collect().await.unwrap();
    assert_eq!(firsts, ["a", "b"]);
}

#[tokio::test]
async fn no_more_is_taken_than_the_window_holds_of_items_without_end() {
    let home = Home::new(1);
    let client = home.client().await;
    let (taken, items) = counted(|nth| nth);
    let mut results = client.balanced().map::<u64, _>("toy:double", items).window(16);
    assert_eq!(taken.get(), 0, "nothing before it is polled");
    for nth in 1..=100 {
        assert_eq!(soon("a result", results.next()).await.unwrap().unwrap(), 2 * nth);
        assert!(taken.get() < nth + 16, "{} were taken when {nth} were read", taken.get());
    }
}

#[tokio::test]
async fn fewer_items_are_taken_where_they_are_large() {
    const MIB: usize = 1 << 20;
    let home = Home::new(1);
    let client = home.client().await;
    let (taken, items) = counted(|_| "x".repeat(4 * MIB));
    let mut results = client.balanced().map::<usize, _>("toy:length", items);
    for nth in 1..=4 {
        assert_eq!(soon("a result", results.next()).await.unwrap().unwrap(), 4 * MIB);
        assert!(taken.get() < nth + 16, "{} of 4 MiB were taken when {nth} were read", taken.get());
    }
}

#[tokio::test]
async fn a_failure_is_an_item_and_a_value_that_cannot_be_written_is_the_last() {
    let home = Home::new(1);
    let client = home.client().await;
    let items = ["1", "toy"].map(str::to_owned);
    let settled: Vec<_> = client.balanced().map::<i64, _>("toy:length", items).collect().await;
    assert!(matches!(settled[..], [Ok(1), Ok(3)]), "{settled:?}");
    let failed: Vec<_> = client.balanced().map::<i64, _>("toy:fail", ["a", "b"]).collect().await;
    assert!(matches!(failed[..], [Err(Error::Exception(_)), Err(Error::Exception(_))]), "{failed:?}");

    let mut results = client.balanced().map::<i64, _>("double", [1, 2]);
    assert!(matches!(results.next().await, Some(Err(Error::Refused(_)))));
    assert!(results.next().await.is_none());
}
