//! Members that do what nobody in his right mind does.

use super::*;

#[test]
fn a_slow_watcher_costs_nothing_for_engines_that_come_and_go() {
    let mut world = World::new(Some(0));
    world.give(Stimulus::WatchOpened { connection: ConnectionId(1), kind: WatchKind::Status });
    for number in 0..100 {
        let id = granted(&world.register(number, None, false))[0];
        world.give(Stimulus::Deregister { member_id: id, incarnation: Incarnation(number) });
        assert_eq!(world.machine.check(), Ok(()));
    }
    assert_eq!(world.free(1), [], "nothing has changed since the snapshot");
}

#[test]
fn engines_beyond_the_limit_are_refused_and_those_that_are_there_are_not() {
    let mut world = World::new(Some(0));
    world.machine.config.engines = 2;
    assert_eq!(granted(&world.register(1, None, false)), [0]);
    assert_eq!(granted(&world.register(2, None, false)), [1]);
    assert_eq!(refused(&world.register(3, None, false)), Some(Refusal::TooManyEngines(2)));
    assert_eq!(granted(&world.register(1, None, false)), [0]);
}

#[test]
fn wishes_leave_no_more_holes_than_can_be_remembered() {
    let mut world = World::new(Some(0));
    let first = granted(&world.register(1, Some(1), false))[0];
    for number in 2..70_000 {
        world.register(number, Some(2 * u32::try_from(number).unwrap()), false);
        world.give(Stimulus::Deregister {
            member_id: 2 * u32::try_from(number).unwrap(),
            incarnation: Incarnation(number),
        });
    }
    assert_eq!(world.machine.check(), Ok(()));
    assert_eq!(first, 1);
    assert_ne!(granted(&world.register(99_999, Some(0), false)), [0], "the lowest hole counts as given");
}
