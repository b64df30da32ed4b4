//! Pages of unfinished tasks, those that run for longest, and when all that was.

use std::time::Duration;

use paraply_core::{
    id::{SessionId, TaskId},
    scheduler::Record,
    session_link::EventKind,
};

use crate::world::{A, B, World, balanced, direct};

fn ids(world: &World, session: Option<SessionId>, after: Option<TaskId>, most: usize) -> Vec<TaskId> {
    world.scheduler.unfinished(session, after, most).into_iter().map(|report| report.id).collect()
}

#[test]
fn pages_follow_each_other_over_all_sessions() {
    let mut world = World::new();
    let (first, _) = world.open(A, None);
    world.submit(first, vec![balanced(0, 5, 0)]);
    let (second, _) = world.open(B, None);
    world.submit(second, vec![balanced(0, 4, 0)]);
    let all: Vec<_> = [(A, 5), (B, 4)]
        .into_iter()
        .flat_map(|(session, count)| (0..count).map(move |index| TaskId { session, index }))
        .collect();
    let mut paged = Vec::new();
    loop {
        let page = ids(&world, None, paged.last().copied(), 2);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert_eq!(ids(&world, Some(B), None, 100), all[5..]);
    assert_eq!(ids(&world, Some(B), Some(all[6]), 100), all[7..]);
    assert_eq!(ids(&world, Some(A), Some(all[6]), 100), []);
}

#[test]
fn the_first_to_be_started_have_run_for_longest() {
    let mut world = World::new();
    let engines = [world.attach(0), world.attach(1)];
    let (client, _) = world.open(A, None);
    world.submit(client, vec![direct(0, &[1])]);
    world.pass(Duration::from_millis(5));
    world.submit(client, vec![direct(1, &[0]), direct(2, &[0])]);
    let running = |world: &World, most| {
        let tasks = world.scheduler.longest_running(most).into_iter();
        tasks.map(|task| (task.attempt.task.index, task.engine.0)).collect::<Vec<_>>()
    };
    assert_eq!(running(&world, 10), [(0, 1), (1, 0)]);
    assert_eq!(running(&world, 1), [(0, 1)]);
    world.finish(engines[1], A, 0, 1);
    assert_eq!(running(&world, 10), [(1, 0)]);
}

#[test]
fn a_finished_task_says_when_it_was_accepted() {
    let mut world = World::new();
    let (client, _) = world.open(A, None);
    let accepted = world.now;
    world.submit(client, vec![balanced(0, 1, 0)]);
    let report = &world.scheduler.unfinished(None, None, 1)[0];
    assert_eq!((report.accepted_unix_nanos, report.claimed_unix_nanos), (accepted.0, 0));
    world.pass(Duration::from_millis(5));
    let engine = world.attach(0);
    let (claimed, report) = (world.now, &world.scheduler.unfinished(None, None, 1)[0]);
    assert_eq!((report.accepted_unix_nanos, report.claimed_unix_nanos), (accepted.0, claimed.0));
    world.pass(Duration::from_millis(5));
    world.finish(engine, A, 0, 1);
    let events = world.events(client);
    let finished = events.iter().find_map(|event| match event.kind {
        EventKind::Finished { accepted_unix_nanos, .. } => Some((event.sequence, accepted_unix_nanos)),
        _ => None,
    });
    let (sequence, told) = finished.unwrap();
    assert_eq!(told, accepted.0);
    let record = world.records.iter().find_map(|record| match record {
        Record::Finished { event, accepted, engine, .. } => Some((*event, *accepted, engine.map(|engine| engine.0))),
        _ => None,
    });
    assert_eq!(record, Some((sequence, accepted, Some(0))));
}
