//! Bytes that a broken peer might send.

use paraply_sim::Random;

/// Changes some bytes, takes some out, repeats some, or cuts the end off.
pub(crate) fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.between(1, 4) {
        let (at, other) = (random.index(bytes.len()), random.index(bytes.len()));
        let (from, to) = (at.min(other), at.max(other));
        match random.below(5) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = random.any() as u8,
            2 => drop(bytes.drain(from..to.min(from + 16))),
            3 => {
                let again = bytes[from..to.min(from + 64)].to_vec();
                bytes.splice(from..from, again);
            }
            _ => bytes.truncate(at),
        }
    }
}
