//! Engines that come and go with the work that the scheduler reports.

use super::*;

const IDLE: Duration = Duration::from_secs(60);
const REPORT: Duration = Duration::from_secs(1);

/// A controller that scales engines, a scheduler on connection 9, and a launcher on connection 1.
fn scaled(min: u32, max: u32) -> World {
    let autoscale = Some(Autoscale { min, max, ..Autoscale::default() });
    let config = Config { lease: IDLE * 1000, idle: IDLE, autoscale, ..Config::default() };
    let mut world = World { machine: Membership::new(config, Some(0)), now: Time(1), request: 0 };
    let scheduler = granted(&world.scheduler(1, 0))[0];
    world.open(9, scheduler, 1);
    world.give(Stimulus::WatchOpened { connection: ConnectionId(1), kind: WatchKind::Launcher });
    world.free(1);
    world
}

impl World {
    /// The scheduler says how many tasks wait, and which engines have how many.
    fn work(&mut self, waiting: u64, loads: &[(u32, u32, u64)]) -> Option<u32> {
        let load = |(id, claimed_tasks, completed_tasks): &(u32, u32, u64)| {
            let (claimed_tasks, completed_tasks) = (*claimed_tasks, *completed_tasks);
            (EngineId(*id), EngineLoad { claimed_tasks, completed_tasks, ..EngineLoad::default() })
        };
        let loads = loads.iter().map(load).collect();
        let out = self.report(9, SchedulerReport { loads, waiting, ..SchedulerReport::default() });
        self.free(9);
        self.told(out)
    }

    fn passes(&mut self, duration: Duration) -> Option<u32> {
        let out = self.pass(duration);
        self.told(out)
    }

    /// The number that the launcher was last told.
    fn told(&mut self, mut out: Vec<Instruction>) -> Option<u32> {
        assert_eq!(self.machine.check(), Ok(()));
        let mut told = None;
        while let Some(event) = event(&out) {
            if let WatchEvent::Scale(engines) = event {
                told = Some(*engines);
            }
            out = self.free(1);
        }
        told
    }

    fn comes(&mut self, engines: std::ops::Range<u128>) {
        for incarnation in engines {
            let out = self.register(100 + incarnation, None, false);
            self.told(out);
        }
    }

    fn stay(&self) -> Vec<u32> {
        let staying = self.machine.engines().filter(|engine| engine.state != EngineState::Draining);
        staying.map(|engine| engine.info.id.0).collect()
    }
}

#[test]
fn the_first_task_has_an_engine_started_at_once() {
    let mut world = scaled(0, 4);
    assert_eq!(world.work(0, &[]), None);
    assert_eq!(world.work(1, &[]), Some(1));
    assert_eq!(world.work(u64::MAX, &[]), Some(4), "whatever a scheduler says");
    assert_eq!(world.machine.wanted_engines(), 4);
    assert_eq!(world.machine.transitions().of(Transition::AskedForMore), 2);
}

#[test]
fn idle_engines_leave_and_busy_ones_and_the_least_stay() {
    let mut world = scaled(1, 4);
    world.comes(0..4);
    assert_eq!(world.work(0, &[(0, 0, 0), (1, 0, 0), (2, 1, 0), (3, 0, 0)]), None);
    assert_eq!(world.passes(IDLE - REPORT), None);
    assert_eq!(world.work(0, &[(3, 0, 7)]), None, "it has worked in between");
    assert_eq!(world.passes(REPORT), Some(3));
    assert_eq!(world.stay(), [0, 2, 3], "the youngest of the idle ones");
    assert_eq!(world.passes(IDLE), Some(2));
    assert_eq!(world.passes(IDLE), Some(1));
    assert_eq!(world.passes(IDLE * 100), None);
    assert_eq!(world.stay(), [2]);
    assert_eq!(world.work(0, &[(2, 0, 1)]), None);
    assert_eq!(world.passes(IDLE * 100), None, "the last is the least");
}

#[test]
fn engines_that_drain_do_not_count() {
    let mut world = scaled(0, 4);
    world.comes(0..2);
    assert_eq!(world.work(0, &[(0, 1, 0), (1, 1, 0)]), None);
    for leaves in [Stimulus::Drain { engine: EngineId(0) }, Stimulus::Remove { engine: EngineId(1) }] {
        let out = world.give(leaves);
        world.told(out);
    }
    assert_eq!(world.machine.demand(), Some(Demand { busy: 0, waiting: 0, active: true }));
    assert_eq!(world.work(1, &[]), Some(1), "one that leaves is none");
}

#[test]
fn nothing_is_decided_before_all_is_known() {
    let mut world = scaled(2, 4);
    world.machine.whole = false;
    assert_eq!(world.work(5, &[]), None, "engines that were there may come back");
    assert_eq!(world.passes(IDLE * 1000), None, "the scheduler is gone");
    assert_eq!(world.machine.demand(), None);
    let scheduler = granted(&world.scheduler(2, 0))[0];
    world.free(1);
    assert_eq!(world.machine.demand(), None, "it has said nothing");
    let opened = SchedulerReport { waiting: 3, ..SchedulerReport::default() };
    let out = world.open_with(8, scheduler, 2, opened);
    assert_eq!(world.told(out), Some(3));
}

#[test]
fn a_launcher_that_comes_later_hears_how_many_there_are_to_be() {
    let mut world = scaled(0, 4);
    assert_eq!(world.work(2, &[]), Some(2));
    world.break_off(1);
    let out = world.give(Stimulus::WatchOpened { connection: ConnectionId(1), kind: WatchKind::Launcher });
    assert_eq!(world.told(out), Some(2));
}

#[test]
fn what_somebody_says_holds_until_there_is_another_reason() {
    let mut world = scaled(1, 4);
    assert_eq!(world.work(0, &[]), None);
    assert_eq!(world.machine.bounds(), 1..=4);
    let out = world.give(Stimulus::Scale { engines: 9 });
    assert_eq!(world.told(out), Some(4));
    world.comes(0..4);
    assert_eq!(world.work(0, &[(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0)]), None);
    let out = world.give(Stimulus::Scale { engines: 3 });
    assert_eq!(world.told(out), Some(3));
    assert_eq!(world.passes(IDLE - REPORT), None);
    assert_eq!(world.passes(REPORT), Some(2));
}

#[test]
fn the_cluster_is_active_for_a_while_after_its_last_task() {
    let mut world = World::new(Some(0));
    let scheduler = granted(&world.scheduler(1, 0))[0];
    assert_eq!(world.machine.demand(), None);
    world.open(9, scheduler, 1);
    assert_eq!(world.machine.demand(), Some(Demand::default()));
    world.report(9, SchedulerReport { waiting: 2, ..SchedulerReport::default() });
    assert_eq!(world.machine.demand(), Some(Demand { busy: 0, waiting: 2, active: true }));
    world.keep(9);
    let end = world.machine.config.idle;
    assert_eq!(world.machine.demand(), Some(Demand { active: true, ..Demand::default() }));
    for _ in 0..59 {
        world.pass(end / 60);
        world.keep(9);
    }
    assert!(world.machine.demand().unwrap().active);
    world.pass(end / 60);
    assert_eq!(world.machine.demand(), Some(Demand::default()));
}
