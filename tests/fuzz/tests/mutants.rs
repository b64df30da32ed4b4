//! Each way in bites: a machine that forgets one of its rules is found out there.

use std::panic::{AssertUnwindSafe, catch_unwind};

use paraply_core::mutant::{self, Mutant};
use paraply_fuzz::{Entry, run};

/// Worlds within which each has to be found.
const WORLDS: u64 = 2000;

/// What is forgotten, and where it is found.
const FORGOTTEN: [(Entry, Mutant); 14] = [
    (Entry::Scheduler, Mutant::FenceUnchecked),
    (Entry::Scheduler, Mutant::RequeuedTwice),
    (Entry::Engine, Mutant::OverdraftTaken),
    (Entry::Engine, Mutant::CreditLeaked),
    (Entry::Engine, Mutant::OutcomeNotRepeated),
    (Entry::Client, Mutant::EventTakenTwice),
    (Entry::Client, Mutant::SubmitCreditUnchecked),
    (Entry::Client, Mutant::SubmitNotRepeated),
    (Entry::Membership, Mutant::IdGivenTwice),
    (Entry::Membership, Mutant::SignalsUnbounded),
    (Entry::Blob, Mutant::TransferUnchecked),
    (Entry::Blob, Mutant::ReaderForgotten),
    (Entry::Questions, Mutant::ReportedTwice),
    (Entry::Questions, Mutant::IdGivenTwice),
];

/// The first world that shows the mutant and is well without it, and what it shows.
fn found(entry: Entry, mutant: Mutant) -> Option<(u64, String)> {
    (0..WORLDS).find_map(|seed| shown(entry, mutant, seed).map(|what| (seed, what)))
}

fn shown(entry: Entry, mutant: Mutant, seed: u64) -> Option<String> {
    mutant::forget(Some(mutant));
    let what = catch_unwind(AssertUnwindSafe(|| run(entry, seed).err().map(|failure| failure.what)));
    mutant::forget(None);
    let what = what.unwrap_or_else(|_| Some("a machine panicked".to_owned()));
    what.filter(|_| run(entry, seed).is_ok())
}

#[test]
fn each_is_found() {
    let mut missed = Vec::new();
    for (entry, mutant) in FORGOTTEN {
        match found(entry, mutant) {
            Some((seed, what)) => {
                println!("{entry} {mutant:?}, seed {seed}: {}", what.chars().take(90).collect::<String>());
            }
            None => missed.push((entry, mutant)),
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
    let unlisted: Vec<_> =
        Mutant::HOSTILE.iter().filter(|mutant| !FORGOTTEN.iter().any(|(_, listed)| listed == *mutant)).collect();
    assert!(unlisted.is_empty(), "nobody looks for {unlisted:?}");
}
