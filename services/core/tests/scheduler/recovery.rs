//! After a restart of the scheduler: engines come back, clients replay, nothing is lost and nothing runs twice.

use std::time::Duration;

use paraply_core::{
    call::Call,
    engine_link::HeldState,
    id::{ConnectionId, EngineId, Epoch, Incarnation},
    outcome::FailureKind,
    scheduler::{Config, Scheduler, Stimulus},
    session_link::{KnownClaim, ResumePoint, ToClient, ToScheduler},
};

use crate::world::{A, World, attempt_id, balanced, direct, function, held, labelled};

/// A world whose scheduler has just been restarted, with these engines still to come back.
fn restarted(engines: &[u32]) -> World {
    let mut world = World::new();
    world.scheduler = Scheduler::new(Config::default(), Epoch(2), world.now);
    let engines = engines.iter().map(|id| (EngineId(*id), Incarnation(u128::from(*id) + 100))).collect();
    world.step(Stimulus::MembersKnown { engines });
    world
}

fn replay(world: &mut World, calls: Vec<Call>, finished: Vec<u64>, claims: Vec<KnownClaim>) -> ConnectionId {
    let next_index = calls.iter().map(|call| call.first_index + call.tasks()).max().unwrap_or(0);
    let (client, welcome) = world.open(A, Some(ResumePoint { epoch: Epoch(1), sequence: 9, next_index }));
    assert!(welcome.replay);
    world.say(client, ToScheduler::Replay { calls, functions: vec![function()], finished, claims, complete: true });
    client
}

fn claim(index: u64, engine: u32) -> KnownClaim {
    KnownClaim { index, attempt: 1, engine: EngineId(engine), incarnation: Incarnation(u128::from(engine) + 100) }
}

#[test]
fn a_task_that_an_engine_still_runs_is_not_run_again() {
    for engine_first in [true, false] {
        let mut world = restarted(&[0]);
        let held = vec![held(A, 0, HeldState::Claimed)];
        let (engine, client);
        if engine_first {
            engine = world.attach_holding(0, held);
            client = replay(&mut world, vec![balanced(0, 1, 0)], vec![], vec![]);
        } else {
            client = replay(&mut world, vec![balanced(0, 1, 0)], vec![], vec![]);
            engine = world.attach_holding(0, held);
        }
        assert_eq!(world.welcome(engine).dropped, []);
        assert_eq!(world.indexes(engine), []);
        world.finish(engine, A, 0, 1);
        assert_eq!(world.finished(client), [(0, Ok(()))]);
    }
}

#[test]
fn an_outcome_that_an_engine_kept_arrives_whoever_comes_first() {
    let mut world = restarted(&[0]);
    let engine = world.attach_holding(0, vec![held(A, 0, HeldState::Finished)]);
    world.finish(engine, A, 0, 1);
    assert_eq!(world.orders(engine).acked, []);
    let client = replay(&mut world, vec![balanced(0, 1, 0)], vec![], vec![]);
    assert_eq!(world.finished(client), [(0, Ok(()))]);
}

#[test]
fn what_the_client_has_already_is_dropped_at_the_engine() {
    let mut world = restarted(&[0]);
    let engine = world.attach_holding(0, vec![held(A, 0, HeldState::Finished), held(A, 1, HeldState::Claimed)]);
    world.orders(engine);
    let client = replay(&mut world, vec![balanced(0, 2, 0)], vec![0], vec![]);
    assert_eq!(world.orders(engine).acked, [attempt_id(A, 0, 1)]);
    world.finish(engine, A, 1, 1);
    assert_eq!(world.finished(client), [(1, Ok(()))]);
}

#[test]
fn a_replayed_task_waits_for_every_engine_that_may_hold_it() {
    let mut world = restarted(&[0, 1]);
    let client = replay(&mut world, vec![balanced(0, 1, 0)], vec![], vec![]);
    let first = world.attach(0);
    assert_eq!(world.indexes(first), []);
    // New work does not wait.
    world.submit(client, vec![balanced(1, 1, 0)]);
    assert_eq!(world.indexes(first), [1]);
    world.attach(1);
    world.finish(first, A, 1, 1);
    assert_eq!(world.scheduler.status().unassigned, 0);
    assert!(!world.scheduler.status().recovering);
}

#[test]
fn a_claimed_task_whose_engine_does_not_come_back_is_lost() {
    let mut world = restarted(&[0, 1]);
    let client = replay(&mut world, vec![balanced(0, 2, 0)], vec![], vec![claim(0, 1)]);
    let engine = world.attach(0);
    world.pass(Duration::from_secs(3));
    let message = paraply_core::engine_link::ToScheduler::Heartbeat;
    world.step(Stimulus::EngineMessage { connection: engine, message: message.clone() });
    assert_eq!(world.finished(client), []);
    for _ in 0..3 {
        world.pass(Duration::from_secs(3));
        world.step(Stimulus::EngineMessage { connection: engine, message: message.clone() });
    }
    assert_eq!(world.finished(client), [(0, Err(FailureKind::EngineLost))]);
    assert_eq!(world.indexes(engine), [1]);
}

#[test]
fn direct_tasks_wait_for_their_engine_in_order() {
    let mut world = restarted(&[0]);
    let client = replay(&mut world, vec![direct(0, &[0]), direct(1, &[0]), direct(2, &[0])], vec![], vec![]);
    world.submit(client, vec![direct(3, &[0])]);
    let engine = world.attach_holding(0, vec![held(A, 0, HeldState::Claimed), held(A, 1, HeldState::Queued)]);
    assert_eq!(world.indexes(engine), [2, 3]);
}

#[test]
fn a_replay_that_broke_off_is_taken_up_again() {
    let mut world = restarted(&[]);
    let resume = Some(ResumePoint { epoch: Epoch(1), sequence: 0, next_index: 4 });
    let (first, _) = world.open(A, resume);
    let part = |calls, complete| ToScheduler::Replay {
        calls,
        functions: vec![function()],
        finished: vec![],
        claims: vec![],
        complete,
    };
    world.say(first, part(vec![balanced(0, 2, 0)], false));
    world.step(Stimulus::Broken { connection: first });
    let (second, welcome) = world.open(A, resume);
    assert!(welcome.replay);
    world.say(second, part(vec![balanced(0, 2, 0), balanced(2, 2, 0)], true));
    assert_eq!(world.scheduler.status().unassigned, 4);
    world.submit(second, vec![balanced(4, 1, 0)]);
    assert_eq!(world.scheduler.status().unassigned, 5);
}

#[test]
fn an_outcome_outlives_its_engine_and_an_orphan_its_engines_return() {
    let mut world = restarted(&[0]);
    let holding = vec![held(A, 0, HeldState::Finished), held(A, 1, HeldState::Claimed)];
    let engine = world.attach_holding(0, holding.clone());
    world.step(Stimulus::Broken { connection: engine });
    let engine = world.attach_holding(0, holding);
    assert_eq!(world.welcome(engine).dropped, []);
    world.finish(engine, A, 0, 1);
    world.step(Stimulus::Broken { connection: engine });
    let client = replay(&mut world, vec![balanced(0, 2, 0)], vec![], vec![]);
    assert_eq!(world.finished(client), [(0, Ok(())), (1, Err(FailureKind::EngineLost))]);
}

#[test]
fn what_engines_hold_for_a_session_that_never_comes_is_dropped_after_its_grace() {
    let mut world = World::new();
    let config = Config { session_grace: Duration::from_secs(5), ..Config::default() };
    world.scheduler = Scheduler::new(config, Epoch(2), world.now);
    let engine = world.attach_holding(0, vec![held(A, 0, HeldState::Finished)]);
    world.finish(engine, A, 0, 1);
    assert_eq!(world.orders(engine).acked, []);
    world.pass(Duration::from_secs(6));
    assert_eq!(world.orders(engine).acked, [attempt_id(A, 0, 1)]);
}

#[test]
fn a_function_that_was_asked_for_on_a_stream_that_broke_is_asked_for_again() {
    let mut world = restarted(&[0]);
    let resume = |epoch, sequence| Some(ResumePoint { epoch: Epoch(epoch), sequence, next_index: 1 });
    let (client, _) = world.open(A, resume(1, 9));
    let (calls, finished, claims) = (vec![balanced(0, 1, 0)], Vec::new(), Vec::new());
    world.say(client, ToScheduler::Replay { calls, functions: Vec::new(), finished, claims, complete: true });
    world.step(Stimulus::Broken { connection: client });
    let (client, _) = world.open(A, resume(2, 0));
    let asked = world.to_session[&client]
        .iter()
        .any(|message| matches!(message, ToClient::Update(update) if update.need_functions == [function().digest]));
    assert!(asked, "its task waits for an engine that may have it, and then for the function");
}

#[test]
fn a_task_with_labels_is_adopted_or_waits_for_an_engine_that_carries_them() {
    let mut world = restarted(&[0, 1]);
    let calls =
        vec![labelled(0, 2, "zone=a", &[], 0), labelled(2, 1, "zone=a", &[1], 0), labelled(3, 1, "zone=a", &[0], 0)];
    let client = replay(&mut world, calls, vec![], vec![]);
    let back = world.attach_holding_with(1, "zone=a", vec![held(A, 0, HeldState::Claimed)]);
    let other = world.attach_with(0, "zone=b");
    assert_eq!(world.indexes(other), []);
    assert_eq!(world.finished(client), [(3, Err(FailureKind::EngineLost))], "the one that it names does not");
    world.finish(back, A, 0, 1);
    assert_eq!(world.indexes(back), [1, 2]);
    assert_eq!(world.finished(client), [(0, Ok(()))]);
}
