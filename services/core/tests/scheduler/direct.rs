//! Direct calls: round trip, order, loss.

use paraply_core::{
    engine_link::Reports,
    outcome::FailureKind,
    scheduler::Stimulus,
    session_link::{EventKind, ToScheduler},
};

use crate::world::{A, B, World, attempt_id, direct, ok};

#[test]
fn a_no_op_is_one_message_each_way() {
    let mut world = World::new();
    let engine = world.attach(0);
    let (client, _) = world.open(A, None);
    world.submit(client, vec![direct(0, &[0])]);

    let orders = world.orders(engine);
    assert_eq!(orders.functions.len(), 1);
    let task = &orders.assigned[0].tasks[0];
    assert!(task.claimed, "an engine with nothing else has claimed what it is sent");
    world.finish(engine, A, 0, 1);

    let messages = world.to_session.remove(&client).unwrap();
    assert_eq!(messages.len(), 1, "{messages:?}");
    // The function is not sent again.
    world.submit(client, vec![direct(1, &[0])]);
    assert_eq!(world.orders(engine).functions.len(), 0);
}

#[test]
fn a_broadcast_is_one_task_an_engine_in_target_order() {
    let mut world = World::new();
    let engines = [world.attach(0), world.attach(1)];
    let (client, _) = world.open(A, None);
    world.submit(client, vec![direct(0, &[1, 0])]);
    assert_eq!((world.indexes(engines[0]), world.indexes(engines[1])), (vec![1], vec![0]));
}

#[test]
fn a_call_whose_function_is_missing_holds_up_later_calls_to_its_engines_only() {
    let mut world = World::new();
    let engines = [world.attach(0), world.attach(1)];
    let (client, _) = world.open(A, None);
    let calls = vec![direct(0, &[0]), direct(1, &[1])];
    world.say(client, ToScheduler::Submit { calls, functions: vec![], ack: None });
    assert_eq!((world.indexes(engines[0]), world.indexes(engines[1])), (vec![], vec![]));
    // Sending the function sets both free, in order.
    world.submit(client, vec![direct(2, &[0, 1])]);
    assert_eq!((world.indexes(engines[0]), world.indexes(engines[1])), (vec![0, 2], vec![1, 3]));
}

#[test]
fn a_lost_engine_is_gone_before_its_tasks_fail() {
    let mut world = World::new();
    let engine = world.attach(0);
    let (client, _) = world.open(A, None);
    world.submit(client, vec![direct(0, &[0]), direct(1, &[0])]);
    world.events(client);
    world.step(Stimulus::Broken { connection: engine });
    let kinds: Vec<_> = world.events(client).into_iter().map(|event| event.kind).collect();
    assert!(matches!(kinds[0], EventKind::EngineLeft { .. }), "{kinds:?}");
    for (kind, index) in kinds[1..].iter().zip(0..) {
        let EventKind::Finished { index: finished, outcome, .. } = kind else { panic!("{kind:?}") };
        assert_eq!(*finished, index);
        assert_eq!(outcome.value.as_ref().unwrap_err().kind, FailureKind::EngineLost);
    }
    assert_eq!(kinds.len(), 3);
    // And a call to it from now on fails at once.
    world.submit(client, vec![direct(2, &[0])]);
    assert_eq!(world.finished(client), [(2, Err(FailureKind::EngineLost))]);
}

#[test]
fn a_report_of_another_attempt_or_engine_changes_nothing() {
    let mut world = World::new();
    let (right, wrong) = (world.attach(0), world.attach(1));
    let (client, _) = world.open(A, None);
    world.submit(client, vec![direct(0, &[0])]);
    world.finish(wrong, A, 0, 1);
    world.finish(right, A, 0, 2);
    assert_eq!(world.finished(client), []);
    // What does not count is acknowledged, so that the engine lets go of it.
    assert_eq!(world.orders(wrong).acked, [attempt_id(A, 0, 1)]);
    world.finish(right, A, 0, 1);
    assert_eq!(world.finished(client), [(0, Ok(()))]);
}

#[test]
fn two_sessions_collectives_have_one_order_on_all_engines() {
    let mut world = World::new();
    let engines = [world.attach(0), world.attach(1), world.attach(2)];
    let (one, _) = world.open(A, None);
    let (two, _) = world.open(B, None);
    world.submit(one, vec![direct(0, &[0, 1])]);
    world.submit(two, vec![direct(0, &[1, 2, 0])]);
    world.submit(one, vec![direct(2, &[2, 0])]);
    let orders =
        engines.map(|engine| world.assigned(engine).into_iter().map(|(session, _)| session).collect::<Vec<_>>());
    assert_eq!(orders, [vec![A, B, A], vec![A, B], vec![B, A]]);
}

#[test]
fn an_outcome_stays_with_its_engine_until_the_client_has_it() {
    let mut world = World::new();
    let engine = world.attach(0);
    let (client, _) = world.open(A, None);
    world.submit(client, vec![direct(0, &[0])]);
    world.orders(engine);
    let finished = vec![(attempt_id(A, 0, 1), ok(1).into())];
    world.report(engine, Reports { finished, ..Reports::default() });
    assert_eq!(world.orders(engine).acked, []);
    let sequence = world.events(client).last().unwrap().sequence;
    world.say(client, ToScheduler::Ack { sequence });
    assert_eq!(world.orders(engine).acked, [attempt_id(A, 0, 1)]);
}
