//! Where the machine's records go: the seam behind which a journal belongs.

use paraply_core::scheduler::Record;

/// An append-only log of batches.
pub trait Store: Send + 'static {
    /// Appends a batch; batches come in order of `sequence`, which counts from 1. Must not wait. Answers up to which
    /// batch the log is safe now, this one included or not.
    fn append(&mut self, sequence: u64, records: Vec<Record>) -> u64;
}

/// Keeps nothing: what the machine itself holds is all there is, and a restart is bridged by what clients and engines
/// hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryStore;

impl Store for MemoryStore {
    fn append(&mut self, sequence: u64, _records: Vec<Record>) -> u64 {
        sequence
    }
}
