//! Views that choose engines by their labels.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use paraply::{Error, Targets};
use paraply_cluster_tests::soon;

use crate::home::Home;

fn home() -> Home {
    let mut home = Home::new(1);
    home.start_engine_with(1, &[("zone", "a")]);
    home.start_engine_with(2, &[("zone", "b"), ("disk", "ssd")]);
    home
}

fn refusal(error: Error) -> String {
    match error {
        Error::Refused(why) => why,
        other => panic!("not a refusal: {other:?}"),
    }
}

#[tokio::test]
async fn a_client_sees_what_engines_carry() {
    let home = home();
    let client = home.client().await;
    let labels: Vec<BTreeMap<String, String>> = client.engines().into_iter().map(|engine| engine.labels).collect();
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let carried = [
        vec![label("runtime", "python")],
        vec![label("runtime", "python"), label("zone", "a")],
        vec![label("disk", "ssd"), label("runtime", "python"), label("zone", "b")],
    ];
    assert_eq!(labels, carried.map(BTreeMap::from_iter));
}

#[tokio::test]
async fn balanced_tasks_run_where_the_labels_are() {
    let home = home();
    let client = home.client().await;
    let view = client.balanced().labels([("zone", "b"), ("runtime", "python")]);
    let there: Vec<u32> = soon("a map", view.map::<u32, _>("toy:engine", 0..50).try_collect()).await.unwrap();
    assert_eq!(there, [2; 50]);
    let both = view.clone().only([0, 1]);
    let error = soon("an error", both.apply::<u32>("toy:engine", (0,))).await.unwrap_err().to_string();
    assert!(error.contains("carries the labels that it asks for"), "{error}");
}

#[tokio::test]
async fn a_task_waits_for_an_engine_with_its_labels() {
    let mut home = home();
    let client = home.client().await;
    let waiting = client.balanced().labels([("zone", "c")]).apply::<u32>("toy:engine", (0,));
    // Others go on meanwhile.
    assert_eq!(
        soon("a result", client.balanced().labels([("zone", "a")]).apply::<u32>("toy:engine", (0,))).await.unwrap(),
        1
    );
    home.start_engine_with(3, &[("zone", "c")]);
    assert_eq!(soon("the result", waiting).await.unwrap(), 3);
}

#[tokio::test]
async fn a_direct_view_is_of_the_engines_that_carry_them_when_a_call_is_made() {
    let mut home = home();
    let client = home.client().await;
    let view = client.direct(Targets::labels([("zone", "a")]));
    assert_eq!(soon("results", view.apply::<u32>("toy:engine", (0,))).await.unwrap(), [1]);
    home.start_engine_with(3, &[("zone", "a")]);
    soon("an engine", client.wait_for_engines(4)).await.unwrap();
    assert_eq!(soon("results", view.apply::<u32>("toy:engine", (0,))).await.unwrap(), [1, 3]);
    let nowhere = client.direct(Targets::labels([("zone", "z")]));
    let why = refusal(soon("an error", nowhere.apply::<u32>("toy:engine", (0,))).await.unwrap_err());
    assert!(
        why.contains("no engine has labels zone=z: those of the 4 engines are disk=ssd runtime=python zone=a zone=b"),
        "{why}"
    );
}

#[tokio::test]
async fn too_many_labels_are_refused_before_anything_is_sent() {
    let home = Home::new(1);
    let client = home.client().await;
    let view = client.balanced().labels((0..17).map(|n| (format!("key{n}"), "x")));
    let why = refusal(soon("an error", view.apply::<u32>("toy:engine", (0,))).await.unwrap_err());
    assert!(why.contains("at most 16 labels"), "{why}");
}
