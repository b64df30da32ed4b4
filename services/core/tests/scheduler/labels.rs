//! Balanced work for engines with certain labels.

use std::sync::Arc;

use bytes::Bytes;
use paraply_core::{
    call::{CallHead, Placement},
    engine_link::Reports,
    id::TaskId,
    outcome::FailureKind,
    scheduler::Stimulus,
    session_link::{CancelMode, ToScheduler},
};

use crate::world::{A, World, attempt_id, balanced, labelled, raised};

fn why(world: &World, index: u64) -> String {
    world.scheduler.tasks(&[TaskId { session: A, index }])[0].why.clone()
}

#[test]
fn only_engines_that_carry_all_labels_are_given_a_task() {
    let mut world = World::new();
    let (a, b, both) =
        (world.attach_with(0, "zone=a"), world.attach_with(1, "zone=b"), world.attach_with(2, "zone=a disk=ssd"));
    let (client, _) = world.open(A, None);
    world.submit(client, vec![labelled(0, 4, "zone=a", &[], 0), labelled(4, 2, "disk=ssd zone=a", &[], 0)]);
    assert_eq!([a, b, both].map(|engine| world.indexes(engine)), [vec![0, 2], vec![], vec![1, 3]]);
    world.finish(both, A, 1, 1);
    world.finish(both, A, 3, 1);
    assert_eq!([a, b, both].map(|engine| world.indexes(engine).len()), [0, 0, 2], "and the rest is for one");
    world.submit(client, vec![balanced(6, 2, 0)]);
    assert_eq!(world.indexes(b), [6, 7], "what has no labels goes anywhere");
}

#[test]
fn a_task_waits_for_an_engine_that_carries_its_labels_and_says_so() {
    let mut world = World::new();
    (0..4).for_each(|id| _ = world.attach_with(id, "runtime=python"));
    let (client, _) = world.open(A, None);
    world.submit(client, vec![labelled(0, 1, "runtime=native", &[], 0)]);
    let text = why(&world, 0);
    assert!(text.contains("waits for an engine with labels runtime=native; none of the 4 engines has them"), "{text}");
    let native = world.attach_with(4, "functions=simulate runtime=native");
    assert_eq!(world.indexes(native), [0]);
    world.finish(native, A, 0, 1);
    assert_eq!(world.finished(client), [(0, Ok(()))]);
    world.submit(client, vec![labelled(1, 1500, "runtime=native", &[], 0)]);
    let text = why(&world, 1500);
    assert!(text.contains("labels runtime=native; 1 of 5 have them"), "{text}");
}

#[test]
fn a_waiting_task_can_be_aborted_and_leaves_nothing() {
    let mut world = World::new();
    world.attach_with(0, "zone=a");
    let (client, _) = world.open(A, None);
    world.submit(client, vec![labelled(0, 3, "zone=b", &[], 0)]);
    world.say(client, ToScheduler::Cancel { indexes: vec![0, 1, 2], mode: CancelMode::Abort });
    assert_eq!(world.finished(client).len(), 3);
    let late = world.attach_with(1, "zone=b");
    assert_eq!(world.indexes(late), []);
    assert_eq!(world.scheduler.status().unassigned, 0);
}

#[test]
fn engines_and_labels_together_leave_those_that_are_both() {
    let mut world = World::new();
    let (a, other) = (world.attach_with(0, "zone=a"), world.attach_with(1, "zone=a"));
    world.attach_with(2, "zone=b");
    let (client, _) = world.open(A, None);
    world.submit(client, vec![labelled(0, 2, "zone=a", &[1, 2], 0)]);
    assert_eq!((world.indexes(a), world.indexes(other)), (vec![], vec![0, 1]));
    // None that it names carries them: nor will one, since ids are never given again.
    world.submit(client, vec![labelled(2, 1, "zone=a", &[2], 0)]);
    assert_eq!(world.finished(client), [(2, Err(FailureKind::EngineLost))]);
}

#[test]
fn a_retry_stays_with_engines_that_carry_the_labels() {
    let mut world = World::new();
    let (a, other) = (world.attach_with(0, "zone=a"), world.attach_with(1, "zone=b"));
    let (client, _) = world.open(A, None);
    world.submit(client, vec![labelled(0, 1, "zone=a", &[], 1), labelled(1, 1, "zone=a", &[], 1)]);
    world.indexes(a);
    let second = world.attach_with(2, "zone=a");
    world.report(a, Reports { finished: vec![(attempt_id(A, 0, 1), raised().into())], ..Reports::default() });
    assert_eq!((world.indexes(other), world.indexes(second)), (vec![], vec![0]));
    world.report(second, Reports { finished: vec![(attempt_id(A, 0, 2), raised().into())], ..Reports::default() });
    assert_eq!(world.finished(client), [(0, Err(FailureKind::Exception))]);
}

#[test]
fn a_lost_engines_unclaimed_task_waits_for_another_like_it() {
    let mut world = World::new();
    let (lost, other) = (world.attach_with(0, "zone=a"), world.attach_with(1, "zone=b"));
    let (client, _) = world.open(A, None);
    world.submit(client, vec![labelled(0, 2, "zone=a", &[], 0)]);
    assert_eq!(world.indexes(lost), [0, 1]);
    world.step(Stimulus::Broken { connection: lost });
    assert_eq!(world.finished(client), [(0, Err(FailureKind::EngineLost))]);
    assert_eq!(world.indexes(other), []);
    let last = world.attach_with(2, "zone=a");
    assert_eq!(world.indexes(last), [1]);
}

#[test]
fn work_is_taken_back_for_an_engine_that_may_run_it_and_for_no_other() {
    let mut world = World::new();
    let busy = world.attach_with(0, "zone=a");
    let (client, _) = world.open(A, None);
    world.submit(client, vec![labelled(0, 2, "zone=a", &[], 0)]);
    assert_eq!(world.indexes(busy), [0, 1]);
    world.attach_with(1, "zone=b");
    assert_eq!(world.orders(busy).retract, []);
    world.attach_with(2, "zone=a");
    assert_eq!(world.orders(busy).retract, [attempt_id(A, 1, 1)]);
}

#[test]
fn an_idle_engine_that_may_run_nothing_is_in_nobodys_way() {
    let mut world = World::new();
    let other = world.attach_with(0, "zone=b");
    let busy = world.attach_with(1, "zone=a");
    let (client, _) = world.open(A, None);
    world.submit(client, vec![labelled(0, 2, "zone=a", &[], 0)]);
    assert_eq!((world.indexes(other), world.indexes(busy)), (vec![], vec![0, 1]));
    // The first idle engine can be given nothing, the second can.
    let idle = world.attach_with(2, "zone=a");
    assert_eq!(world.orders(busy).retract, [attempt_id(A, 1, 1)]);
    world.report(busy, Reports { retracted: vec![(attempt_id(A, 1, 1), true)], ..Reports::default() });
    assert_eq!((world.indexes(other), world.indexes(idle)), (vec![], vec![1]));
}

#[test]
fn more_engines_are_wanted_for_labels_that_there_have_been() {
    let mut world = World::new();
    let (client, _) = world.open(A, None);
    world.submit(client, vec![labelled(0, 3, "zone=a", &[], 0)]);
    let wanted = |world: &World| (world.scheduler.status().unassigned, world.scheduler.status().waiting_for_any);
    assert_eq!(
        (wanted(&world), world.scheduler.is_starved()),
        ((3, 3), true),
        "nobody knows yet what engines there will be"
    );
    world.attach_with(0, "zone=b");
    assert_eq!(wanted(&world), (3, 0), "more such engines would not help");
    let carrier = world.attach_with(1, "zone=a");
    assert_eq!(wanted(&world), (1, 1));
    world.step(Stimulus::Broken { connection: carrier });
    assert_eq!(wanted(&world), (2, 2), "one may come again");
}

#[test]
fn too_many_labels_are_refused_with_the_task() {
    let mut world = World::new();
    let (client, _) = world.open(A, None);
    let mut next = 0;
    let mut refused = |labels: Vec<(Bytes, Bytes)>| {
        let mut call = balanced(next, 1, 0);
        let placement = Placement::Balanced { engines: Vec::new(), labels, retries: 0, queue_timeout: None };
        call.head = Arc::new(CallHead::new(call.head.work.clone(), placement));
        world.submit(client, vec![call]);
        next += 1;
        world.finished(client) == [(next - 1, Err(FailureKind::Refused))]
    };
    let label = |key: usize, bytes: usize| (Bytes::from(format!("{key:02}")), Bytes::from(vec![b'x'; bytes - 2]));
    assert!(!refused((0..16).map(|key| label(key, 64)).collect()), "16 labels of 1024 bytes in all");
    assert!(refused((0..17).map(|key| label(key, 2)).collect()));
    assert!(refused(vec![label(0, 1025)]));
}
