//! Functions that kept calls name, and which of all functions the scheduler was sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::invariants::ensure;
use crate::{
    hash::{HashMap, HashSet},
    id::Digest,
    payload::Function,
};

#[derive(Debug, Default)]
pub(super) struct Functions {
    kept: HashMap<Digest, Kept>,
    /// In this epoch.
    sent: HashSet<Digest>,
    /// The scheduler asked for them.
    needed: BTreeSet<Digest>,
}

#[derive(Debug)]
struct Kept {
    function: Arc<Function>,
    calls: u64,
}

impl Functions {
    /// A call that names it was submitted.
    pub(super) fn keep(&mut self, function: Arc<Function>) {
        self.kept.entry(function.digest).or_insert(Kept { function, calls: 0 }).calls += 1;
    }

    /// A call that names it is over.
    pub(super) fn release(&mut self, digest: Digest) {
        if let Some(kept) = self.kept.get_mut(&digest) {
            kept.calls -= 1;
            if kept.calls == 0 {
                self.kept.remove(&digest);
                self.needed.remove(&digest);
            }
        }
    }

    /// Another scheduler, or one that wants a replay: nothing counts as sent.
    pub(super) fn forget_sent(&mut self) {
        self.sent.clear();
        self.needed.clear();
    }

    /// The scheduler lacks it.
    pub(super) fn need(&mut self, digest: Digest) {
        if self.kept.contains_key(&digest) {
            self.needed.insert(digest);
        }
    }

    /// The next one that the scheduler asked for.
    pub(super) fn needed(&self) -> Option<&Arc<Function>> {
        self.kept.get(self.needed.first()?).map(|kept| &kept.function)
    }

    /// The same, which is sent now.
    pub(super) fn take_needed(&mut self) -> Option<Arc<Function>> {
        let digest = self.needed.pop_first()?;
        self.kept.get(&digest).map(|kept| Arc::clone(&kept.function))
    }

    /// The function, if this epoch's scheduler has to be sent it.
    pub(super) fn unsent(&self, digest: Digest) -> Option<&Arc<Function>> {
        let kept = self.kept.get(&digest).filter(|_| !self.sent.contains(&digest));
        kept.map(|kept| &kept.function)
    }

    /// The function was sent. At most `remembered` count as sent: sending one again does no harm.
    pub(super) fn sent(&mut self, digest: Digest, remembered: usize) {
        if self.sent.len() >= remembered {
            self.sent.clear();
        }
        self.sent.insert(digest);
    }

    /// Checks that those are kept that `calls` name, so often, and that no more than `remembered` count as sent.
    pub(super) fn check(&self, calls: BTreeMap<Digest, u64>, remembered: usize) -> Result<(), String> {
        let kept: BTreeMap<Digest, u64> = self.kept.iter().map(|(digest, kept)| (*digest, kept.calls)).collect();
        ensure(kept == calls, || format!("calls name functions {calls:?}, {kept:?} are kept"))?;
        let unknown = self.needed.iter().find(|digest| !kept.contains_key(*digest));
        ensure(unknown.is_none(), || format!("function {unknown:?} is needed, and not kept"))?;
        ensure(self.sent.len() <= remembered.max(1), || format!("{} functions count as sent", self.sent.len()))
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}
