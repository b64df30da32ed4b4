//! Where tasks are, and why, in words.

use paraply_core::{
    engine_link::{Credit, Reports},
    id::TaskId,
    scheduler::Place,
    session_link::ToScheduler,
};

use crate::world::{A, World, balanced, direct, limited};

fn why(world: &World, index: u64) -> (Place, String) {
    let reports = world.scheduler.tasks(&[TaskId { session: A, index }]);
    (reports[0].place, reports[0].why.clone())
}

#[test]
fn each_place_has_its_reason() {
    let mut world = World::new();
    let engine = world.attach(0);
    let (client, _) = world.open(A, None);
    world.say(client, ToScheduler::Submit { calls: vec![direct(0, &[0])], functions: vec![], ack: None });
    assert_eq!(why(&world, 0), (Place::Waiting, "its function has not arrived from its client".to_owned()));
    world.submit(client, vec![direct(1, &[0]), balanced(2, 3, 0), limited(5, 1, &[0], None)]);
    assert_eq!(why(&world, 0), (Place::Claimed, "engine 0 has started it, in attempt 1".to_owned()));
    assert_eq!(why(&world, 1).0, Place::Assigned);
    let (place, text) = why(&world, 5);
    assert_eq!(place, Place::Queued);
    assert!(text.contains("balanced tasks that wait for an engine; it is limited to engine 0; engine 0 has"), "{text}");
    world.indexes(engine);
    world.finish(engine, A, 0, 1);
    assert_eq!(why(&world, 0).0, Place::Finished);
    let sequence = world.events(client).last().unwrap().sequence;
    world.say(client, ToScheduler::Ack { sequence });
    assert_eq!(why(&world, 0).0, Place::Delivered);
    assert!(world.scheduler.tasks(&[TaskId { session: A, index: 99 }]).is_empty());
}

#[test]
fn without_an_engine_it_says_so() {
    let mut world = World::new();
    let (client, _) = world.open(A, None);
    world.submit(client, vec![balanced(0, 1, 0)]);
    assert!(why(&world, 0).1.ends_with("no engine that may run it is attached"));
}

#[test]
fn the_last_outcomes_are_there_for_others_though_their_client_has_them() {
    const TASKS: u64 = 2000;
    let mut world = World::new();
    let engine = world.attach(0);
    let credit = Some(Credit { total_tasks: TASKS, total_bytes: 1 << 30 });
    world.report(engine, Reports { credit, ..Reports::default() });
    let (client, _) = world.open(A, None);
    for index in 0..TASKS {
        world.submit(client, vec![direct(index, &[0])]);
        world.finish(engine, A, index, 1);
        if let Some(last) = world.events(client).last() {
            world.say(client, ToScheduler::Ack { sequence: last.sequence });
        }
    }
    let ids: Vec<TaskId> = (0..TASKS).map(|index| TaskId { session: A, index }).collect();
    let reports = world.scheduler.tasks(&ids);
    assert!(reports.iter().all(|report| report.place == Place::Delivered));
    let kept: Vec<u64> =
        reports.iter().filter(|report| report.outcome.is_some()).map(|report| report.id.index).collect();
    assert!((100..TASKS as usize).contains(&kept.len()), "some, and not all: {}", kept.len());
    assert_eq!(kept, (TASKS - kept.len() as u64..TASKS).collect::<Vec<_>>(), "the last ones");
    let session = &world.scheduler.status().sessions[0];
    assert_eq!((session.outstanding, session.held_bytes), (0, 0), "they count for nothing that is limited");
}
