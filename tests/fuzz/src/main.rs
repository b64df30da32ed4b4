//! Runs worlds: `fuzz ENTRY FIRST COUNT`, or one: `fuzz ENTRY SEED`. Without a number from 0 on, and without an entry in
//! all of them, until one fails.

use std::process::ExitCode;

use paraply_fuzz::{Entry, INPUTS, run};

/// Worlds between two lines that say how far it is.
const REPORTED: u64 = 5000;

fn main() -> ExitCode {
    match worlds() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn worlds() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1).peekable();
    let named = arguments.next_if(|argument| argument.parse::<u64>().is_err());
    let entry = named.map(|name| name.parse::<Entry>()).transpose()?;
    let mut numbers = arguments.map(|number| number.parse::<u64>().map_err(|error| format!("{number}: {error}")));
    let (first, count) = (numbers.next().transpose()?, numbers.next().transpose()?);
    let last = match (first, count) {
        (Some(first), Some(count)) => first.saturating_add(count),
        (Some(first), None) => first.saturating_add(1),
        (None, _) => u64::MAX,
    };
    for seed in first.unwrap_or(0)..last {
        run(entry.unwrap_or_else(|| Entry::of(seed)), seed).map_err(|failure| failure.to_string())?;
        if (seed + 1) % REPORTED == 0 {
            println!("{} worlds, {} inputs", seed + 1, (seed + 1) * INPUTS);
        }
    }
    Ok(())
}
