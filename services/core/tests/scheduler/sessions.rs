//! Sessions: acceptance, resuming, closing, limits.

use std::time::Duration;

use paraply_core::{
    id::Epoch,
    scheduler::{Config, Stimulus},
    session_link::{ResumePoint, ToClient, ToScheduler},
};

use crate::world::{A, CloseReason, World, balanced, direct};

fn closed(world: &mut World, client: paraply_core::id::ConnectionId) -> Option<(CloseReason, u64)> {
    world.to_session.get_mut(&client)?.drain(..).find_map(|message| match message {
        ToClient::Closed { reason, expected_index, .. } => Some((reason, expected_index)),
        _ => None,
    })
}

#[test]
fn a_repeat_is_dropped_and_a_gap_is_refused() {
    let mut world = World::new();
    let engine = world.attach(0);
    let (client, _) = world.open(A, None);
    world.submit(client, vec![direct(0, &[0])]);
    world.submit(client, vec![direct(0, &[0]), direct(1, &[0])]);
    assert_eq!(world.indexes(engine), [0, 1]);
    world.submit(client, vec![direct(5, &[0])]);
    assert_eq!(closed(&mut world, client), Some((CloseReason::OutOfOrder, 2)));
}

#[test]
fn nothing_is_called_accepted_before_it_is_persisted() {
    let mut world = World::new();
    world.store_answers = false;
    let (client, _) = world.open(A, None);
    world.submit(client, vec![balanced(0, 5000, 0)]);
    world.pass(Duration::from_secs(1));
    assert!(world.to_session[&client].is_empty());
    let up_to = world.last_batch;
    world.step(Stimulus::Persisted { up_to });
    world.pass(Duration::from_secs(1));
    let Some(ToClient::Update(update)) = world.to_session.get_mut(&client).unwrap().pop_front() else { panic!() };
    assert_eq!(update.accepted_up_to, Some(5000));
}

#[test]
fn calls_in_quick_succession_cost_a_message_each_and_no_timer() {
    let mut world = World::new();
    let engine = world.attach(0);
    let (client, _) = world.open(A, None);
    let mut ticks = 0;
    for index in 0..200 {
        world.submit(client, vec![direct(index, &[0])]);
        world.finish(engine, A, index, 1);
        ticks += world.pass(Duration::from_millis(1));
    }
    assert_eq!(world.to_session[&client].len(), 200, "what is accepted is told along with results");
    assert!(ticks <= 20, "two looks each 20 ms: {ticks}");
    assert_eq!(world.finished(client).len(), 200);
    // The last one is told when its time has come, though nothing else happens.
    world.submit(client, vec![direct(200, &[0])]);
    world.pass(Duration::from_millis(60));
    let told = world.to_session.get_mut(&client).unwrap().drain(..).map(|message| match message {
        ToClient::Update(update) => (update.accepted_up_to, update.events.len()),
        _ => panic!("{message:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), [(Some(201), 1)], "with its claim");
}

#[test]
fn resuming_repeats_what_was_not_received_and_no_more() {
    let mut world = World::new();
    let engine = world.attach(0);
    let (client, welcome) = world.open(A, None);
    world.submit(client, vec![direct(0, &[0]), direct(1, &[0]), direct(2, &[0])]);
    world.orders(engine);
    (0..2).for_each(|index| world.finish(engine, A, index, 1));
    assert_eq!(world.finished(client).len(), 2);
    world.step(Stimulus::Broken { connection: client });
    world.finish(engine, A, 2, 1);
    let resume = ResumePoint { epoch: welcome.epoch, sequence: 1, next_index: 3 };
    let (again, welcome) = world.open(A, Some(resume));
    assert_eq!((welcome.accepted_up_to, welcome.replay), (3, false));
    assert_eq!(world.finished(again), [(1, Ok(())), (2, Ok(()))]);
}

#[test]
fn a_second_stream_takes_the_session_over() {
    let mut world = World::new();
    let (first, _) = world.open(A, None);
    let (second, _) = world.open(A, None);
    assert_eq!(closed(&mut world, first), Some((CloseReason::Superseded, 0)));
    world.attach(0);
    world.submit(second, vec![direct(0, &[0])]);
    assert_eq!(world.scheduler.status().sessions[0].outstanding, 1);
}

#[test]
fn a_session_that_stays_away_is_forgotten_after_its_grace() {
    let mut world = World::with(Config { session_grace: Duration::from_secs(60), ..Config::default() });
    let (client, welcome) = world.open(A, None);
    world.submit(client, vec![balanced(0, 3, 0)]);
    world.step(Stimulus::Broken { connection: client });
    world.pass(Duration::from_secs(59));
    assert_eq!(world.scheduler.status().unassigned, 3);
    world.pass(Duration::from_secs(2));
    assert_eq!((world.scheduler.status().unassigned, world.scheduler.status().sessions.len()), (0, 0));
    // Coming back is refused: nothing is left.
    let hello = paraply_core::session_link::Hello {
        session: A,
        resume: Some(ResumePoint { epoch: welcome.epoch, sequence: 0, next_index: 3 }),
        cancel_on_disconnect: false,
        label: bytes::Bytes::new(),
        stream: 0,
    };
    let connection = paraply_core::id::ConnectionId(99);
    world.step(Stimulus::SessionOpened { connection, hello });
    assert_eq!(closed(&mut world, connection), Some((CloseReason::Expired, 0)));
}

#[test]
fn closing_ends_everything_at_once() {
    let mut world = World::new();
    let engine = world.attach(0);
    let (client, _) = world.open(A, None);
    world.submit(client, vec![balanced(0, 3, 0), direct(3, &[0])]);
    world.orders(engine);
    world.say(client, ToScheduler::Close);
    assert_eq!(closed(&mut world, client), Some((CloseReason::Closed, 4)));
    assert!(world.scheduler.status().sessions.is_empty());
    assert!(!world.orders(engine).cancel.is_empty());
    world.finish(engine, A, 0, 1);
}

#[test]
fn credit_bounds_what_a_session_may_have_here() {
    let mut world = World::with(Config { session_tasks: 10, ..Config::default() });
    let (client, welcome) = world.open(A, None);
    assert_eq!(welcome.credit.total_tasks, 10);
    world.submit(client, vec![balanced(0, 10, 0)]);
    world.submit(client, vec![balanced(10, 1, 0)]);
    assert_eq!(closed(&mut world, client).map(|(reason, _)| reason), Some(CloseReason::Limit));
    // Its tasks are still there for it.
    let resume = ResumePoint { epoch: Epoch(1), sequence: 0, next_index: 10 };
    let (_, welcome) = world.open(A, Some(resume));
    assert_eq!((welcome.accepted_up_to, welcome.credit.total_tasks), (10, 10));
}
