//! Functions by digest: sent once by a client, kept while tasks name them and a while longer, and measured.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{hash::HashMap, id::Digest, payload::Function};

/// The functions that clients sent or named.
#[derive(Debug, Default)]
pub(super) struct Functions {
    entries: HashMap<Digest, Entry>,
    /// Entries that no task names, by when the last task let go; the oldest are dropped first.
    unused: BTreeMap<u64, Digest>,
    ticks: u64,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Entry {
    function: Option<Arc<Function>>,
    tasks: u64,
    unused_since: Option<u64>,
    /// Moving average of run times, in nanoseconds.
    measured: Option<u64>,
}

impl Functions {
    /// Takes a function in. True if it was not here.
    pub(super) fn insert(&mut self, function: Arc<Function>) -> bool {
        let digest = function.digest;
        let size = function.payload.inline_size();
        let entry = self.entries.entry(digest).or_default();
        if entry.function.is_some() {
            return false;
        }
        entry.function = Some(function);
        self.bytes += size;
        self.settle(digest);
        true
    }

    pub(super) fn get(&self, digest: Digest) -> Option<&Arc<Function>> {
        self.entries.get(&digest)?.function.as_ref()
    }

    /// Tasks that name the function came.
    pub(super) fn hold(&mut self, digest: Digest, tasks: u64) {
        let entry = self.entries.entry(digest).or_default();
        entry.tasks += tasks;
        if let Some(since) = entry.unused_since.take() {
            self.unused.remove(&since);
        }
    }

    /// A task that named the function is gone.
    pub(super) fn release(&mut self, digest: Digest) {
        if let Some(entry) = self.entries.get_mut(&digest) {
            entry.tasks = entry.tasks.saturating_sub(1);
            self.settle(digest);
        }
    }

    fn settle(&mut self, digest: Digest) {
        let Some(entry) = self.entries.get_mut(&digest) else { return };
        if entry.tasks > 0 || entry.unused_since.is_some() {
            return;
        }
        if entry.function.is_none() {
            self.entries.remove(&digest);
            return;
        }
        self.ticks += 1;
        entry.unused_since = Some(self.ticks);
        self.unused.insert(self.ticks, digest);
    }

    /// Drops functions that nothing names, oldest first, until at most `most` bytes are kept.
    pub(super) fn shrink(&mut self, most: u64) -> Vec<Digest> {
        let mut dropped = Vec::new();
        while self.bytes > most {
            let Some((_, digest)) = self.unused.pop_first() else { break };
            if let Some(Entry { function: Some(function), .. }) = self.entries.remove(&digest) {
                self.bytes -= function.payload.inline_size();
            }
            dropped.push(digest);
        }
        dropped
    }

    /// A run of the function took this long.
    pub(super) fn measure(&mut self, digest: Digest, took: Duration) {
        if let Some(entry) = self.entries.get_mut(&digest) {
            let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            entry.measured = Some(match entry.measured {
                // Quick to believe that tasks are longer, slow to believe that they are shorter.
                Some(average) if took > average => average / 2 + took / 2,
                Some(average) => average - average / 8 + took / 8,
                None => took,
            });
        }
    }

    pub(super) fn expected(&self, digest: Digest) -> Option<Duration> {
        self.entries.get(&digest)?.measured.map(Duration::from_nanos)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many tasks name each function: for the invariants.
    pub(super) fn holds(&self) -> impl Iterator<Item = (Digest, u64)> + '_ {
        self.entries.iter().filter(|(_, entry)| entry.tasks > 0).map(|(digest, entry)| (*digest, entry.tasks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    fn function(byte: u8, size: usize) -> Arc<Function> {
        let payload = Payload { data: vec![byte; size].into(), ..Payload::default() };
        Arc::new(Function { digest: Digest([byte; 32]), payload, name: bytes::Bytes::new() })
    }

    #[test]
    fn only_what_no_task_names_is_dropped_oldest_first() {
        let mut functions = Functions::default();
        for byte in 1..=3 {
            assert!(functions.insert(function(byte, 100)));
            assert!(!functions.insert(function(byte, 100)));
        }
        functions.hold(Digest([1; 32]), 2);
        functions.release(Digest([1; 32]));
        assert_eq!(functions.shrink(150), [Digest([2; 32]), Digest([3; 32])]);
        assert_eq!(functions.shrink(0), []);
        functions.release(Digest([1; 32]));
        assert_eq!(functions.shrink(0), [Digest([1; 32])]);
        assert_eq!(functions.bytes(), 0);
    }

    #[test]
    fn run_times_rise_fast_and_fall_slowly() {
        let mut functions = Functions::default();
        functions.insert(function(1, 1));
        let digest = Digest([1; 32]);
        assert_eq!(functions.expected(digest), None);
        functions.measure(digest, Duration::from_nanos(800));
        functions.measure(digest, Duration::from_nanos(1600));
        assert_eq!(functions.expected(digest), Some(Duration::from_nanos(1200)));
        functions.measure(digest, Duration::from_nanos(400));
        assert_eq!(functions.expected(digest), Some(Duration::from_nanos(1100)));
    }
}
