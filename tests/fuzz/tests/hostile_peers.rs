//! 200,000 inputs of hostile peers, shared among the ways in.

use paraply_fuzz::{Entry, INPUTS, Tally, run};

const WORLDS: u64 = 200_000 / INPUTS;

/// Runs the share of a way in. Its peers are hostile, and not too much: enough is understood, refused, and done.
fn share(entry: Entry) {
    let (_, parts) = Entry::SHARES.into_iter().find(|(other, _)| *other == entry).expect("every entry has a share");
    let worlds = WORLDS * parts / 1000;
    let mut tally = Tally::default();
    for seed in 0..worlds {
        tally.add(run(entry, seed).unwrap_or_else(|failure| panic!("{failure}")));
    }
    println!("{entry}: {worlds} worlds, {tally:?}");
    let enough = tally.understood > 30 * worlds && tally.refused > 3 * worlds && tally.done > worlds;
    assert!(enough, "the peers are not hostile enough, or too much: {tally:?} in {worlds} worlds");
}

#[test]
fn no_input_breaks_the_scheduler_or_keeps_it_from_serving_others() {
    share(Entry::Scheduler);
}

#[test]
fn no_scheduler_breaks_an_engine() {
    share(Entry::Engine);
}

#[test]
fn no_scheduler_breaks_a_client() {
    share(Entry::Client);
}

#[test]
fn no_member_breaks_the_controller_or_keeps_others_out() {
    share(Entry::Membership);
}

#[test]
fn nobody_who_writes_or_reads_large_bytes_keeps_others_from_theirs() {
    share(Entry::Blob);
}

#[test]
fn every_question_has_an_answer() {
    share(Entry::Questions);
}
