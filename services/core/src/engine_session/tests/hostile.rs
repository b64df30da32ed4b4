//! A scheduler that breaks its own rules.

use super::*;

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
