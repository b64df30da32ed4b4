use paraply_controller::Config;
use paraply_proto::controller::v1::{
    DeregisterMemberRequest, EngineLoad, KeepAliveRequest, ScaleEnginesRequest, WatchEnginesRequest,
    WatchMembersRequest, watch_engines_response::Event as EngineEvent, watch_members_response::Event as MemberEvent,
};
use tonic::Code;

use crate::support::{Controller, config, engine, hello, incarnation, scheduler};

#[tokio::test]
async fn a_watcher_of_engines_sees_them_come_change_and_go() {
    let controller = Controller::start().await;
    let scheduler_id = controller.register(scheduler(100, &[], 0)).await.unwrap().member_id;
    controller.register(engine(1)).await.unwrap();
    let mut watch = controller.cluster().watch_engines(WatchEnginesRequest::default()).await.unwrap().into_inner();
    let mut next = async || watch.message().await.unwrap().unwrap().event.unwrap();
    let EngineEvent::Snapshot(snapshot) = next().await else { panic!("the snapshot comes first") };
    assert_eq!(snapshot.engines.len(), 1);

    controller.register(engine(2)).await.unwrap();
    let EngineEvent::Changed(joined) = next().await else { panic!("one joined") };
    assert_eq!(joined.engine.unwrap().engine_id, 1);

    let (says, _answers) = controller.keep_alive(hello(scheduler_id, 100)).await.unwrap();
    let load = EngineLoad { engine_id: 1, queued_tasks: 3, ..EngineLoad::default() };
    says.send(KeepAliveRequest { engine_loads: vec![load], ..KeepAliveRequest::default() }).await.unwrap();
    let EngineEvent::Changed(changed) = next().await else { panic!("its load changed") };
    assert_eq!(changed.queued_tasks, 3);

    let leave = DeregisterMemberRequest { member_id: 0, incarnation: incarnation(1) };
    controller.members().deregister_member(leave).await.unwrap();
    assert_eq!(next().await, EngineEvent::RemovedEngineId(0));
}

#[tokio::test]
async fn a_scheduler_sees_who_comes_and_goes() {
    let controller = Controller::start().await;
    controller.register(scheduler(100, &[], 0)).await.unwrap();
    let mut watch = controller.members().watch_members(WatchMembersRequest {}).await.unwrap().into_inner();
    let mut next = async || watch.message().await.unwrap().unwrap().event.unwrap();
    let MemberEvent::Snapshot(snapshot) = next().await else { panic!("the snapshot comes first") };
    assert_eq!(snapshot.engines, []);
    controller.register(engine(1)).await.unwrap();
    let MemberEvent::Joined(joined) = next().await else { panic!("one joined") };
    assert_eq!((joined.engine_id, joined.incarnation), (0, incarnation(1)));
    let leave = DeregisterMemberRequest { member_id: 0, incarnation: incarnation(1) };
    controller.members().deregister_member(leave).await.unwrap();
    assert_eq!(next().await, MemberEvent::LeftEngineId(0));
}

#[tokio::test]
async fn who_launches_engines_hears_how_many_there_are_to_be() {
    let controller = Controller::start().await;
    let scale = |engines| {
        let mut cluster = controller.cluster();
        async move { cluster.scale_engines(ScaleEnginesRequest { engines }).await.map(|answer| answer.into_inner()) }
    };
    let nobody = scale(1).await.unwrap_err();
    assert_eq!(nobody.code(), Code::FailedPrecondition);
    assert!(nobody.message().contains("there are 0 engines, and nobody here launches any"), "{nobody}");
    assert_eq!(scale(4097).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(scale(0).await.unwrap().engines_before, 0, "none is missing");

    let request = WatchEnginesRequest { launcher: true };
    let mut watch = controller.cluster().watch_engines(request).await.unwrap().into_inner();
    assert!(matches!(watch.message().await.unwrap().unwrap().event, Some(EngineEvent::Snapshot(_))));
    for wanted in [3, 3, 1] {
        scale(wanted).await.unwrap();
        let told = watch.message().await.unwrap().unwrap().event;
        assert_eq!(told, Some(EngineEvent::WantedEngines(wanted)), "each time");
    }
}

#[tokio::test]
async fn where_engines_are_started_again_there_are_fewer_only_if_somebody_launches_them() {
    let controller = Controller::start_with(Config { engines_restart: true, ..config() }).await;
    let mut cluster = controller.cluster();
    let refused = cluster.scale_engines(ScaleEnginesRequest { engines: 0 }).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("nobody here launches any"), "{refused}");
    let _launcher = cluster.watch_engines(WatchEnginesRequest { launcher: true }).await.unwrap();
    cluster.scale_engines(ScaleEnginesRequest { engines: 0 }).await.unwrap();
}
