//! Runs seeds: `seeds FIRST COUNT`, or one with its story: `seeds FIRST`, or with all that happened: `seeds FIRST all`.

use std::collections::BTreeMap;

use paraply_sim::{Tally, run};

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|number| number.parse::<u64>().ok());
    let all = std::env::args().any(|argument| argument == "all");
    let first = numbers.next().unwrap_or(0);
    let count = numbers.next();
    let mut tally = Tally::default();
    let mut failures: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for seed in first..first + count.unwrap_or(1) {
        match run(seed) {
            Ok(more) => tally.add(&more),
            Err(failure) => {
                if count.is_none() {
                    println!("{}", if all { &failure.history } else { &failure.story });
                    println!("seed {seed}: {:?} {}", failure.violation.task, failure.violation.what);
                }
                let text: String = failure.violation.what.chars().filter(|c| !c.is_ascii_digit()).take(90).collect();
                failures.entry(text).or_insert((seed, 0)).1 += 1;
            }
        }
    }
    for ((machine, transition), count) in tally.counts() {
        println!("{machine:>16} {transition:<28} {count:>9}");
    }
    for (what, (seed, count)) in failures {
        println!("{count:>6} times, first with seed {seed}: {what}");
    }
}
