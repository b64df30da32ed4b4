//! A scheduler that breaks its own rules.

use super::*;

#[test]
fn a_result_of_a_call_that_was_never_sent_leaves_no_gap() {
    let mut rig = Rig::attached();
    let none = Some(SubmitCredit::default());
    rig.give([update(Update { credit: none, ..Update::default() })]);
    rig.balanced(2);
    assert_eq!(rig.give([events(vec![finished(1, 0), finished(2, 1)])]), []);
    assert_eq!(rig.machine.check(), Ok(()));
    let plenty = update(Update { credit: Some(PLENTY), ..Update::default() });
    assert_eq!(rig.give([plenty]), [submit(vec![call(0, 2)], true, Some(2))]);
}

#[test]
fn no_more_is_accepted_than_was_sent() {
    let mut rig = Rig::attached();
    rig.balanced(2);
    rig.give([]);
    rig.give([update(Update { accepted_up_to: Some(1 << 40), ..Update::default() })]);
    assert_eq!(rig.machine.status().accepted_up_to, 2);
}

#[test]
fn releases_are_cut_and_do_not_pile_up() {
    let mut rig = Rig::attached();
    rig.machine.config.message_bytes = 36;
    let blobs: Vec<_> = (0..3).map(BlobId).collect();
    let release = |blobs: &[BlobId]| [Instruction::Send(ToScheduler::Release { blobs: blobs.to_vec() })];
    assert_eq!(rig.give([Stimulus::Release { blobs: blobs.clone() }]), release(&blobs[..2]));
    rig.give([Stimulus::Release { blobs: (0..1_000_000).map(BlobId).collect() }]);
    assert_eq!(rig.machine.check(), Ok(()));
    assert_eq!(rig.give([Stimulus::LineFree]), release(&[BlobId(2), BlobId(0)]));
}

#[test]
fn who_has_said_close_waits_for_nothing_else() {
    let mut rig = Rig::attached();
    rig.balanced(1);
    rig.give([]);
    rig.give([events(vec![finished(1, 0)]), Stimulus::Close]);
    assert_eq!(rig.give([Stimulus::LineFree]), [Instruction::Send(ToScheduler::Close)]);
    rig.give([Stimulus::LineFree]);
    assert_eq!(rig.machine.next_timeout(), None, "the acknowledgement is never due");
}

#[test]
fn claims_count_where_a_replay_is_cut() {
    let mut rig = Rig::attached();
    rig.machine.config.message_bytes = 500;
    rig.balanced(4);
    rig.give([]);
    rig.give([Stimulus::LineFree]);
    rig.give([events((0..4).map(|index| claimed(index + 1, index)).collect())]);
    rig.dial_again();
    let out = rig.give([welcome(2, 0, true), Stimulus::LineFree]);
    let [Instruction::Send(ToScheduler::Replay { claims, complete, .. })] = &out[..] else { panic!("{out:?}") };
    assert_eq!((claims.len(), *complete), (2, false));
}
