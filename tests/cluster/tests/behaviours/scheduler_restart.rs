//! A scheduler that is killed and started anew at the same addresses: every task has one result.

use std::collections::BTreeSet;

use paraply_cluster_tests::{
    cluster::Cluster,
    engine::{RawEngine, hello},
    session::RawSession,
    words::{direct, finished, function, none, session_hello},
};
use paraply_common::spawn::spawn;
use paraply_proto::scheduler::v1::{
    HeldState, HeldTask, Replay, ResumePoint, SessionHello, open_session_request::Message,
};

const TASKS: u64 = 20;

#[tokio::test]
async fn a_client_replays_and_an_engine_keeps_what_it_holds() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let port = scheduler.port();
    let mut engine = cluster.engine(&scheduler, 0).await;
    let session = session_hello();
    let client = RawSession::hello(&cluster, cluster.dial(&scheduler).await, session.clone()).await.unwrap();
    let epoch = client.welcome.epoch;
    let calls: Vec<_> = (0..TASKS).map(|index| direct(index, 0)).collect();
    client.submit(calls.clone()).await;
    let running = engine.assigned().await.unwrap();
    scheduler.kill();

    let scheduler = cluster.scheduler_with(cluster.scheduler_config(), port);
    let held = running.iter().map(|task| HeldTask { attempt_id: Some(task.clone()), state: HeldState::Claimed.into() });
    let held = hello(&cluster, 0, held.collect());
    let mut engine = RawEngine::hello(&cluster, cluster.dial(&scheduler).await, held).await.unwrap();
    assert_ne!(engine.welcome.epoch, epoch);
    assert!(engine.welcome.dropped.is_empty(), "its client may still replay them");

    let resume = Some(ResumePoint { epoch, sequence: 0, next_index: TASKS });
    let again = SessionHello { resume, ..session };
    let mut client = RawSession::hello(&cluster, cluster.dial(&scheduler).await, again).await.unwrap();
    assert!(client.welcome.replay);
    let replay = Replay { calls, functions: vec![function()], complete: true, ..Replay::default() };
    client.say(Message::Replay(replay)).await;

    let mut ran: Vec<u64> = running.iter().map(|task| task.task_id.as_ref().unwrap().index).collect();
    engine.finish(running, &none()).await;
    let serving = spawn(async move {
        while ran.len() < TASKS as usize {
            let tasks = engine.assigned().await.unwrap();
            ran.extend(tasks.iter().map(|task| task.task_id.as_ref().unwrap().index));
            engine.finish(tasks, &none()).await;
        }
        (ran, engine)
    });
    let mut results = BTreeSet::new();
    let events = client
        .events_until(|event| {
            results.extend(finished(event).map(|done| done.index));
            results.len() == TASKS as usize
        })
        .await;
    assert_eq!(events.iter().filter_map(finished).count(), TASKS as usize, "each task one result");
    let (mut ran, _engine) = serving.await.unwrap();
    ran.sort_unstable();
    assert_eq!(ran, (0..TASKS).collect::<Vec<_>>(), "and none ran twice");
}
