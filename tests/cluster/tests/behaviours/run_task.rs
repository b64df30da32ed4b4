//! One task in one call: what goes to the engine, and what is left of it when the call is over.

use bytes::Bytes;
use paraply_cluster_tests::{cluster::Cluster, dial::Bearer, engine::RawEngine, service::Service, words::attempt};
use paraply_common::spawn::spawn;
use paraply_proto::{
    common::v1::{AttemptId, Encoding, FailureKind, Function, Outcome, Payload, outcome::Outcome as Value},
    scheduler::v1::{
        AssignedTask, CancelMode, GetSchedulerStatusRequest, RunTaskRequest, task_service_client::TaskServiceClient,
    },
};
use tonic::{Code, service::interceptor::InterceptedService, transport::Channel};

type Client = TaskServiceClient<InterceptedService<Channel, Bearer>>;

async fn client(cluster: &Cluster, scheduler: &Service) -> Client {
    TaskServiceClient::with_interceptor(cluster.dial(scheduler).await, cluster.as_client())
}

fn request(function: &str, arguments_json: &str) -> RunTaskRequest {
    let (function, arguments_json) = (function.to_owned(), arguments_json.to_owned());
    RunTaskRequest { function, arguments_json, ..RunTaskRequest::default() }
}

fn result(encoding: Encoding, data: &'static str) -> Outcome {
    let payload =
        Payload { encoding: encoding.into(), data: Bytes::from_static(data.as_bytes()), ..Payload::default() };
    Outcome { outcome: Some(Value::Result(payload)), ..Outcome::default() }
}

/// The next task, with its function.
async fn assigned(engine: &mut RawEngine) -> (Function, AttemptId, AssignedTask) {
    loop {
        let mut orders = engine.orders().await.unwrap();
        if let (Some(function), Some(mut call)) = (orders.functions.pop(), orders.assigned.pop()) {
            let task = call.tasks.pop().unwrap();
            return (function, attempt(&call.session_id, task.index, task.attempt), task);
        }
    }
}

async fn sessions(client: &mut Client) -> u64 {
    client.get_scheduler_status(GetSchedulerStatusRequest::default()).await.unwrap().into_inner().sessions
}

#[tokio::test]
async fn its_words_reach_the_engine_as_they_are_and_its_json_comes_back() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let mut engine = cluster.engine(&scheduler, 7).await;
    let mut stranger = client(&cluster, &scheduler).await;
    let mut asking = stranger.clone();
    let asked = spawn(async move { asking.run_task(request("m:simulate", " [1, 2]")).await });
    let (function, id, task) = assigned(&mut engine).await;
    let text = function.payload.unwrap();
    assert_eq!((text.encoding(), text.data.as_ref()), (Encoding::Text, "m:simulate".as_bytes()));
    let arguments = task.arguments.unwrap();
    assert_eq!((arguments.encoding(), arguments.data.as_ref()), (Encoding::Json, " [1, 2]".as_bytes()));
    engine.finish(vec![id.clone()], &result(Encoding::Json, "{\"a\": 1}")).await;
    let answer = asked.await.unwrap().unwrap().into_inner();
    assert_eq!((answer.result_json.as_str(), answer.failure), ("{\"a\": 1}", None));
    assert_eq!((answer.engine_id, answer.task_id), (Some(7), id.task_id));
    assert_eq!(sessions(&mut stranger).await, 0);
}

#[tokio::test]
async fn what_is_no_json_is_a_failure() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let mut engine = cluster.engine(&scheduler, 0).await;
    let mut stranger = client(&cluster, &scheduler).await;
    let asked = spawn(async move { stranger.run_task(request("f", "")).await });
    let (_, id, task) = assigned(&mut engine).await;
    assert_eq!(task.arguments.unwrap().encoding(), Encoding::Json);
    engine.finish(vec![id], &result(Encoding::Msgpack, "\u{1}")).await;
    let failure = asked.await.unwrap().unwrap().into_inner().failure.unwrap();
    assert_eq!(failure.kind(), FailureKind::Unreadable);
    assert!(failure.message.contains("Msgpack"), "{}", failure.message);
}

#[tokio::test]
async fn a_call_that_is_given_up_interrupts_its_task_and_leaves_nothing() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let mut engine = cluster.engine(&scheduler, 0).await;
    let mut stranger = client(&cluster, &scheduler).await;
    let mut asking = stranger.clone();
    let asked = spawn(async move { asking.run_task(request("f", "")).await });
    let (_, id, _) = assigned(&mut engine).await;
    assert_eq!(sessions(&mut stranger).await, 1);
    asked.abort();
    let cancel = loop {
        let orders = engine.orders().await.unwrap();
        if let Some(cancel) = orders.cancel.into_iter().next() {
            break cancel;
        }
    };
    assert_eq!((cancel.attempt_id, cancel.mode), (Some(id), CancelMode::Interrupt.into()));
    while sessions(&mut stranger).await > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_is_a_session_among_those_that_there_may_be() {
    let cluster = Cluster::default();
    let config = paraply_scheduler::Config { sessions: 1, ..cluster.scheduler_config() };
    let scheduler = cluster.scheduler_with(config, 0);
    let mut engine = cluster.engine(&scheduler, 0).await;
    let mut stranger = client(&cluster, &scheduler).await;
    let mut asking = stranger.clone();
    let asked = spawn(async move { asking.run_task(request("f", "")).await });
    let (_, id, _) = assigned(&mut engine).await;
    let refused = stranger.run_task(request("f", "")).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("`sessions`"), "{}", refused.message());
    engine.finish(vec![id], &result(Encoding::Json, "1")).await;
    assert_eq!(asked.await.unwrap().unwrap().into_inner().result_json, "1");
}
