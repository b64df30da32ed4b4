//! The machine by virtual time.

mod autoscale;
mod hostile;

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{
    id::{ConnectionId, EngineId, Incarnation},
    time::Time,
};

const LEASE: Duration = Duration::from_secs(10);

struct World {
    machine: Membership,
    now: Time,
    request: u64,
}

impl World {
    fn new(next_engine_id: Option<u32>) -> Self {
        Self { machine: Membership::new(Config::default(), next_engine_id), now: Time(1), request: 0 }
    }

    fn give(&mut self, stimulus: Stimulus) -> Vec<Instruction> {
        self.machine.handle(self.now, stimulus);
        let mut out = Vec::new();
        self.machine.flush(self.now, &mut out);
        out
    }

    fn pass(&mut self, duration: Duration) -> Vec<Instruction> {
        self.now = self.now + duration;
        self.give(Stimulus::Tick)
    }

    fn ask(&mut self) -> RequestId {
        self.request += 1;
        RequestId(self.request)
    }

    fn register(&mut self, incarnation: u128, id: Option<u32>, proven: bool) -> Vec<Instruction> {
        let engine = NewEngine {
            incarnation: Incarnation(incarnation),
            peer: Bytes::from_static(b"peer"),
            labels: Vec::new(),
            id: id.map(EngineId),
            proven,
            registered_unix_nanos: 1,
        };
        let request = self.ask();
        self.give(Stimulus::RegisterEngine { request, engine })
    }

    fn scheduler(&mut self, incarnation: u128, next_engine_id: u32) -> Vec<Instruction> {
        let info = SchedulerInfo {
            incarnation: Incarnation(incarnation),
            peer: Bytes::new(),
            endpoints: vec![Endpoint::Tcp(format!("127.0.0.1:{incarnation}"))],
        };
        let request = self.ask();
        self.give(Stimulus::RegisterScheduler { request, scheduler: NewScheduler { info, next_engine_id } })
    }

    fn open(&mut self, connection: u64, member_id: u32, incarnation: u128) -> Vec<Instruction> {
        self.open_with(connection, member_id, incarnation, SchedulerReport::default())
    }

    fn open_with(
        &mut self,
        connection: u64,
        member_id: u32,
        incarnation: u128,
        report: SchedulerReport,
    ) -> Vec<Instruction> {
        let incarnation = Incarnation(incarnation);
        self.give(Stimulus::KeepAliveOpened { connection: ConnectionId(connection), member_id, incarnation, report })
    }

    fn keep(&mut self, connection: u64) -> Vec<Instruction> {
        self.report(connection, SchedulerReport::default())
    }

    fn report(&mut self, connection: u64, report: SchedulerReport) -> Vec<Instruction> {
        self.give(Stimulus::KeepAlive { connection: ConnectionId(connection), report })
    }

    fn free(&mut self, connection: u64) -> Vec<Instruction> {
        self.give(Stimulus::LineFree { connection: ConnectionId(connection) })
    }

    fn break_off(&mut self, connection: u64) -> Vec<Instruction> {
        self.give(Stimulus::Broken { connection: ConnectionId(connection) })
    }

    fn ids(&self) -> Vec<u32> {
        self.machine.engines().map(|engine| engine.info.id.0).collect()
    }
}

fn granted(out: &[Instruction]) -> Vec<u32> {
    let grant = |instruction: &Instruction| match instruction {
        Instruction::Answer { answer: Ok(grant), .. } => Some(grant.member_id),
        _ => None,
    };
    out.iter().filter_map(grant).collect()
}

fn refused(out: &[Instruction]) -> Option<Refusal> {
    out.iter().find_map(|instruction| match instruction {
        Instruction::Answer { answer: Err(refusal), .. } => Some(*refusal),
        _ => None,
    })
}

fn answer(out: &[Instruction]) -> Option<&KeepAliveAnswer> {
    out.iter().find_map(|instruction| match instruction {
        Instruction::ToMember { answer, .. } => Some(answer),
        _ => None,
    })
}

fn event(out: &[Instruction]) -> Option<&WatchEvent> {
    out.iter().find_map(|instruction| match instruction {
        Instruction::ToWatcher { event, .. } => Some(event),
        _ => None,
    })
}

fn closed(out: &[Instruction]) -> Option<CloseReason> {
    out.iter().find_map(|instruction| match instruction {
        Instruction::Close { reason, .. } => Some(*reason),
        _ => None,
    })
}

fn load(id: u32, queued_tasks: u32) -> SchedulerReport {
    SchedulerReport {
        loads: vec![(EngineId(id), EngineLoad { queued_tasks, ..EngineLoad::default() })],
        ..SchedulerReport::default()
    }
}

fn lost(id: u32) -> SchedulerReport {
    SchedulerReport { lost: vec![EngineId(id)], ..SchedulerReport::default() }
}

#[test]
fn ids_count_up_and_are_kept_before_they_are_answered() {
    let mut world = World::new(Some(0));
    let out = world.register(10, None, false);
    assert_eq!(out[0], Instruction::Persist { next_engine_id: 1 });
    assert_eq!(granted(&out[1..]), [0]);
    assert_eq!(granted(&world.register(11, None, false)), [1]);
    assert_eq!(granted(&world.register(10, None, false)), [0], "a repeat gets the same answer");
    assert_eq!(world.ids(), [0, 1]);
}

#[test]
fn a_wish_is_granted_once_and_never_far_away() {
    let mut world = World::new(Some(0));
    assert_eq!(granted(&world.register(13, Some(3), false)), [3]);
    assert_eq!(granted(&world.register(11, Some(1), false)), [1]);
    assert_eq!(granted(&world.register(14, Some(3), false)), [4], "taken: a new one");
    world.pass(LEASE);
    assert_eq!(world.ids(), []);
    assert_eq!(granted(&world.register(15, Some(3), false)), [5], "an id is never given twice");
    assert!(matches!(refused(&world.register(16, Some(u32::MAX), false)), Some(Refusal::IdTooHigh { .. })));
}

#[test]
fn without_state_new_engines_wait_until_a_scheduler_says_which_ids_were_given() {
    let mut world = World::new(None);
    assert_eq!(world.register(10, None, false), []);
    let out = world.register(10, None, false);
    assert_eq!(refused(&out), Some(Refusal::Repeated), "the later call of the same engine waits");
    assert_eq!(granted(&world.register(11, Some(4), true)), [4], "who has a ticket need not wait");
    let out = world.scheduler(1, 8);
    assert!(out.contains(&Instruction::Persist { next_engine_id: 8 }), "{out:?}");
    assert_eq!(granted(&out)[1..], [8]);
    assert_eq!(world.ids(), [4, 8]);
}

#[test]
fn without_state_no_id_is_given_that_an_engine_has_which_comes_back_later() {
    let mut world = World::new(None);
    let scheduler = granted(&world.scheduler(1, 3))[0];
    assert_eq!(granted(&world.register(10, Some(6), true)), [6]);
    assert_eq!(granted(&world.register(11, Some(5), false)), [7], "5 may have been given: its engine may still come");
    let out = world.open_with(1, scheduler, 1, load(9, 0));
    assert!(out.contains(&Instruction::Persist { next_engine_id: 10 }), "{out:?}");
    assert_eq!(granted(&world.register(12, None, false)), [10], "9 is with the scheduler");
}

#[test]
fn who_waits_in_vain_is_told_to_try_again() {
    let mut world = World::new(None);
    world.register(10, None, false);
    let due = world.machine.next_timeout().unwrap();
    let out = world.pass(due.since(world.now));
    assert_eq!(refused(&out), Some(Refusal::NoScheduler));
    assert_eq!(world.machine.next_timeout(), None);
}

#[test]
fn a_silent_engine_is_gone_after_its_lease_and_comes_back_with_its_ticket() {
    let mut world = World::new(Some(0));
    world.register(10, None, false);
    world.open(1, 0, 10);
    world.pass(LEASE - Duration::from_secs(1));
    world.keep(1);
    world.pass(LEASE - Duration::from_secs(1));
    assert_eq!(world.ids(), [0], "each message renews the lease");
    let out = world.pass(Duration::from_secs(1));
    assert_eq!(closed(&out), Some(CloseReason::NoLease));
    assert_eq!(world.ids(), []);
    assert_eq!(closed(&world.open(2, 0, 10)), Some(CloseReason::NoLease));
    assert_eq!(granted(&world.register(10, Some(0), true)), [0]);
    assert_eq!(refused(&world.register(11, Some(0), true)), Some(Refusal::IdHeld(EngineId(0))));
}

#[test]
fn an_engine_whose_id_was_given_to_another_meanwhile_gets_a_new_one_though_that_is_gone() {
    // This machine knows of no engine, and its scheduler of none: the ticket of one that was silent is from another machine.
    let mut world = World::new(Some(0));
    assert_eq!(granted(&world.register(10, None, false)), [0]);
    world.pass(LEASE);
    assert_eq!(world.ids(), []);
    assert_eq!(refused(&world.register(11, Some(0), true)), Some(Refusal::IdHeld(EngineId(0))));
    assert_eq!(granted(&world.register(11, None, false)), [1]);
    assert_eq!(granted(&world.register(10, Some(0), true)), [0], "it is the same one");
}

#[test]
fn answers_merge_while_the_line_is_occupied() {
    let mut world = World::new(Some(0));
    world.register(10, None, false);
    assert!(answer(&world.open(1, 0, 10)).is_some());
    assert_eq!(world.keep(1), []);
    world.scheduler(1, 0);
    world.give(Stimulus::Remove { engine: EngineId(0) });
    let out = world.free(1);
    assert_eq!(out.len(), 1, "one message for all three: {out:?}");
    let answer = answer(&out).unwrap();
    assert!(answer.exit);
    assert_eq!(answer.scheduler_endpoints, [Endpoint::Tcp("127.0.0.1:1".into())]);
    assert_eq!(world.free(1), [], "and nothing is said twice");
}

#[test]
fn the_order_to_exit_reaches_an_engine_at_once_and_a_later_stream_too() {
    let mut world = World::new(Some(0));
    world.register(10, None, false);
    world.open(1, 0, 10);
    world.free(1);
    let out = world.give(Stimulus::Remove { engine: EngineId(0) });
    assert!(answer(&out).unwrap().exit);
    world.break_off(1);
    assert!(answer(&world.open(2, 0, 10)).unwrap().exit);
    world.give(Stimulus::Deregister { member_id: 0, incarnation: Incarnation(10) });
    assert_eq!(world.ids(), []);
}

#[test]
fn a_second_stream_of_a_member_replaces_the_first() {
    let mut world = World::new(Some(0));
    world.register(10, None, false);
    world.open(1, 0, 10);
    let out = world.open(2, 0, 10);
    assert_eq!(closed(&out), Some(CloseReason::Replaced));
    assert_eq!(world.keep(1), [], "nothing more of the first");
    world.break_off(1);
    world.free(2);
    assert!(answer(&world.keep(2)).is_some());
}

#[test]
fn an_engine_that_the_scheduler_lost_is_gone_once_its_stream_is_too() {
    let mut world = World::new(Some(0));
    let scheduler = granted(&world.scheduler(1, 0))[0];
    world.register(10, None, false);
    world.register(11, None, false);
    world.open(1, 0, 10);
    world.open(2, 1, 11);
    world.open_with(9, scheduler, 1, load(0, 3));
    assert_eq!(world.machine.engine(EngineId(0)).unwrap().state, EngineState::Attached);
    assert_eq!(world.machine.engine(EngineId(1)).unwrap().state, EngineState::Registered);
    world.report(9, lost(0));
    assert_eq!(world.machine.engine(EngineId(0)).unwrap().state, EngineState::Registered, "its stream is there");
    world.break_off(1);
    assert_eq!(world.ids(), [1]);
    world.break_off(2);
    assert_eq!(world.ids(), [1], "a broken stream alone loses nobody before the lease");
    world.report(9, lost(1));
    assert_eq!(world.ids(), []);
}

#[test]
fn what_a_scheduler_reports_before_the_engine_registers_is_not_forgotten() {
    let mut world = World::new(Some(8));
    let scheduler = granted(&world.scheduler(1, 8))[0];
    world.open_with(9, scheduler, 1, load(5, 2));
    world.register(10, Some(5), true);
    let engine = world.machine.engine(EngineId(5)).unwrap();
    assert_eq!((engine.state, engine.load.queued_tasks), (EngineState::Attached, 2));
}

#[test]
fn a_new_scheduler_takes_over_and_the_old_one_is_told_to_exit() {
    let mut world = World::new(Some(0));
    world.register(10, None, false);
    let old = granted(&world.scheduler(1, 0))[0];
    world.open_with(9, old, 1, load(0, 1));
    world.free(9);
    let out = world.scheduler(2, 1);
    assert!(answer(&out).unwrap().exit);
    assert!(out.contains(&Instruction::SchedulerAt { endpoints: vec![Endpoint::Tcp("127.0.0.1:2".into())] }));
    assert_eq!(world.machine.engine(EngineId(0)).unwrap().state, EngineState::Registered);
    world.report(9, load(0, 7));
    assert_eq!(world.machine.engine(EngineId(0)).unwrap().state, EngineState::Registered, "it is not heard any more");
    assert_eq!(refused(&world.scheduler(1, 0)), Some(Refusal::Superseded));
    assert!(answer(&world.open(8, old, 1)).unwrap().exit);
}

#[test]
fn a_silent_scheduler_is_gone_after_its_lease() {
    let mut world = World::new(Some(0));
    world.scheduler(1, 0);
    let out = world.pass(LEASE);
    assert_eq!(out, [Instruction::SchedulerAt { endpoints: Vec::new() }]);
    assert_eq!(world.machine.scheduler(), None);
}

#[test]
fn a_watcher_gets_a_snapshot_and_then_the_latest_of_each_engine() {
    let mut world = World::new(Some(0));
    let scheduler = granted(&world.scheduler(1, 0))[0];
    world.open(9, scheduler, 1);
    world.register(10, None, false);
    let watch = |kind| Stimulus::WatchOpened { connection: ConnectionId(5), kind };
    let out = world.give(watch(WatchKind::Status));
    assert!(matches!(event(&out), Some(WatchEvent::Snapshot(engines)) if engines.len() == 1));
    for queued in 1..=100 {
        assert_eq!(event(&world.report(9, load(0, queued))), None, "its line is occupied");
    }
    world.register(11, None, false);
    world.give(Stimulus::Deregister { member_id: 1, incarnation: Incarnation(11) });
    let out = world.free(5);
    assert!(matches!(event(&out), Some(WatchEvent::Changed(engine)) if engine.load.queued_tasks == 100), "{out:?}");
    assert_eq!(world.free(5), [], "one that came and went in between it never knew of");
    world.give(Stimulus::Deregister { member_id: 0, incarnation: Incarnation(10) });
    world.free(5);
    assert_eq!(world.machine.transitions().iter().find(|(name, _)| *name == "EngineLeft"), Some(("EngineLeft", 2)));
}

#[test]
fn a_watcher_of_members_is_not_told_of_loads() {
    let mut world = World::new(Some(0));
    let scheduler = granted(&world.scheduler(1, 0))[0];
    world.open(9, scheduler, 1);
    world.register(10, None, false);
    world.give(Stimulus::WatchOpened { connection: ConnectionId(5), kind: WatchKind::Members });
    world.free(5);
    assert_eq!(event(&world.report(9, load(0, 1))), None);
    let out = world.give(Stimulus::Deregister { member_id: 0, incarnation: Incarnation(10) });
    assert_eq!(event(&out), Some(&WatchEvent::Removed(EngineId(0))));
}

#[test]
fn what_does_not_fit_in_a_snapshot_follows() {
    let mut world = World::new(Some(0));
    world.machine.config.message_bytes = 70;
    for incarnation in 10..15 {
        world.register(incarnation, None, false);
    }
    let kind = WatchKind::Members;
    let out = world.give(Stimulus::WatchOpened { connection: ConnectionId(5), kind });
    let Some(WatchEvent::Snapshot(first)) = event(&out) else { panic!("{out:?}") };
    let mut told: Vec<u32> = first.iter().map(|engine| engine.info.id.0).collect();
    assert_eq!(told, [0, 1]);
    while let Some(WatchEvent::Changed(engine)) = event(&world.free(5)) {
        told.push(engine.info.id.0);
    }
    assert_eq!(told, [0, 1, 2, 3, 4]);
}

#[test]
fn shutting_down_ends_every_stream_with_a_reason() {
    let mut world = World::new(Some(0));
    world.register(10, None, false);
    world.open(1, 0, 10);
    world.give(Stimulus::WatchOpened { connection: ConnectionId(5), kind: WatchKind::Members });
    let out = world.give(Stimulus::Shutdown);
    assert_eq!(out.len(), 2);
    assert_eq!(closed(&out), Some(CloseReason::Shutdown));
}

#[test]
fn a_schedulers_first_list_of_members_waits_until_all_had_the_time_to_come_back() {
    for (known, waits) in [(Some(0), false), (Some(5), true), (None, true)] {
        let mut world = World::new(known);
        world.scheduler(9, 0);
        let connection = ConnectionId(1);
        let opened = world.give(Stimulus::WatchOpened { connection, kind: WatchKind::Members });
        assert_eq!(event(&opened).is_none(), waits, "{known:?}");
        let engine = world.register(3, Some(2), true);
        assert_eq!(granted(&engine), [2]);
        let later = world.pass(LEASE - Duration::from_secs(1));
        assert!(!waits || event(&later).is_none());
        world.open(2, 2, 3);
        let later = world.pass(Duration::from_secs(1));
        match event(&later) {
            Some(WatchEvent::Snapshot(engines)) => assert_eq!(engines[0].info.id, EngineId(2)),
            other => assert!(!waits, "{other:?}"),
        }
    }
}

#[test]
fn a_signal_is_said_once_also_to_an_engine_that_was_away() {
    let mut world = World::new(Some(0));
    world.scheduler(9, 0);
    world.register(3, None, false);
    let signal = |name: &'static str| Stimulus::Signal { engines: vec![EngineId(0)], signal: name.into() };
    assert_eq!(answer(&world.give(signal("SIGINT"))), None, "it has no stream yet");
    let opened = world.open(1, 0, 3);
    assert_eq!(answer(&opened).unwrap().signals, ["SIGINT"]);
    world.free(1);
    assert_eq!(answer(&world.give(signal("SIGUSR1"))).unwrap().signals, ["SIGUSR1"]);
    world.free(1);
    assert!(answer(&world.keep(1)).unwrap().signals.is_empty());
    for _ in 0..64 {
        world.give(signal("SIGUSR1"));
    }
    assert_eq!(world.machine.takes_signals(EngineId(0)), Some(false));
    assert_eq!(world.machine.takes_signals(EngineId(1)), None);
}

fn drains(out: &[Instruction]) -> bool {
    answer(out).is_some_and(|answer| answer.drain)
}

fn state(world: &World, id: u32) -> EngineState {
    world.machine.engine(EngineId(id)).unwrap().state
}

#[test]
fn the_order_to_drain_reaches_an_engine_at_once_and_a_later_stream_too() {
    let mut world = World::new(Some(0));
    world.register(10, None, false);
    world.open(1, 0, 10);
    world.free(1);
    assert!(drains(&world.give(Stimulus::Drain { engine: EngineId(0) })));
    assert_eq!(state(&world, 0), EngineState::Draining);
    world.free(1);
    assert_eq!(world.give(Stimulus::Drain { engine: EngineId(0) }), [], "once is enough");
    world.break_off(1);
    assert!(drains(&world.open(2, 0, 10)));
    assert_eq!(world.give(Stimulus::Drain { engine: EngineId(7) }), [], "there is none of that id");
}

#[test]
fn engines_that_are_too_many_drain_the_idle_and_young_ones_first() {
    let mut world = World::new(Some(0));
    let scheduler = granted(&world.scheduler(1, 0))[0];
    for incarnation in 10..15 {
        world.register(incarnation, None, false);
    }
    let load = |claimed_tasks, queued_tasks| EngineLoad { claimed_tasks, queued_tasks, ..EngineLoad::default() };
    let loads = [(0, load(0, 0)), (1, load(1, 0)), (2, load(0, 0)), (3, load(0, 2))];
    let loads = loads.map(|(id, load)| (EngineId(id), load)).into();
    world.open_with(9, scheduler, 1, SchedulerReport { loads, ..SchedulerReport::default() });
    let staying = |world: &World| -> Vec<u32> {
        world.ids().into_iter().filter(|id| state(world, *id) != EngineState::Draining).collect()
    };
    world.give(Stimulus::Scale { engines: 4 });
    assert_eq!(staying(&world), [0, 1, 2, 3], "one that has not even attached");
    world.give(Stimulus::Scale { engines: 3 });
    assert_eq!(staying(&world), [0, 1, 3]);
    world.give(Stimulus::Scale { engines: 1 });
    assert_eq!(staying(&world), [3]);
    assert_eq!(world.machine.staying(), 1);
    world.give(Stimulus::Scale { engines: 5 });
    assert_eq!(staying(&world), [3], "who drains leaves");
}

#[test]
fn launchers_hear_how_many_engines_there_are_to_be_after_all_that_changed_before() {
    let mut world = World::new(Some(0));
    world.register(10, None, false);
    assert!(!world.machine.has_launcher());
    let opened = Stimulus::WatchOpened { connection: ConnectionId(1), kind: WatchKind::Launcher };
    assert!(matches!(event(&world.give(opened)), Some(WatchEvent::Snapshot(_))));
    assert!(world.machine.has_launcher());
    world.register(11, None, false);
    world.give(Stimulus::Scale { engines: 7 });
    world.give(Stimulus::Scale { engines: 1 });
    let mut told = Vec::new();
    while let Some(event) = event(&world.free(1)) {
        told.push(event.clone());
    }
    let [WatchEvent::Changed(young), WatchEvent::Scale(1)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((young.info.id, young.state), (EngineId(1), EngineState::Draining));
    assert!(matches!(event(&world.give(Stimulus::Scale { engines: 1 })), Some(WatchEvent::Scale(1))), "each time");
    world.break_off(1);
    assert!(!world.machine.has_launcher());
}
