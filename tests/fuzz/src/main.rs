//! Runs worlds: `fuzz FIRST COUNT`, or one: `fuzz SEED`; without numbers, from 0 on until one fails.

use std::process::ExitCode;

use paraply_fuzz::{INPUTS, run};

/// Worlds between two lines that say how far it is.
const REPORTED: u64 = 5000;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).filter_map(|number| number.parse::<u64>().ok());
    let (first, count) = (numbers.next(), numbers.next());
    let last = match (first, count) {
        (Some(first), Some(count)) => first.saturating_add(count),
        (Some(first), None) => first.saturating_add(1),
        (None, _) => u64::MAX,
    };
    for seed in first.unwrap_or(0)..last {
        if let Err(failure) = run(seed) {
            eprintln!("{failure}");
            return ExitCode::FAILURE;
        }
        if (seed + 1) % REPORTED == 0 {
            println!("{} worlds, {} inputs", seed + 1, (seed + 1) * INPUTS);
        }
    }
    ExitCode::SUCCESS
}
