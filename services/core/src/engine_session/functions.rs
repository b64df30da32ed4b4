//! Functions by digest: those kept for later tasks, and the tasks that wait for one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    hash::HashMap,
    id::{AttemptId, Digest},
    payload::Function,
};

/// Keeps the functions used last, up to a number of bytes.
#[derive(Debug)]
pub(super) struct Functions {
    max_bytes: u64,
    bytes: u64,
    cached: HashMap<Digest, Cached>,
    by_use: BTreeMap<u64, Digest>,
    uses: u64,
    waiting: BTreeMap<Digest, Vec<AttemptId>>,
}

#[derive(Debug)]
struct Cached {
    function: Arc<Function>,
    last_use: u64,
}

impl Functions {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            bytes: 0,
            cached: HashMap::default(),
            by_use: BTreeMap::new(),
            uses: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// The function, if it is here.
    pub(super) fn get(&mut self, digest: Digest) -> Option<Arc<Function>> {
        let cached = self.cached.get_mut(&digest)?;
        self.by_use.remove(&cached.last_use);
        self.uses += 1;
        cached.last_use = self.uses;
        self.by_use.insert(self.uses, digest);
        Some(Arc::clone(&cached.function))
    }

    /// Keeps a function and gives the tasks that waited for it.
    pub(super) fn insert(&mut self, function: Arc<Function>) -> Vec<AttemptId> {
        let digest = function.digest;
        self.forget(digest);
        self.bytes += function.payload.inline_size();
        self.uses += 1;
        self.by_use.insert(self.uses, digest);
        self.cached.insert(digest, Cached { function, last_use: self.uses });
        self.waiting.remove(&digest).unwrap_or_default()
    }

    /// Drops those used longest ago until the rest fits; says how many.
    pub(super) fn evict(&mut self) -> usize {
        let mut evicted = 0;
        while self.bytes > self.max_bytes
            && let Some((_, digest)) = self.by_use.pop_first()
        {
            if let Some(cached) = self.cached.remove(&digest) {
                self.bytes -= cached.function.payload.inline_size();
            }
            evicted += 1;
        }
        evicted
    }

    /// Drops a function; says whether it was here.
    pub(super) fn forget(&mut self, digest: Digest) -> bool {
        let Some(cached) = self.cached.remove(&digest) else { return false };
        self.by_use.remove(&cached.last_use);
        self.bytes -= cached.function.payload.inline_size();
        true
    }

    /// A task waits for a function; says whether it is the first to.
    pub(super) fn wait(&mut self, digest: Digest, attempt: AttemptId) -> bool {
        let waiting = self.waiting.entry(digest).or_default();
        waiting.push(attempt);
        waiting.len() == 1
    }

    /// A task waits no longer.
    pub(super) fn stop_waiting(&mut self, digest: Digest, attempt: AttemptId) {
        if let Some(waiting) = self.waiting.get_mut(&digest) {
            waiting.retain(|other| *other != attempt);
            if waiting.is_empty() {
                self.waiting.remove(&digest);
            }
        }
    }

    /// What tasks wait for.
    pub(super) fn missing(&self) -> impl Iterator<Item = Digest> + '_ {
        self.waiting.keys().copied()
    }

    /// Checks that exactly these wait, that the bytes are counted and no more than there is room for.
    pub(super) fn check(&self, waiting: &BTreeMap<Digest, BTreeSet<AttemptId>>) -> Result<(), String> {
        let kept = self.waiting.iter().map(|(digest, attempts)| (*digest, attempts.iter().copied().collect()));
        let kept: BTreeMap<Digest, BTreeSet<AttemptId>> = kept.collect();
        if kept != *waiting {
            return Err(format!("{waiting:?} wait for functions, {kept:?} are known to"));
        }
        let bytes: u64 = self.cached.values().map(|cached| cached.function.payload.inline_size()).sum();
        if bytes != self.bytes || bytes > self.max_bytes || self.by_use.len() != self.cached.len() {
            return Err(format!("{bytes} bytes of functions are kept, {} are counted", self.bytes));
        }
        Ok(())
    }

    /// Bytes kept.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
