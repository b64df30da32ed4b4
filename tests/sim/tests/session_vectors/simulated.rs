//! Traces from simulated clusters, whose streams break and whose processes die.

use paraply_sim::record::{Recording, What};

use crate::trace::{Trace, encode};

/// Seeds in which much happens to the first client, with what the trace is called.
const SEEDS: [(&str, u64); 3] = [("simulated_a", 3), ("simulated_b", 80), ("simulated_c", 98)];
/// A trace is cut after so many steps.
const STEPS: usize = 650;

pub fn all() -> impl Iterator<Item = (String, Trace)> {
    SEEDS.into_iter().map(|(name, seed)| {
        let recording = paraply_sim::record(seed, |setting| {
            // How calls and messages are cut is each client's own.
            (setting.client.call_tasks, setting.client.call_bytes) = (usize::MAX, u64::MAX);
            (setting.client.message_bytes, setting.client.functions_remembered) = (1 << 20, 4096);
        });
        (name.to_owned(), trace(&recording.unwrap()))
    })
}

fn trace(recording: &Recording) -> Trace {
    let mut trace = Trace::new(&recording.config);
    let until = recording.steps.iter().take(STEPS).rposition(|step| matches!(step.what, What::Flushed(_))).unwrap();
    trace.steps.extend(recording.steps[..=until].iter().map(encode));
    trace
}
