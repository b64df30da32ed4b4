use std::time::Duration;

use paraply_controller::Config;
use paraply_core::membership::Endpoint;
use paraply_proto::controller::v1::{
    DrainEngineRequest, EngineLoad, EngineState, GetEngineRequest, KeepAliveRequest, RemoveEngineRequest,
};
use tonic::Code;

use crate::support::{Controller, config, engine, hello, scheduler};

#[tokio::test]
async fn a_silent_engine_loses_its_lease_and_is_told_to_register_again() {
    let controller = Controller::start_with(Config { lease_millis: 3000, ..config() }).await;
    controller.register(scheduler(100, &[], 0)).await.unwrap();
    let granted = controller.register(engine(1)).await.unwrap();
    let (says, mut answers) = controller.keep_alive(hello(granted.member_id, 1)).await.unwrap();
    for _ in 0..12 {
        assert!(answers.message().await.unwrap().is_some(), "each message is answered");
        tokio::time::sleep(Duration::from_millis(300)).await;
        says.send(KeepAliveRequest::default()).await.unwrap();
    }
    let ended = loop {
        match answers.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ends with a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::NotFound, "{ended}");
    assert!(ended.message().contains("register again"), "{ended}");
    let gone = controller.cluster().get_engine(GetEngineRequest { engine_id: granted.member_id }).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);

    let mut again = engine(1);
    (again.member_id, again.ticket) = (Some(granted.member_id), granted.ticket);
    assert_eq!(controller.register(again).await.unwrap().member_id, granted.member_id);
}

#[tokio::test]
async fn without_a_lease_there_is_nothing_to_keep_alive() {
    let controller = Controller::start().await;
    let (_says, mut answers) = controller.keep_alive(hello(3, 1)).await.unwrap();
    assert_eq!(answers.message().await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn an_engine_learns_where_the_scheduler_is_and_when_to_exit() {
    let controller = Controller::start().await;
    let at = |port| vec![Endpoint::Tcp(format!("127.0.0.1:{port}"))];
    controller.register(scheduler(100, &at(1001), 0)).await.unwrap();
    let id = controller.register(engine(1)).await.unwrap().member_id;
    let (_says, mut answers) = controller.keep_alive(hello(id, 1)).await.unwrap();
    let first = answers.message().await.unwrap().unwrap();
    assert_eq!(first.scheduler_endpoints, paraply_common::wire::endpoint::encode(&at(1001)));

    controller.register(scheduler(101, &at(1002), 1)).await.unwrap();
    let moved = answers.message().await.unwrap().unwrap();
    assert_eq!(moved.scheduler_endpoints, paraply_common::wire::endpoint::encode(&at(1002)));

    controller.cluster().drain_engine(DrainEngineRequest { engine_id: id }).await.unwrap();
    let drain = answers.message().await.unwrap().unwrap();
    assert!(drain.drain && !drain.exit);
    let status = controller.cluster().get_engine(GetEngineRequest { engine_id: id }).await.unwrap().into_inner();
    assert_eq!(status.engine.unwrap().state(), EngineState::Draining);

    controller.cluster().remove_engine(RemoveEngineRequest { engine_id: id }).await.unwrap();
    assert!(answers.message().await.unwrap().unwrap().exit);
    let unknown = controller.cluster().remove_engine(RemoveEngineRequest { engine_id: 9 }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn what_the_scheduler_says_of_its_engines_is_what_operators_see() {
    let controller = Controller::start().await;
    let scheduler_id = controller.register(scheduler(100, &[], 0)).await.unwrap().member_id;
    let id = controller.register(engine(1)).await.unwrap().member_id;
    let load = EngineLoad { engine_id: id, queued_tasks: 4, claimed_tasks: 1, completed_tasks: 9, draining: false };
    let mut first = hello(scheduler_id, 100);
    first.engine_loads = vec![load];
    let (says, mut answers) = controller.keep_alive(first).await.unwrap();
    answers.message().await.unwrap();
    let status = controller.cluster().get_engine(GetEngineRequest { engine_id: id }).await.unwrap().into_inner();
    let status = status.engine.unwrap();
    assert_eq!(status.state(), EngineState::Attached);
    assert_eq!((status.queued_tasks, status.claimed_tasks, status.completed_tasks), (4, 1, 9));

    says.send(KeepAliveRequest { lost_engine_ids: vec![id], ..KeepAliveRequest::default() }).await.unwrap();
    answers.message().await.unwrap();
    let gone = controller.cluster().get_engine(GetEngineRequest { engine_id: id }).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound, "lost by the scheduler and without a stream here");
}
