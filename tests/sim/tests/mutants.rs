//! A machine that forgets one of its rules is found out.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use paraply_core::mutant::{self, Mutant};
use paraply_sim::run;

/// Seeds within which each has to be found.
const SEEDS: u64 = 10_000;

/// The first seed that shows the mutant and is well without it, and what it shows.
fn found(mutant: Mutant) -> Option<(u64, String)> {
    (0..SEEDS).find_map(|seed| shown(mutant, seed).map(|what| (seed, what)).filter(|_| run(seed).is_ok()))
}

fn shown(mutant: Mutant, seed: u64) -> Option<String> {
    mutant::forget(Some(mutant));
    let what = catch_unwind(AssertUnwindSafe(|| run(seed).err().map(|failure| failure.violation.what)));
    mutant::forget(None);
    what.unwrap_or_else(|_| Some("a machine panicked".to_owned()))
}

#[test]
fn each_is_found() {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(mutant) = Mutant::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if Mutant::HOSTILE.contains(mutant) {
                        continue;
                    }
                    let found = found(*mutant);
                    results.lock().unwrap().insert(format!("{mutant:?}"), found);
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    for (mutant, found) in &results {
        match found {
            Some((seed, what)) => {
                println!("{mutant:<26} seed {seed:>5}: {}", what.chars().take(90).collect::<String>())
            }
            None => println!("{mutant:<26} not found in {SEEDS} seeds"),
        }
    }
    let missed: Vec<_> = results.iter().filter(|(_, found)| found.is_none()).map(|(mutant, _)| mutant).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
    assert!(results.len() >= 12);
}
