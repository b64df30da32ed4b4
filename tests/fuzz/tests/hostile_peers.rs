//! 200,000 inputs of hostile peers.

use paraply_fuzz::{INPUTS, run};

const WORLDS: u64 = 200_000 / INPUTS;

#[test]
fn no_input_breaks_the_scheduler_or_keeps_it_from_serving_others() {
    let (mut understood, mut refused, mut assigned) = (0, 0, 0);
    for seed in 0..WORLDS {
        let tally = run(seed).unwrap_or_else(|failure| panic!("{failure}"));
        understood += tally.understood;
        refused += tally.refused;
        assigned += tally.assigned;
    }
    println!("{understood} messages understood, {refused} refused, {assigned} calls reached engines");
    assert!(
        understood > 20_000 && refused > 2_000 && assigned > 2_000,
        "the peers are not hostile enough, or too much"
    );
}
