//! Balanced work: spreading, prefetch, taking back, retries, limits.

use std::time::Duration;

use paraply_core::{
    engine_link::Reports, outcome::FailureKind, scheduler::Stimulus, session_link::CancelMode,
    session_link::ToScheduler,
};

use crate::world::{A, World, attempt_id, balanced, direct, limited, raised};

#[test]
fn work_spreads_and_one_unmeasured_task_is_prefetched() {
    let mut world = World::new();
    let engines = [world.attach(0), world.attach(1)];
    let (client, _) = world.open(A, None);
    world.submit(client, vec![balanced(0, 10, 0)]);
    assert_eq!(engines.map(|engine| world.indexes(engine).len()), [2, 2]);
    assert_eq!(world.scheduler.status().unassigned, 6);
}

#[test]
fn measured_tasks_are_prefetched_by_their_time() {
    let mut world = World::new();
    let engine = world.attach(0);
    let (client, _) = world.open(A, None);
    world.submit(client, vec![balanced(0, 100, 0)]);
    assert_eq!(world.indexes(engine), [0, 1]);
    world.finish(engine, A, 0, 1);
    world.indexes(engine);
    world.finish(engine, A, 1, 1);
    // A millisecond each: the one it runs, and five milliseconds ahead.
    assert_eq!(100 - 2 - world.scheduler.status().unassigned, 6);
}

#[test]
fn an_idle_engine_gets_what_another_has_not_claimed() {
    let mut world = World::new();
    let busy = world.attach(0);
    let (client, _) = world.open(A, None);
    world.submit(client, vec![balanced(0, 2, 0)]);
    assert_eq!(world.indexes(busy), [0, 1]);
    let idle = world.attach(1);
    assert_eq!(world.orders(busy).retract, [attempt_id(A, 1, 1)]);
    world.report(busy, Reports { retracted: vec![(attempt_id(A, 1, 1), true)], ..Reports::default() });
    assert_eq!(world.indexes(idle), [1]);
    world.finish(idle, A, 1, 1);
    world.finish(busy, A, 0, 1);
    assert_eq!(world.finished(client), [(1, Ok(())), (0, Ok(()))]);
}

#[test]
fn what_waits_behind_a_long_task_is_taken_back_though_it_is_but_one() {
    let mut world = World::new();
    let (busy, idle) = (world.attach(0), world.attach(1));
    let (client, _) = world.open(A, None);
    world.submit(client, vec![direct(0, &[0])]);
    assert_eq!(world.indexes(busy), [0]);
    world.submit(client, vec![balanced(1, 3, 0)]);
    assert_eq!((world.indexes(busy), world.indexes(idle)), (vec![2], vec![1, 3]));
    world.finish(idle, A, 1, 1);
    world.finish(idle, A, 3, 1);
    assert_eq!(world.orders(busy).retract, [], "it may begin in a moment");
    world.pass(Duration::from_millis(250));
    assert_eq!(world.orders(busy).retract, [attempt_id(A, 2, 1)]);
    world.report(busy, Reports { retracted: vec![(attempt_id(A, 2, 1), true)], ..Reports::default() });
    assert_eq!(world.indexes(idle), [2]);
}

#[test]
fn a_claim_wins_over_a_retract() {
    let mut world = World::new();
    let busy = world.attach(0);
    let (client, _) = world.open(A, None);
    world.submit(client, vec![balanced(0, 2, 0)]);
    let idle = world.attach(1);
    let second = attempt_id(A, 1, 1);
    world.report(busy, Reports { claimed: vec![second], retracted: vec![(second, false)], ..Reports::default() });
    world.finish(busy, A, 0, 1);
    world.finish(busy, A, 1, 1);
    assert_eq!(world.indexes(idle), []);
    assert_eq!(world.finished(client), [(0, Ok(())), (1, Ok(()))]);
}

#[test]
fn a_lost_engines_unclaimed_tasks_move_and_its_claimed_one_uses_a_retry() {
    let mut world = World::new();
    let lost = world.attach(0);
    let (client, _) = world.open(A, None);
    world.submit(client, vec![balanced(0, 2, 1)]);
    world.orders(lost);
    let other = world.attach(1);
    world.step(Stimulus::Broken { connection: lost });
    assert_eq!(world.indexes(other), [0, 1]);
    world.step(Stimulus::Broken { connection: other });
    // The first has used its retry. The second was claimed by nobody, and waits for an engine.
    assert_eq!(world.finished(client), [(0, Err(FailureKind::EngineLost))]);
    let last = world.attach(2);
    assert_eq!(world.indexes(last), [1]);
}

#[test]
fn a_failed_task_is_tried_elsewhere_and_its_last_error_comes_when_nobody_is_left() {
    let mut world = World::new();
    let engines = [world.attach(0), world.attach(1)];
    let (client, _) = world.open(A, None);
    world.submit(client, vec![balanced(0, 1, 5)]);
    for (engine, attempt) in engines.into_iter().zip(1..) {
        assert_eq!(world.indexes(engine), [0]);
        world.report(
            engine,
            Reports { finished: vec![(attempt_id(A, 0, attempt), raised().into())], ..Reports::default() },
        );
    }
    assert_eq!(world.finished(client), [(0, Err(FailureKind::Exception))]);
}

#[test]
fn a_limited_task_waits_for_its_engines_or_its_time() {
    let mut world = World::new();
    let (first, second) = (world.attach(0), world.attach(1));
    let (client, _) = world.open(A, None);
    world.submit(client, vec![limited(0, 4, &[1], Some(Duration::from_secs(1)))]);
    assert_eq!((world.indexes(first).len(), world.indexes(second).len()), (0, 2));
    world.pass(Duration::from_secs(2));
    assert_eq!(world.finished(client), [(2, Err(FailureKind::QueueTimeout)), (3, Err(FailureKind::QueueTimeout))]);
    // The one that was sent and not claimed is asked for, and its time is over once it is back.
    let asked = attempt_id(A, 1, 1);
    assert_eq!(world.orders(second).retract, [asked]);
    world.report(second, Reports { retracted: vec![(asked, true)], ..Reports::default() });
    world.pass(Duration::from_millis(1));
    assert_eq!(world.finished(client), [(1, Err(FailureKind::QueueTimeout))]);
    world.step(Stimulus::Broken { connection: second });
    assert_eq!(world.finished(client), [(0, Err(FailureKind::EngineLost))]);
    // What is limited to an engine that is gone has nowhere to go.
    world.submit(client, vec![limited(4, 1, &[1], None)]);
    assert_eq!(world.finished(client), [(4, Err(FailureKind::EngineLost))]);
}

#[test]
fn queued_tasks_can_be_aborted() {
    let mut world = World::new();
    let (client, _) = world.open(A, None);
    world.submit(client, vec![balanced(0, 3, 0)]);
    world.say(client, ToScheduler::Cancel { indexes: vec![1, 7], mode: CancelMode::Abort });
    assert_eq!(world.finished(client), [(1, Err(FailureKind::Aborted))]);
    let engine = world.attach(0);
    assert_eq!(world.indexes(engine), [0, 2]);
}
