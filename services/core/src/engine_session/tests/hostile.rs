//! A scheduler that breaks its own rules.

use super::*;

const KILL_SOON: CancelMode = CancelMode::Interrupt { kill_after: Some(Duration::from_secs(1)) };
const KILL_LATER: CancelMode = CancelMode::Interrupt { kill_after: Some(Duration::from_secs(5)) };

fn cancel(mode: CancelMode) -> Stimulus {
    orders(Orders { cancel: vec![(attempt(0), mode)], ..Orders::default() })
}

#[test]
fn what_was_not_granted_is_not_taken_however_often_it_is_sent() {
    let mut rig = Rig::attached();
    for round in 1..10 {
        let tasks = (5 * round..5 * round + 5).map(task).collect();
        let out = rig.give([assign(vec![call(code(), true, tasks)])]);
        assert!(out.contains(&Instruction::HangUp), "{out:?}");
        assert_eq!(rig.machine.check(), Ok(()));
        assert_eq!(rig.machine.status().held.total_tasks, 4);
        rig.now = rig.now + Duration::from_secs(2);
        assert_eq!(rig.give([Stimulus::Tick]), [Instruction::Dial]);
        rig.give([Stimulus::Connected]);
        rig.give([welcome(1, vec![]), Stimulus::LineFree]);
    }
}

#[test]
fn a_task_that_is_cancelled_again_and_again_is_to_end_once_and_no_later() {
    let mut rig = Rig::attached();
    rig.give([assign(vec![call(code(), true, vec![task(0)])])]);
    rig.give([cancel(KILL_LATER), cancel(KILL_SOON), cancel(KILL_LATER)]);
    assert_eq!(rig.machine.check(), Ok(()));
    rig.now = rig.now + Duration::from_secs(1);
    rig.give([Stimulus::LineFree, Stimulus::Tick]);
    rig.now = rig.now + Duration::from_secs(1);
    let out = rig.give([Stimulus::Tick]);
    assert_eq!(out.last(), Some(&Instruction::Exit { reason: ExitReason::Killed }));
}

#[test]
fn a_task_that_was_dropped_and_given_again_while_it_runs_is_not_finished_twice() {
    let mut rig = Rig::attached();
    rig.give([assign(vec![call(code(), true, vec![task(0)])])]);
    rig.give([cancel(KILL_SOON), Stimulus::LineFree]);
    rig.attach_again(1, vec![attempt(0)]);
    rig.give([Stimulus::LineFree, assign(vec![call(code(), true, vec![task(0)])]), cancel(CancelMode::Abort)]);
    assert_eq!(rig.machine.check(), Ok(()));
    rig.now = rig.now + Duration::from_secs(1);
    rig.give([Stimulus::Tick]);
    assert_eq!(rig.machine.check(), Ok(()));
}

#[test]
fn questions_for_tasks_that_never_were_do_not_pile_up() {
    let mut rig = Rig::attached();
    rig.give([assign(vec![call(code(), true, vec![task(0)])])]);
    let retract: Vec<_> = (100..150).map(attempt).collect();
    let out = rig.give([orders(Orders { retract, ..Orders::default() })]);
    assert_eq!(out, [Instruction::HangUp]);
    assert_eq!(rig.machine.check(), Ok(()));
}

#[test]
fn outcomes_that_nobody_acknowledges_end_the_credit() {
    let mut rig = Rig::new();
    rig.machine = EngineSession::new(Config { outcomes: 3, ..config() }, Time(0));
    rig.give([Stimulus::Registered { info: info() }]);
    rig.give([Stimulus::Connected]);
    rig.give([welcome(1, vec![]), Stimulus::LineFree, Stimulus::RuntimeIdle]);
    let tasks: Vec<_> = (0..3).map(|index| AssignedTask { claimed: true, ..task(index) }).collect();
    rig.give([assign(vec![call(code(), true, tasks)])]);
    for index in 0..3 {
        rig.give([finished(index), Stimulus::RuntimeIdle, Stimulus::LineFree]);
    }
    rig.give([Stimulus::Broken]);
    rig.now = rig.now + Duration::from_secs(1);
    rig.give([Stimulus::Tick]);
    let none = Credit::default();
    let held = (0..3).map(|index| (index, HeldState::Finished)).collect();
    assert_eq!(rig.give([Stimulus::Connected]), [hello(Some(1), held, none)]);
    rig.give([welcome(1, vec![]), Stimulus::LineFree]);
    let out = rig.give([orders(Orders { acked: vec![attempt(0)], ..Orders::default() }), Stimulus::LineFree]);
    assert_eq!(out, [reports(Reports { credit: Some(FULL), ..Reports::default() })], "and they give it back");
}
