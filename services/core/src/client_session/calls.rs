//! The calls whose results are not all held, with all that is needed to send them again.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::invariants::ensure;
use crate::{
    call::{Call, CallHead, Placement, Work},
    id::Digest,
    payload::Payload,
    session_link::KnownClaim,
};

/// Calls by their first index.
#[derive(Debug, Default)]
pub(super) struct Calls {
    kept: BTreeMap<u64, Kept>,
    pub(super) next_index: u64,
    pub(super) open_tasks: u64,
}

/// One call.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) call: Call,
    /// Inline bytes of its arguments when it was submitted.
    pub(super) bytes: u64,
    /// By task: whether its result is held.
    done: Vec<bool>,
    open: u64,
    /// Where its open tasks were claimed last, by index.
    claims: BTreeMap<u64, KnownClaim>,
}

/// What a result was to the task it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Result {
    First {
        /// It was the last of a call that names this function.
        over: Option<Digest>,
    },
    Repeated,
}

impl Calls {
    /// Keeps a call under the next indexes.
    pub(super) fn push(&mut self, head: Arc<CallHead>, arguments: Vec<Payload>) {
        let call = Call { first_index: self.next_index, head, arguments };
        let bytes = call.inline_size();
        let open = call.tasks();
        let done = (0..open).map(|_| false).collect();
        self.next_index += open;
        self.open_tasks += open;
        self.kept.insert(call.first_index, Kept { call, bytes, done, open, claims: BTreeMap::new() });
    }

    /// Calls from the one that holds `index` on, or from the first after it.
    pub(super) fn from(&self, index: u64) -> impl Iterator<Item = &Kept> {
        let first = self.holding(index).map_or(index, |kept| kept.call.first_index);
        self.kept.range(first..).map(|(_, kept)| kept)
    }

    /// Whether the task's result is awaited.
    pub(super) fn is_open(&self, index: u64) -> bool {
        self.holding(index).is_some_and(|kept| !kept.done[kept.nth(index)])
    }

    /// Remembers where an open task was claimed.
    pub(super) fn claimed(&mut self, claim: KnownClaim) {
        if let Some(kept) = self.holding_mut(claim.index) {
            kept.claims.insert(claim.index, claim);
        }
    }

    /// A task's result came.
    pub(super) fn finished(&mut self, index: u64) -> Result {
        let Some(kept) = self.holding_mut(index) else { return Result::Repeated };
        let nth = kept.nth(index);
        if std::mem::replace(&mut kept.done[nth], true) {
            return Result::Repeated;
        }
        kept.open -= 1;
        kept.claims.remove(&index);
        if kept.call.arguments.len() > 1 {
            kept.call.arguments[nth] = Payload::default();
        }
        let (first, over) = (kept.call.first_index, kept.open == 0);
        self.open_tasks -= 1;
        let call = if over { self.kept.remove(&first) } else { None };
        Result::First { over: call.and_then(|kept| kept.function()) }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// How many calls name which function.
    pub(super) fn functions(&self) -> BTreeMap<Digest, u64> {
        let mut calls = BTreeMap::new();
        for digest in self.kept.values().filter_map(Kept::function) {
            *calls.entry(digest).or_default() += 1;
        }
        calls
    }

    /// Checks what is counted.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        let mut open_tasks = 0;
        for (first, kept) in &self.kept {
            let open = kept.done.iter().filter(|done| !**done).count() as u64;
            ensure(open == kept.open && open > 0, || format!("call {first} has {open} tasks open, not {}", kept.open))?;
            open_tasks += open;
            let known = kept.claims.keys().all(|index| self.is_open(*index));
            ensure(known, || format!("call {first} keeps claims {:?}", kept.claims))?;
            ensure(kept.range().end <= self.next_index, || format!("call {first} goes beyond {}", self.next_index))?;
        }
        ensure(open_tasks == self.open_tasks, || format!("{open_tasks} tasks are open, not {}", self.open_tasks))
    }

    fn holding(&self, index: u64) -> Option<&Kept> {
        let (_, kept) = self.kept.range(..=index).next_back()?;
        kept.range().contains(&index).then_some(kept)
    }

    fn holding_mut(&mut self, index: u64) -> Option<&mut Kept> {
        let (_, kept) = self.kept.range_mut(..=index).next_back()?;
        kept.range().contains(&index).then_some(kept)
    }
}

impl Kept {
    pub(super) fn range(&self) -> Range<u64> {
        self.call.first_index..self.call.first_index + self.done.len() as u64
    }

    pub(super) fn function(&self) -> Option<Digest> {
        match self.call.head.work {
            Work::Function(digest) => Some(digest),
            Work::Execute { .. } => None,
        }
    }

    pub(super) fn done_indexes(&self) -> impl Iterator<Item = u64> + '_ {
        self.range().zip(&self.done).filter(|(_, done)| **done).map(|(index, _)| index)
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = KnownClaim> + '_ {
        self.claims.values().copied()
    }

    /// What the call takes of a message, about.
    pub(super) fn wire_size(&self) -> u64 {
        let head = &self.call.head;
        let engines = match &head.placement {
            Placement::Direct { engines } | Placement::Balanced { engines, .. } => engines.len(),
        };
        let labels = match &head.placement {
            Placement::Balanced { labels, .. } => labels.iter().map(|(key, value)| 8 + key.len() + value.len()).sum(),
            Placement::Direct { .. } => 0,
        };
        let code =
            if let Work::Execute { source, filename, .. } = &head.work { source.len() + filename.len() } else { 0 };
        let head = 128 + 5 * engines + labels + code + head.label.len() + head.name.len() + head.traceparent.len();
        self.bytes + (head + 16 * self.call.arguments.len()) as u64
    }

    /// What a replay says of its tasks besides, about.
    pub(super) fn known_size(&self) -> u64 {
        (self.done.len() as u64 - self.open) * 10 + self.claims.len() as u64 * 48
    }

    fn nth(&self, index: u64) -> usize {
        usize::try_from(index - self.call.first_index).unwrap_or(usize::MAX)
    }
}
