//! Many clusters, each from its seed, until every transition that the machines declare was taken often enough.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use paraply_sim::{Failure, Tally, run};

/// Runs of this suite. `PARAPLY_SIM_SEEDS=FIRST..END` in the environment asks for others.
const SEEDS: std::ops::Range<u64> = 0..4_000;
/// How often each transition is taken at the least.
const LEAST: u64 = 100;

fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("PARAPLY_SIM_SEEDS") else { return SEEDS };
    let range = text.split_once("..").and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?));
    range.unwrap_or_else(|| panic!("PARAPLY_SIM_SEEDS is {text:?}, which is not like 0..1000"))
}

#[test]
fn every_run_is_well_and_every_transition_is_taken() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let over = AtomicBool::new(false);
    let (tally, failures) = (Mutex::new(Tally::default()), Mutex::new(Vec::<Failure>::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut mine = Tally::default();
                while !over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match run(seed) {
                        Ok(more) => mine.add(&more),
                        Err(failure) => {
                            over.store(true, Ordering::Relaxed);
                            failures.lock().unwrap().push(failure);
                        }
                    }
                }
                tally.lock().unwrap().add(&mine);
            });
        }
    });
    if let Some(failure) = failures.into_inner().unwrap().first() {
        panic!("{}\nseed {}: {:?} {}", failure.story, failure.seed, failure.violation.task, failure.violation.what);
    }
    let counts = tally.into_inner().unwrap().counts();
    for ((machine, transition), count) in &counts {
        println!("{machine:>16} {transition:<28} {count:>9}");
    }
    let rare: Vec<_> = counts.iter().filter(|(_, count)| **count < LEAST).collect();
    let whole = seeds == SEEDS;
    assert!(!whole || rare.is_empty(), "taken fewer than {LEAST} times: {rare:?}");
}
