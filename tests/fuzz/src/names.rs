//! The few names that hostile peers use, so that what they say is about each other's tasks.

use bytes::Bytes;
use paraply_sim::Random;
use sha2::{Digest as _, Sha256};

/// Engines that may be there, from 0 on.
pub(crate) const ENGINES: u64 = 4;
pub(crate) const SESSIONS: u64 = 3;
const INCARNATIONS: u64 = 2;
const BLOBS: u64 = 6;
const FUNCTIONS: u64 = 3;

/// A name of this kind of field, `None` if such fields have no names.
pub(crate) fn bytes(random: &mut Random, field: &str) -> Option<Bytes> {
    let (kind, count) = match field {
        "session_id" => (1, SESSIONS),
        "incarnation" => (2, INCARNATIONS),
        "blob_id" | "blob_ids" | "store_blobs" | "release_blobs" | "taken_blobs" => (3, BLOBS),
        "digest" | "function_digest" | "need_functions" | "forget_functions" => {
            return Some(digest(random.below(FUNCTIONS)));
        }
        _ => return None,
    };
    // The first is the most usual: an engine that comes back is the same one, as a rule.
    let which = if kind == 2 && random.chance(900) { 0 } else { random.below(count) };
    Some(Bytes::copy_from_slice(&name(kind, which)))
}

/// The name of the `which`th session.
pub(crate) fn session(which: u64) -> u128 {
    u128::from_be_bytes(name(1, which))
}

fn name(kind: u8, which: u64) -> [u8; 16] {
    let mut name = [kind; 16];
    name[15] = u8::try_from(which).unwrap_or_default();
    name
}

/// A function's bytes and their digest.
pub(crate) fn function(random: &mut Random) -> (Bytes, Bytes) {
    let which = random.below(FUNCTIONS);
    (source(which), digest(which))
}

fn source(which: u64) -> Bytes {
    Bytes::from(format!("function {which}"))
}

fn digest(which: u64) -> Bytes {
    Bytes::copy_from_slice(&Sha256::digest(source(which)))
}
