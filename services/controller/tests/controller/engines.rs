use paraply_proto::controller::v1::{DrainEngineRequest, ListEnginesRequest, SignalEnginesRequest};
use tonic::Code;

use crate::support::{Controller, engine, scheduler};

#[tokio::test]
async fn engines_are_listed_a_page_at_a_time_in_order_of_id() {
    let controller = Controller::start().await;
    controller.register(scheduler(100, &[], 0)).await.unwrap();
    for number in 0..7 {
        let mut engine = engine(number);
        engine.labels.insert("rack".into(), number.to_string());
        controller.register(engine).await.unwrap();
    }
    let (mut ids, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let request = ListEnginesRequest { page_size: 3, page_token };
        let page = controller.cluster().list_engines(request).await.unwrap().into_inner();
        pages += 1;
        for status in &page.engines {
            let engine = status.engine.as_ref().unwrap();
            assert_eq!(engine.labels["rack"], engine.engine_id.to_string());
            assert_eq!(engine.peer.as_ref().unwrap().agent, "paraply-test");
            assert!(status.registered_unix_nanos > 0);
            ids.push(engine.engine_id);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!((ids, pages), ((0..7).collect(), 3));

    let request = ListEnginesRequest { page_size: 0, page_token: "7".into() };
    let status = controller.cluster().list_engines(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn nobody_drains_an_engine_that_is_not_there() {
    let controller = Controller::start().await;
    let drain = controller.cluster().drain_engine(DrainEngineRequest { engine_id: 9 }).await.unwrap_err();
    assert_eq!(drain.code(), Code::NotFound);
    assert!(drain.message().contains("no engine of id 9"), "{drain}");
}

#[tokio::test]
async fn a_signal_is_for_engines_that_are_there_and_has_a_name() {
    let controller = Controller::start().await;
    let ask = |engine_ids: Vec<u32>, signal: &str| SignalEnginesRequest { engine_ids, signal: signal.to_owned() };
    let unknown = controller.cluster().signal_engines(ask(vec![0], "SIGINT")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let nameless = controller.cluster().signal_engines(ask(vec![], "SIGNONSENSE")).await.unwrap_err();
    assert_eq!(nameless.code(), Code::InvalidArgument);
    assert!(nameless.message().contains("SIGNONSENSE"));
}
