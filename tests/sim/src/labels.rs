//! Labels that engines carry and calls ask for. The first three engines of a cluster carry between them each set that is
//! asked for, but some sets only one of them. One of the three runs only what asks for its runtime.

use bytes::Bytes;
use paraply_core::call::Placement;

use crate::random::Random;

const ZONE_A: (&str, &str) = ("zone", "a");
const ZONE_B: (&str, &str) = ("zone", "b");
const SSD: (&str, &str) = ("disk", "ssd");
const NATIVE: (&str, &str) = ("runtime", "native");

fn labels(pairs: &[(&'static str, &'static str)]) -> Vec<(Bytes, Bytes)> {
    pairs
        .iter()
        .map(|(key, value)| (Bytes::from_static(key.as_bytes()), Bytes::from_static(value.as_bytes())))
        .collect()
}

/// What an engine in this slot carries, sorted by key.
#[must_use]
pub fn of_slot(slot: usize) -> Vec<(Bytes, Bytes)> {
    match slot % 3 {
        0 => labels(&[ZONE_A]),
        1 => labels(&[ZONE_B]),
        _ => labels(&[SSD, NATIVE, ZONE_A]),
    }
}

/// What a call asks for.
pub fn asked(random: &mut Random) -> Vec<(Bytes, Bytes)> {
    let sets: [&[(&str, &str)]; 4] = [&[ZONE_A], &[ZONE_B], &[NATIVE], &[SSD, NATIVE, ZONE_A]];
    labels(random.pick(&sets).unwrap_or_default())
}

/// An engine that carries these may run it.
#[must_use]
pub fn admits(carried: &[(Bytes, Bytes)], placement: &Placement) -> bool {
    let Placement::Balanced { labels, .. } = placement else { return true };
    let asks = labels.iter().any(|(key, _)| key == NATIVE.0);
    let reserved = carried.iter().any(|(key, value)| key == NATIVE.0 && value == NATIVE.1);
    labels.iter().all(|label| carried.contains(label)) && (asks || !reserved)
}
