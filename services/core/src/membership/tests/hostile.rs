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
