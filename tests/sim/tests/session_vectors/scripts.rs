//! What can happen to a session, a story each.

use std::time::Duration;

use paraply_core::{
    client_session::Stimulus,
    session_link::{CancelMode, CloseReason, SubmitCredit, Update},
};

use crate::rig::{PLENTY, Rig, claimed, digest, finished, finished_with, joined, left, wrote};

/// What happens to a machine.
pub type Script = fn(&mut Rig);

/// All of them, by the name of their file.
pub const ALL: &[(&str, Script)] = &[
    ("results", results),
    ("credit", credit),
    ("acks", acks),
    ("resume", resume),
    ("resume_from_store", resume_from_store),
    ("late_results", late_results),
    ("replay", replay),
    ("replay_in_parts", replay_in_parts),
    ("functions", functions),
    ("cancels", cancels),
    ("cancels_and_replay", cancels_and_replay),
    ("blobs", blobs),
    ("engines", engines),
    ("output", output),
    ("events_again", events_again),
    ("gap", gap),
    ("never_sent", never_sent),
    ("second_welcome", second_welcome),
    ("update_before_welcome", update_before_welcome),
    ("unanswered", unanswered),
    ("close", close),
    ("close_under_way", close_under_way),
    ("close_in_replay", close_in_replay),
    ("closed_superseded", |rig| closed(rig, CloseReason::Superseded)),
    ("closed_expired", |rig| closed(rig, CloseReason::Expired)),
    ("closed_protocol_error", |rig| closed(rig, CloseReason::ProtocolError)),
    ("closed_limit", |rig| closed(rig, CloseReason::Limit)),
    ("closed_out_of_order", |rig| closed(rig, CloseReason::OutOfOrder)),
    ("closed_shutdown", |rig| closed(rig, CloseReason::Shutdown)),
    ("more_accepted_than_sent", more_accepted_than_sent),
];

fn accepted(up_to: u64) -> Update {
    Update { accepted_up_to: Some(up_to), ..Update::default() }
}

fn results(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 3);
    rig.apply("g", &[1, 2]);
    rig.execute("x = 1", &[2]);
    rig.say_all();
    rig.update(accepted(6));
    rig.events(vec![claimed(1, 0), finished(2, 3), finished(3, 0)]);
    rig.events(vec![finished(4, 5), finished(5, 4)]);
    rig.say_all();
    rig.events(vec![finished(6, 2), finished(7, 1)]);
    rig.wait(60);
    rig.say_all();
}

fn credit(rig: &mut Rig) {
    rig.greet();
    rig.welcome(1, 0, false, SubmitCredit { total_tasks: 3, total_bytes: 40 });
    for tasks in [2, 1, 2, 1] {
        rig.map("f", tasks);
    }
    rig.say_all();
    let more = |total_tasks, total_bytes| Update {
        credit: Some(SubmitCredit { total_tasks, total_bytes }),
        ..Update::default()
    };
    rig.update(more(5, 40));
    rig.say_all();
    rig.update(more(5, 50));
    rig.say_all();
    rig.update(more(100, 1000));
    rig.say_all();
}

fn acks(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 20);
    rig.say_all();
    rig.events(vec![finished(1, 0)]);
    rig.wait(49);
    rig.wait(1);
    rig.say_all();
    rig.events((2..6).map(|sequence| finished(sequence, sequence)).collect());
    rig.say_all();
    rig.events(vec![finished(6, 10)]);
    rig.map("f", 1);
    rig.wait(100);
    rig.say_all();
    // While the line is taken an acknowledgement waits, and goes with what came since.
    rig.map("g", 1);
    rig.events(vec![finished(7, 11)]);
    rig.wait(100);
    rig.events(vec![finished(8, 12)]);
    rig.say_all();
}

fn resume(rig: &mut Rig) {
    rig.connect();
    for _ in 0..3 {
        rig.map("f", 2);
        rig.say_all();
    }
    rig.update(accepted(2));
    rig.events(vec![claimed(1, 0), finished(2, 1)]);
    rig.give(Stimulus::Broken);
    rig.map("g", 1);
    rig.greet();
    rig.welcome(1, 4, false, PLENTY);
    rig.say_all();
    rig.events((3..8).zip([0, 2, 3, 4, 5]).map(|(sequence, index)| finished(sequence, index)).collect());
    rig.say_all();
}

fn resume_from_store(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 1);
    rig.map("f", 1);
    rig.map("g", 1);
    rig.say_all();
    rig.events(vec![finished(1, 0)]);
    rig.give(Stimulus::Broken);
    rig.greet();
    rig.welcome(2, 2, false, PLENTY);
    rig.say_all();
    rig.events(vec![finished(1, 0), finished(2, 1), finished(3, 2)]);
    rig.say_all();
}

/// A call is finished before it is told that it was accepted, while it waits to be sent again.
fn late_results(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 1);
    rig.map("f", 2);
    rig.say_all();
    rig.give(Stimulus::Broken);
    rig.wait(5000);
    rig.give(Stimulus::Connected);
    rig.welcome(1, 0, false, SubmitCredit { total_tasks: 3, total_bytes: 40 });
    rig.events(vec![finished(1, 0), finished(2, 2)]);
    rig.say_all();
    rig.map("f", 1);
    rig.update(Update { credit: Some(PLENTY), ..accepted(3) });
    rig.say_all();
}

fn replay(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 3);
    rig.apply("g", &[1, 2]);
    rig.map("f", 1);
    rig.say_all();
    rig.events(vec![claimed(1, 0), claimed(2, 1), finished(3, 1), claimed(4, 4), finished(5, 5)]);
    rig.give(Stimulus::Broken);
    rig.greet();
    rig.map("h", 2);
    rig.welcome(2, 0, true, SubmitCredit { total_tasks: 0, total_bytes: 0 });
    rig.say_all();
    rig.update(Update { accepted_up_to: Some(6), credit: Some(PLENTY), ..Update::default() });
    rig.say_all();
    rig.events(vec![finished(1, 0), finished(2, 1), claimed(3, 4), finished(4, 2), finished(5, 3), finished(6, 4)]);
    rig.say_all();
    rig.give(Stimulus::Broken);
    // Nothing is left that was sent but the last call; and it was never told that this is accepted.
    rig.greet();
    rig.welcome(3, 0, true, PLENTY);
    rig.say_all();
    rig.events(vec![finished(1, 6), finished(2, 7)]);
    rig.give(Stimulus::Broken);
    rig.greet();
    rig.welcome(4, 0, true, PLENTY);
    rig.say_all();
}

fn replay_in_parts(rig: &mut Rig) {
    // Two are more than a message.
    rig.start_over(1000);
    rig.connect();
    for _ in 0..3 {
        rig.large("f", 700);
        rig.say_all();
    }
    rig.give(Stimulus::Broken);
    rig.greet();
    rig.welcome(2, 0, true, PLENTY);
    rig.say_all();
}

fn functions(rig: &mut Rig) {
    rig.connect();
    for name in ["f", "g", "f"] {
        rig.map(name, 1);
        rig.say_all();
    }
    let need = |names: &[&str]| Update {
        need_functions: names.iter().map(|name| digest(name)).collect(),
        ..Update::default()
    };
    rig.update(need(&["g", "f", "g"]));
    rig.say_all();
    rig.update(need(&["no such function"]));
    rig.events(vec![finished(1, 1)]);
    rig.update(need(&["g"]));
    rig.wait(100);
    rig.say_all();
    // Sent once in an epoch, though no call named it for a while.
    rig.map("g", 1);
    rig.say_all();
}

fn cancels(rig: &mut Rig) {
    let interrupt = |millis: Option<u64>| CancelMode::Interrupt { kill_after: millis.map(Duration::from_millis) };
    rig.greet();
    rig.welcome(1, 0, false, SubmitCredit { total_tasks: 4, total_bytes: 1000 });
    rig.map("f", 4);
    rig.map("f", 2);
    rig.cancel(&[3, 1, 1, 5, 77], CancelMode::Abort);
    rig.cancel(&[2], interrupt(None));
    rig.say_all();
    rig.cancel(&[1], interrupt(Some(1500)));
    rig.say_all();
    rig.update(Update { credit: Some(PLENTY), ..accepted(4) });
    rig.say_all();
    rig.events(vec![finished(1, 1)]);
    rig.cancel(&[1], CancelMode::Abort);
    rig.say_all();
    rig.give(Stimulus::Broken);
    rig.greet();
    rig.welcome(1, 6, false, PLENTY);
    rig.say_all();
}

fn cancels_and_replay(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 2);
    rig.map("f", 2);
    rig.say_all();
    rig.cancel(&[1], CancelMode::Abort);
    rig.give(Stimulus::Broken);
    rig.cancel(&[2], CancelMode::Abort);
    rig.greet();
    rig.welcome(2, 0, true, PLENTY);
    rig.say_all();
}

fn blobs(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 2);
    rig.say_all();
    rig.events(vec![finished_with(1, 0, Some(70))]);
    rig.release(&[70, 71]);
    rig.map("f", 1);
    rig.say_all();
    // The same task again, as after a restart: nobody reads that.
    rig.events(vec![finished_with(2, 0, Some(72))]);
    rig.say_all();
}

fn engines(rig: &mut Rig) {
    rig.connect();
    rig.events(vec![joined(3), joined(3), left(1), left(9)]);
    rig.give(Stimulus::Broken);
    rig.greet();
    rig.welcome(1, 0, false, PLENTY);
}

fn output(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 1);
    rig.say_all();
    rig.events(vec![wrote(1, 0, 0, "abc", 0), wrote(2, 0, 0, "abc", 0)]);
    rig.events(vec![wrote(3, 0, 1, "bcde", 0), wrote(4, 0, 9, "j", 4)]);
    rig.events(vec![wrote(5, 0, 30, "", 20), wrote(6, 0, 30, "", 20), finished(7, 0)]);
    rig.events(vec![wrote(8, 0, 10, "late", 0)]);
    rig.say_all();
}

fn events_again(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 3);
    rig.say_all();
    rig.events(vec![finished(1, 0), claimed(2, 1)]);
    rig.events(vec![finished(1, 0), claimed(2, 1), finished(3, 1)]);
    rig.events(vec![claimed(3, 1), finished(2, 2)]);
    rig.events(vec![claimed(4, 1), finished(5, 1), finished(6, 2)]);
    rig.say_all();
}

fn gap(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 3);
    rig.say_all();
    rig.events(vec![finished(1, 0), finished(3, 2)]);
    rig.greet();
    rig.welcome(1, 3, false, PLENTY);
    rig.events(vec![finished(2, 1), finished(3, 2)]);
    rig.say_all();
}

fn never_sent(rig: &mut Rig) {
    rig.greet();
    rig.welcome(1, 0, false, SubmitCredit { total_tasks: 1, total_bytes: 100 });
    rig.map("f", 1);
    rig.map("f", 1);
    rig.say_all();
    rig.events(vec![claimed(1, 1), finished(2, 1), finished(3, 500), finished(4, 0)]);
    rig.update(Update { credit: Some(PLENTY), ..Update::default() });
    rig.say_all();
}

fn second_welcome(rig: &mut Rig) {
    rig.connect();
    rig.welcome(1, 0, false, PLENTY);
    rig.connect();
    rig.map("f", 1);
}

fn update_before_welcome(rig: &mut Rig) {
    rig.greet();
    rig.events(vec![joined(3)]);
    rig.connect();
}

/// A dial that fails, a dial and a hello that are not answered.
fn unanswered(rig: &mut Rig) {
    rig.flush();
    rig.give(Stimulus::Broken);
    rig.wait(50);
    rig.wait(10_000);
    rig.greet();
    rig.wait(10_000);
    rig.connect();
}

fn close(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 2);
    rig.say_all();
    rig.events(vec![finished(1, 0)]);
    rig.release(&[70]);
    rig.give(Stimulus::Close);
    rig.say_all();
    rig.closed(CloseReason::Closed);
}

fn close_under_way(rig: &mut Rig) {
    rig.greet();
    rig.give(Stimulus::Close);
    rig.welcome(1, 0, false, PLENTY);
    rig.give(Stimulus::Broken);
}

fn close_in_replay(rig: &mut Rig) {
    rig.connect();
    rig.map("f", 2);
    rig.say_all();
    rig.give(Stimulus::Broken);
    rig.greet();
    rig.give(Stimulus::Close);
    rig.welcome(2, 0, true, PLENTY);
    rig.say_all();
    rig.closed(CloseReason::Closed);
}

fn closed(rig: &mut Rig, reason: CloseReason) {
    rig.connect();
    rig.map("f", 1);
    rig.say_all();
    rig.closed(reason);
    if matches!(reason, CloseReason::OutOfOrder | CloseReason::Shutdown) {
        rig.greet();
        rig.welcome(1, 0, false, PLENTY);
    }
}

fn more_accepted_than_sent(rig: &mut Rig) {
    rig.greet();
    rig.welcome(1, 1, false, PLENTY);
}
