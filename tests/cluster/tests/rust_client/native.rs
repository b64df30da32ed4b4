//! Native engines: Rust functions beside each other, called by a Rust client.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _};
use paraply::{Error, OutputKind, Task};
use paraply_cluster_tests::soon;
use paraply_common::connection::Role;
use paraply_engine::native::{Cancelled, Context, Engine, EngineBuilder, Running};
use serde_json::json;

use crate::home::Home;

fn builder(home: &Home) -> EngineBuilder {
    Engine::builder().connection(home.engine_file()).stop_grace(Duration::from_millis(100))
}

async fn client(home: &Home, engines: usize) -> paraply::Client {
    let client = home.client().await;
    soon("engines", client.wait_for_engines(engines)).await.unwrap();
    client
}

fn exception<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    match result {
        Err(Error::Exception(raised)) => (raised.type_name, raised.message),
        other => panic!("{other:?}"),
    }
}

#[derive(serde::Deserialize)]
struct Named {
    base: i64,
    #[serde(default)]
    exponent: u32,
}

#[tokio::test]
async fn functions_of_all_shapes_are_called() {
    let home = Home::new(0);
    let engine = builder(&home)
        .function("nothing", || ())
        .function("power", |base: i64, exponent: u32| base.pow(exponent))
        .function("named", |named: Named| named.base.pow(named.exponent))
        .function("eight", |a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8| [a, b, c, d, e, f, g, h])
        .function("later", |text: String| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            text.to_uppercase()
        })
        .function("who", |context: Context| (context.engine_id(), context.attempt()))
        .function("who.later", |context: Context, n: u32| async move { context.engine_id() + n })
        .try_function("parse", |text: String| text.parse::<i64>())
        .try_function("parse.later", |text: String| async move { text.parse::<i64>() })
        .start()
        .unwrap();
    let client = client(&home, 1).await;
    let view = client.balanced();
    soon("nothing", view.apply::<()>(":nothing", ())).await.unwrap();
    assert_eq!(soon("power", view.apply::<i64>(":power", (2, 10))).await.unwrap(), 1024);
    let eight: Vec<u8> = soon("eight", view.apply(":eight", (1, 2, 3, 4, 5, 6, 7, 8))).await.unwrap();
    assert_eq!(eight, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(soon("later", view.apply::<String>(":later", ("a",))).await.unwrap(), "A");
    let who = client.engines()[0].id;
    assert_eq!(soon("who", view.apply::<(u32, u32)>(":who", ())).await.unwrap(), (who, 1));
    assert_eq!(soon("who later", view.apply::<u32>(":who.later", (7,))).await.unwrap(), who + 7);
    assert_eq!(soon("parse", view.apply::<i64>(":parse", ("7",))).await.unwrap(), 7);
    for function in [":parse", ":parse.later"] {
        let failed = exception(soon("a failure", view.apply::<i64>(function, ("x",))).await);
        assert_eq!(failed, ("ParseIntError".to_owned(), "invalid digit found in string".to_owned()));
    }
    let named = BTreeMap::from([("base", 3), ("exponent", 2)]);
    let by_struct: i64 = soon("a struct", view.apply(":named", (named,))).await.unwrap();
    assert_eq!(by_struct, 9);
    let by_name: i64 = soon("names", view.apply(":named", paraply::args!(base = 3, exponent = 2))).await.unwrap();
    assert_eq!(by_name, 9);
    let (class, message) =
        exception(soon("some of either", view.apply::<i64>(":named", paraply::args!(7, base = 3))).await);
    assert!(class == "TypeError" && message.contains("all in their order or all by name"), "{class}: {message}");
    engine.stop().unwrap();
}

#[tokio::test]
async fn many_arrays_that_are_neither_large_nor_small_go_into_an_argument() {
    use paraply::values::{Nd, NdArray};

    let home = Home::new(0);
    let sum = |arrays: Vec<NdArray<f64, ndarray::Ix1>>| arrays.iter().map(|array| array.0.sum()).sum::<f64>();
    let engine = builder(&home).function("sum", sum).start().unwrap();
    let client = client(&home, 1).await;
    // 8 KiB each, and more together than a message holds.
    let arrays: Vec<_> = (0..200).map(|n| Nd(ndarray::Array1::from_elem(1024, f64::from(n)))).collect();
    let expected = 1024.0 * 199.0 * 100.0;
    for _ in 0..2 {
        assert_eq!(soon("a sum", client.balanced().apply::<f64>(":sum", (&arrays,))).await.unwrap(), expected);
    }
    assert_eq!(soon("sums", client.direct(0).apply::<f64>(":sum", (&arrays,))).await.unwrap(), [expected]);
    let sums: Vec<f64> = client.balanced().map::<f64, _>(":sum", [&arrays, &arrays]).try_collect().await.unwrap();
    assert_eq!(sums, [expected, expected]);
    let tiny: Vec<_> = (0..2000).map(|_| Nd(ndarray::Array1::from_elem(256, 1.0))).collect();
    let refused = soon("a refusal", client.balanced().apply::<f64>(":sum", (&tiny,))).await;
    assert!(matches!(&refused, Err(Error::Refused(why)) if why.contains("fewer and larger")), "{refused:?}");
    engine.stop().unwrap();
}

#[tokio::test]
async fn an_engine_that_is_stopped_at_once_ends() {
    let home = Home::new(0);
    for _ in 0..20 {
        let engine = builder(&home).function("nothing", || ()).start().unwrap();
        let stopping = tokio::task::spawn_blocking(move || engine.stop());
        soon("its end", stopping).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_a_function_says_at_length_arrives() {
    const LONG: usize = 3 << 20;
    let home = Home::new(0);
    let engine = builder(&home)
        .try_function("fail", |text: String| Err::<(), _>(text.repeat(LONG)))
        .function("write", |context: Context| context.stdout().write_all(&vec![b'x'; LONG]).unwrap())
        .start()
        .unwrap();
    let client = client(&home, 1).await;
    let view = client.balanced();
    let (_, message) = exception(soon("a failure", view.apply::<()>(":fail", ("a",))).await);
    assert!(message.len() < 100_000 && message.contains("bytes left out"), "{} bytes", message.len());
    let task = view.apply::<()>(":write", ());
    let written: Vec<_> = soon("output", task.output().map(|piece| piece.data.len()).collect()).await;
    assert_eq!(written.iter().sum::<usize>(), LONG);
    soon("its end", task).await.unwrap();
    engine.stop().unwrap();
}

#[tokio::test]
async fn more_engines_share_a_process_than_a_small_table_has_room_for() {
    const MANY: usize = 150;
    let home = Home::new(0);
    let engines = builder(&home).engines(MANY).function("who", |context: Context| context.engine_id()).start().unwrap();
    let client = client(&home, MANY).await;
    let mut ids = soon("all", client.direct(paraply::Targets::All).apply::<u32>(":who", ())).await.unwrap();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), MANY);
    client.close().await;
    engines.stop().unwrap();
}

#[tokio::test]
async fn wrong_calls_are_failures_that_say_what_is_right() {
    let home = Home::new(0);
    let _engine = builder(&home).function("double", |n: i64| 2 * n).start().unwrap();
    let client = client(&home, 1).await;
    let view = client.balanced();
    let (class, message) = exception(soon("a text", view.apply::<i64>(":double", ("x",))).await);
    assert!(class == "TypeError" && message.contains("takes (i64), and was given (a string)"), "{class}: {message}");
    let (class, message) = exception(soon("no argument", view.apply::<i64>(":double", ())).await);
    assert!(class == "TypeError" && message.contains("takes (i64), and was given ()"), "{class}: {message}");
    let unreadable = |error: Result<i64, Error>| match error {
        Err(Error::Unreadable(message)) => message,
        other => panic!("{other:?}"),
    };
    let unknown = unreadable(soon("another name", view.apply(":triple", (1,))).await);
    assert!(unknown.contains("triple") && unknown.contains("it has: double"), "{unknown}");
    let one = client.direct(client.engines()[0].id);
    let python = one.apply::<i64>("math:sqrt", (1,));
    let python = unreadable(soon("a Python function", python).await.map(|results| results[0]));
    assert!(python.contains("no Python") && python.contains("sqrt"), "{python}");
    let code = soon("code", one.execute("x = 1")).await.unwrap_err();
    assert!(matches!(&code, Error::Unreadable(message) if message.contains("no Python")), "{code:?}");
    let nowhere = view.clone().queue_timeout(Duration::from_millis(100)).apply::<f64>("math:sqrt", (4,));
    let nowhere = soon("its time", nowhere).await;
    assert!(matches!(nowhere, Err(Error::QueueTimeout(_))), "it waits for an engine that runs Python: {nowhere:?}");
    assert_eq!(soon("a right one", view.apply::<i64>(":double", (4,))).await.unwrap(), 8, "and the engine lives");
}

struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        panic!("as it is dropped");
    }
}

#[tokio::test]
async fn panics_end_tasks_and_no_engine() {
    let home = Home::new(0);
    let (begun, begins) = channel();
    let _engine = builder(&home)
        .function("panic", |text: String| -> u8 { panic!("{text}") })
        .function("panic.later", |text: String| async move {
            tokio::task::yield_now().await;
            assert!(text.is_empty(), "{text}");
        })
        .function("panic.dropped", move || {
            let begun = begun.clone();
            async move {
                let _loud = Loud;
                begun.send("panic.dropped").unwrap();
                std::future::pending::<()>().await;
            }
        })
        .function("fine", || 1)
        .start()
        .unwrap();
    let client = client(&home, 1).await;
    let before = client.engines();
    let view = client.balanced();
    let cancelled: Task<()> = view.apply(":panic.dropped", ());
    soon("its begin", until(&begins, "panic.dropped")).await;
    cancelled.cancel();
    let Err(Error::Cancelled(message)) = soon("its end", cancelled).await else { panic!("it did not fail") };
    assert_eq!(message, "as it is dropped");
    for function in [":panic", ":panic.later"] {
        let Err(Error::Exception(raised)) = soon("a panic", view.apply::<u8>(function, ("on purpose",))).await else {
            panic!("it did not fail")
        };
        assert_eq!((raised.type_name.as_str(), raised.message.as_str()), ("Panic", "on purpose"));
        assert!(raised.traceback.contains("native.rs:"), "{}", raised.traceback);
    }
    assert_eq!(soon("a result", view.apply::<u8>(":fine", ())).await.unwrap(), 1);
    assert_eq!(client.engines(), before);
}

/// Functions that say when they have begun, and go on until they are cancelled.
fn endless(home: &Home) -> (Running, Receiver<&'static str>) {
    let (begun, begins) = channel();
    let tell = |begun: &Sender<&'static str>, what| begun.send(what).unwrap();
    let (first, second, third) = (begun.clone(), begun.clone(), begun);
    let engine = builder(home)
        .try_function("computes", move |context: Context| -> Result<(), Cancelled> {
            tell(&first, "computes");
            loop {
                context.check()?;
                std::thread::sleep(Duration::from_millis(1));
            }
        })
        .function("waits", move || {
            tell(&second, "waits");
            std::future::pending::<()>()
        })
        .function("tidies", move |context: Context| {
            let third = third.clone();
            async move {
                tell(&third, "tidies");
                context.cancelled().await;
            }
        })
        .start()
        .unwrap();
    (engine, begins)
}

#[tokio::test]
async fn a_cancelled_task_stops() {
    let home = Home::new(0);
    let (_engine, begins) = endless(&home);
    let client = client(&home, 1).await;
    for function in ["computes", "waits"] {
        let task: Task<()> = client.balanced().apply(format!(":{function}").as_str(), ());
        soon("its begin", until(&begins, function)).await;
        task.cancel();
        let ended = soon("its end", task).await.unwrap_err();
        assert!(matches!(ended, Error::Cancelled(_)), "{ended:?}");
    }
    // And one whose handle is dropped.
    drop(client.balanced().apply::<()>(":computes", ()));
    let queued: Task<()> = client.balanced().apply(":waits", ());
    soon("the next one's begin", until(&begins, "waits")).await;
    queued.cancel();
    assert!(soon("its end", queued).await.is_err());
}

#[tokio::test]
async fn what_is_cancelled_while_it_waits_for_a_thread_does_not_start() {
    let home = Home::new(0);
    let (begun, begins) = channel();
    let (go, gate) = channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let _engines = builder(&home)
        .engines(2)
        .threads(1)
        .function("blocks", move |name: String| {
            begun.send(name).unwrap();
            gate.lock().unwrap().recv().unwrap();
        })
        .start()
        .unwrap();
    let client = client(&home, 2).await;
    let [first, second] = client.engines().iter().map(|engine| engine.id).collect::<Vec<_>>()[..] else { panic!() };
    let running = client.direct(first).apply::<()>(":blocks", ("runs",));
    soon("its begin", async {
        while begins.try_recv().is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let waiting = client.direct(second).apply::<()>(":blocks", ("waits",)).each().unwrap().remove(0);
    soon("its claim", async {
        while waiting.attempt() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    waiting.cancel();
    // Nobody is told when an engine has heard of it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    go.send(()).unwrap();
    soon("its result", running).await.unwrap();
    let ended = soon("its end", waiting).await.unwrap_err();
    assert!(matches!(ended, Error::Cancelled(_)), "{ended:?}");
    assert!(begins.try_recv().is_err(), "it did not start");
}

#[tokio::test]
async fn a_task_whose_time_is_over_stops() {
    let home = Home::new(0);
    let (_engine, _begins) = endless(&home);
    let client = client(&home, 1).await;
    let view = client.balanced().run_timeout(Duration::from_millis(50));
    let ended = soon("its end", view.apply::<()>(":computes", ())).await.unwrap_err();
    assert!(matches!(ended, Error::RunTimeout(_)), "{ended:?}");
}

async fn until(begins: &Receiver<&'static str>, what: &str) {
    while begins.try_recv() != Ok(what) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_a_function_shows_arrives_while_it_runs() {
    let home = Home::new(0);
    let _engine = builder(&home)
        .function("shows", |context: Context| async move {
            writeln!(context.stdout(), "hello").unwrap();
            writeln!(context.stderr(), "careful").unwrap();
            context.progress(0.5);
            context.publish(&json!({"best": [1, 2]})).unwrap();
            assert!(context.publish(&vec![0_u8; 1 << 20]).is_err(), "too large");
            context.cancelled().await;
        })
        .start()
        .unwrap();
    let client = client(&home, 1).await;
    let task: Task<()> = client.balanced().apply(":shows", ());
    let mut output = task.output();
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.push(soon("output", output.next()).await.unwrap());
    }
    let of = |kind| seen.iter().filter(|piece| piece.kind == kind).map(paraply::Output::text).collect::<String>();
    assert_eq!((of(OutputKind::Stdout).as_str(), of(OutputKind::Stderr).as_str()), ("hello\n", "careful\n"));
    let published = seen.iter().filter(|piece| piece.kind == OutputKind::PublishedPortable);
    let published: Vec<serde_json::Value> =
        published.map(|piece| rmp_serde::from_slice(&piece.data).unwrap()).collect();
    assert_eq!(published, [json!({"progress": 0.5}), json!({"best": [1, 2]})]);
    task.cancel();
    assert!(soon("its end", task).await.is_ok(), "it returned when it heard");
}

#[tokio::test]
async fn several_engines_of_a_process_work_side_by_side() {
    let home = Home::new(0);
    // None returns before all four have begun.
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(4));
    let engines = builder(&home)
        .engines(4)
        .function("meet", move |context: Context, _: u32| {
            barrier.wait();
            context.engine_id()
        })
        .function("square", |n: u64| n * n)
        .start()
        .unwrap();
    let client = client(&home, 4).await;
    let mut met: Vec<u32> =
        soon("all", client.balanced().map::<u32, _>(":meet", 0..4_u32).try_collect::<Vec<_>>()).await.unwrap();
    met.sort_unstable();
    assert_eq!(met, client.engines().iter().map(|engine| engine.id).collect::<Vec<_>>());
    let squares: Vec<u64> =
        soon("squares", client.balanced().map::<u64, _>(":square", 0..5000_u64).try_collect::<Vec<_>>()).await.unwrap();
    assert!(squares.iter().enumerate().all(|(n, square)| (n * n) as u64 == *square) && squares.len() == 5000);
    let ids = soon("each", client.direct(paraply::Targets::All).apply::<u64>(":square", (3,))).await.unwrap();
    assert_eq!(ids, [9; 4]);
    engines.stop().unwrap();
    soon("nobody", async {
        while !client.engines().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[test]
fn what_cannot_be_an_engine_says_why() {
    let home = Home::new(0);
    let why = |builder: EngineBuilder| builder.start().unwrap_err().to_string();
    assert!(why(builder(&home).function("a b", || ())).contains("\"a b\""));
    assert!(why(builder(&home).function("a", || ()).function("a", || ())).contains("two functions"));
    assert!(why(builder(&home).label("runtime", "x")).contains("runtime"));
    assert!(why(builder(&home).engines(0)).contains("at least one"));
    let fails = |text: String| text.parse::<i64>().map_err(|error| error.to_string());
    assert!(why(builder(&home).function("now", fails)).contains("given to `try_function`, not to `function`: now"));
    let later = move |text: String| async move { fails(text) };
    assert!(why(builder(&home).function("later", later)).contains("not to `function`: later"));
    assert!(why(Engine::builder().connection(home.file())).contains("engine.json"));
    let mut refused = home.connection(Role::Engine);
    refused.token = home.connection(Role::Client).token;
    let file = home.file().with_file_name("refused.json");
    refused.write(&file).unwrap();
    let error = Engine::builder().connection(file).engines(3).start().unwrap().wait().unwrap_err();
    assert!(error.to_string().contains("refuses this engine"), "{error}");
}
