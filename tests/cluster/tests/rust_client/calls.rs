//! Calls of all kinds, their results, failures and output.

use std::collections::BTreeMap;

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use paraply::{Args as _, Error, OutputKind, Targets, args};
use paraply_cluster_tests::soon;
use paraply_common::spawn::spawn;
use serde_json::{Value, json};

use crate::home::Home;

#[tokio::test]
async fn a_function_is_called_wherever_there_is_room() {
    let home = Home::new(2);
    let client = home.client().await;
    let view = client.balanced();
    let doubled: i64 = soon("a result", view.apply("toy:double", (21,))).await.unwrap();
    assert_eq!(doubled, 42);
    let task = view.apply::<(String, Vec<f64>)>("toy:echo", (("a", [0.5, 1.5]),));
    assert_eq!(soon("a tuple", task).await.unwrap(), ("a".to_owned(), vec![0.5, 1.5]));
    let only = view.only([1]).apply::<i64>("toy:double", (1,));
    let cell = soon("a result of engine 1", async {
        while !only.is_finished() {
            tokio::task::yield_now().await;
        }
        only.engine()
    });
    assert_eq!(cell.await, Some(1));
}

#[tokio::test]
async fn a_view_for_no_engine_is_refused() {
    let home = Home::new(1);
    let client = home.client().await;
    let none = client.balanced().only([]);
    let refused = soon("a refusal", none.apply::<i64>("toy:double", (1,))).await;
    assert!(matches!(&refused, Err(Error::Refused(why)) if why.contains("no id")), "{refused:?}");
    assert!(matches!(soon("a refusal", none.execute("1")).await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn every_stream_of_a_tasks_output_ends_with_it() {
    let home = Home::new(1);
    let client = home.client().await;
    let task = client.balanced().apply::<i64>("toy:wait", ());
    let (mut first, mut second) = (task.output(), task.output());
    let waiting = spawn(async move { while first.next().await.is_some() {} });
    tokio::task::yield_now().await;
    let _nothing_yet = second.next().now_or_never();
    task.cancel();
    soon("its end", waiting).await.unwrap();
}

#[tokio::test]
async fn named_arguments_go_beside_positional_ones() {
    let home = Home::new(1);
    let client = home.client().await;
    let view = client.balanced();
    // The toy gives back what it was sent.
    let both: Value = soon("both", view.apply("toy:echo", args!("a.csv", 2, sep = ";", nrows = 3_u8))).await.unwrap();
    assert_eq!(both, json!({"*": ["a.csv", 2], "sep": ";", "nrows": 3}));
    let names: Value = soon("names", view.apply("toy:echo", args!(r#type = [1.5]))).await.unwrap();
    assert_eq!(names, json!({"type": [1.5]}));
    let task = view.map::<Value, _>("toy:echo", [1]).collect::<Vec<_>>();
    assert_eq!(soon("a map", task).await[0].as_ref().unwrap(), &json!(1));
    let each = (0..2).map(|n| ("x",).named(BTreeMap::from([("n", n)])));
    let each: Vec<Value> = soon("a map", view.starmap("toy:echo", each).try_collect()).await.unwrap();
    assert_eq!(each, [json!({"*": ["x"], "n": 0}), json!({"*": ["x"], "n": 1})]);
    let all: Vec<Value> = soon("all", client.broadcast().apply("toy:echo", args!(1, a = ()))).await.unwrap();
    assert_eq!(all, [json!({"*": [1], "a": null})]);
    let nameless = soon("an error", view.apply::<Value>("toy:echo", (1,).named(7))).await.unwrap_err();
    assert!(matches!(&nameless, Error::Value(_)), "{nameless:?}");
}

#[tokio::test]
async fn a_task_that_starts_once_waits_for_the_schedulers_yes_and_runs() {
    let home = Home::new(2);
    let client = home.client().await;
    let before: u64 = soon("a result", client.direct(0).apply("toy:runs", ())).await.unwrap()[0];
    let once = client.direct(0).start_once();
    for n in 0..20 {
        let doubled: Vec<i64> = soon("a result", once.apply("toy:double", (n,))).await.unwrap();
        assert_eq!(doubled, [2 * n]);
    }
    let runs: u64 = soon("a result", once.apply("toy:runs", ())).await.unwrap()[0];
    assert_eq!(runs, before + 21, "each once");
    let anywhere: i64 = soon("a result", client.balanced().start_once().apply("toy:double", (1,))).await.unwrap();
    assert_eq!(anywhere, 2);
}

#[tokio::test]
async fn engines_that_are_named_keep_what_they_are_given() {
    let home = Home::new(3);
    let client = home.client().await;
    assert_eq!(client.engines().iter().map(|engine| engine.id).collect::<Vec<_>>(), [0, 1, 2]);
    let some = client.direct([2, 0]);
    soon("push", some.push("x", &"value")).await.unwrap();
    let pulled: Vec<String> = soon("pull", some.pull("x")).await.unwrap();
    assert_eq!(pulled, ["value", "value"]);
    let missing = soon("pull of the third", client.direct(1).pull::<String>("x")).await.unwrap_err();
    let Error::Exception(raised) = missing else { panic!("{missing:?}") };
    assert_eq!((raised.type_name.as_str(), raised.engine), ("NameError", Some(1)));

    let all = client.direct(Targets::All);
    soon("scatter", all.scatter("part", &[1, 2, 3, 4, 5])).await.unwrap();
    let parts: Vec<Vec<i64>> = soon("parts", all.pull("part")).await.unwrap();
    assert_eq!(parts, [vec![1, 2], vec![3, 4], vec![5]]);
    assert_eq!(soon("gather", all.gather::<i64>("part")).await.unwrap(), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_failure_has_its_type_and_each_engine_its_own() {
    let home = Home::new(2);
    let client = home.client().await;
    let raised = soon("a failure", client.balanced().apply::<i64>("toy:fail", ("no good",))).await.unwrap_err();
    let Error::Exception(raised) = raised else { panic!("{raised:?}") };
    assert_eq!((raised.type_name.as_str(), raised.message.as_str()), ("ValueError", "no good"));
    assert!(raised.traceback.starts_with("Traceback"), "{}", raised.traceback);
    let unknown = soon("a failure", client.balanced().apply::<i64>("toy:nothing", ())).await.unwrap_err();
    assert!(matches!(unknown, Error::Unreadable(_)), "{unknown:?}");
    let wrong = soon("a result", client.balanced().apply::<i64>("toy:echo", ("text",))).await.unwrap_err();
    assert!(matches!(wrong, Error::Value(_)), "{wrong:?}");
    let malformed = client.balanced().apply::<i64>("toy.echo", ("text",)).await.unwrap_err();
    assert!(matches!(malformed, Error::Refused(_)), "{malformed:?}");

    soon("push", client.direct(0).push("y", &1)).await.unwrap();
    let settled = soon("both", client.broadcast().pull::<i64>("y").settled()).await.unwrap();
    assert!(matches!(settled[..], [Ok(1), Err(Error::Exception(_))]), "{settled:?}");
    assert!(soon("both", client.broadcast().pull::<i64>("y")).await.is_err());

    let nobody = soon("a refusal", client.direct(77).execute("x")).await.unwrap_err();
    assert!(matches!(&nobody, Error::Refused(why) if why.contains("no engine 77: there are 0, 1")), "{nobody:?}");
}

#[tokio::test]
async fn a_task_that_fails_runs_again_elsewhere_as_often_as_it_may() {
    let home = Home::new(3);
    let client = home.client().await;
    let attempt: u32 = soon("a result", client.balanced().retries(2).apply("toy:attempt", ())).await.unwrap();
    assert_eq!(attempt, 3);
    let failed = soon("a failure", client.balanced().retries(1).apply::<u32>("toy:attempt", ())).await;
    assert!(matches!(failed, Err(Error::Exception(_))), "{failed:?}");
}

#[tokio::test]
async fn output_comes_with_its_task() {
    let home = Home::new(1);
    let client = home.client().await;
    let task = client.balanced().execute("said");
    let output: Vec<_> = soon("output", task.output().collect()).await;
    let said: String = output.iter().map(|piece| piece.text()).collect();
    assert_eq!((said.as_str(), output[0].kind, output[0].engine), ("said", OutputKind::Stdout, 0));
    soon("the end", task).await.unwrap();
}
