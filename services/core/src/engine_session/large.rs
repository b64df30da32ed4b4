//! Large bytes: arguments that are fetched before their task is claimed, and results that stay here until they are read.

use std::collections::{BTreeMap, BTreeSet};

use super::{EngineSession, Instruction, Transition, link::Link, task::LargeArguments};
use crate::{
    id::{AttemptId, BlobId},
    mutant::{Mutant, forgets},
    outcome::Outcome,
    payload::{BlobWant, Payload},
};

/// Parts of results that the engine keeps for their clients, and of which.
#[derive(Debug, Default)]
pub(super) struct Kept {
    blobs: BTreeMap<BlobId, AttemptId>,
    /// Those of tasks that were finished between a hello and its welcome: the scheduler has not heard of them.
    late: BTreeSet<BlobId>,
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.blobs.len()
    }

    fn list(&self) -> Vec<(AttemptId, BlobId)> {
        self.blobs.iter().map(|(blob, attempt)| (*attempt, *blob)).collect()
    }
}

impl EngineSession {
    /// Has what `arguments` name fetched, if they name anything.
    pub(super) fn fetch(&mut self, attempt: AttemptId, arguments: &Payload) -> LargeArguments {
        if arguments.blobs().next().is_none() {
            return LargeArguments::None;
        }
        self.urgent.push(Instruction::Fetch { attempt, arguments: arguments.clone() });
        LargeArguments::Coming { awaited: false }
    }

    pub(super) fn fetched(&mut self, attempt: AttemptId, arguments: Payload) {
        let Some(task) = self.tasks.get_mut(&attempt) else { return };
        if matches!(task.large, LargeArguments::Coming { .. }) {
            self.transitions.took(Transition::Fetched);
            task.large = LargeArguments::Here;
            task.arguments = arguments;
            self.outbox.fetched.push(attempt);
        }
    }

    /// To a scheduler that misses this engine its tasks are over, and nobody has their arguments any more. That says nothing
    /// of what they are to the next.
    pub(super) fn not_fetched(&mut self, attempt: AttemptId, outcome: Outcome) {
        let attached = self.is_attached();
        let Some(task) = self.tasks.get_mut(&attempt) else { return };
        let LargeArguments::Coming { .. } = task.large else { return };
        self.transitions.took(Transition::NotFetched);
        if !attached {
            task.large = LargeArguments::Refused;
            return;
        }
        task.large = LargeArguments::None;
        self.finish_queued(attempt, outcome);
    }

    /// After a welcome: what it did not drop is wanted.
    pub(super) fn fetch_refused(&mut self) {
        for (attempt, task) in &mut self.tasks {
            if task.large == LargeArguments::Refused {
                task.large = LargeArguments::Coming { awaited: false };
                let arguments = task.arguments.clone();
                self.urgent.push(Instruction::Fetch { attempt: *attempt, arguments });
            }
        }
    }

    /// Nobody needs what was fetched, or is being fetched, if anything was.
    pub(super) fn give_up_fetch(&mut self, attempt: AttemptId, large: LargeArguments) {
        if large != LargeArguments::None {
            self.transitions.took(Transition::GaveUpFetch);
            self.urgent.push(Instruction::GiveUpFetch { attempt });
        }
    }

    /// What an outcome names and this engine keeps.
    pub(super) fn keep_blobs(&mut self, attempt: AttemptId, outcome: &Outcome) {
        for blob in outcome.blobs().filter(|blob| blob.kept) {
            self.transitions.took(Transition::KeptBlob);
            self.kept.blobs.insert(blob.id, attempt);
            if matches!(self.link, Link::Greeting { said_hello: true, .. }) {
                self.kept.late.insert(blob.id);
            }
            if self.draining {
                self.urgent.push(Instruction::StoreBlob { blob: blob.id });
            }
        }
    }

    /// A welcome drops a finished task. What the hello has named the scheduler decides on; of the rest it never hears.
    pub(super) fn drop_late_blobs_of(&mut self, outcome: &Outcome) {
        for blob in outcome.blobs() {
            if self.kept.late.contains(&blob.id) && self.kept.blobs.remove(&blob.id).is_some() {
                self.urgent.push(Instruction::DropBlob { blob: blob.id });
            }
        }
    }

    /// The hello that is due names all that is kept.
    pub(super) fn name_kept_blobs(&mut self) -> Vec<(AttemptId, BlobId)> {
        self.kept.late.clear();
        self.kept.list()
    }

    /// An outcome goes nowhere, nor do its blobs.
    pub(super) fn drop_blobs_of(&mut self, outcome: &Outcome) {
        for blob in outcome.blobs().filter(|blob| blob.kept) {
            self.urgent.push(Instruction::DropBlob { blob: blob.id });
        }
    }

    /// The engine is about to leave: what it keeps goes into the store.
    pub(super) fn store_all_blobs(&mut self) {
        self.urgent.extend(self.kept.blobs.keys().map(|blob| Instruction::StoreBlob { blob: *blob }));
    }

    pub(super) fn ordered_blobs(&mut self, wanted: Vec<BlobWant>, store: Vec<BlobId>, release: Vec<BlobId>) {
        for want in wanted {
            if self.kept.blobs.contains_key(&want.blob) {
                self.transitions.took(Transition::PassedBlobOn);
                self.urgent.push(Instruction::PassOn(want));
            }
        }
        for blob in store {
            if self.kept.blobs.contains_key(&blob) {
                self.transitions.took(Transition::AskedToStoreBlob);
                self.urgent.push(Instruction::StoreBlob { blob });
            }
        }
        for blob in release.into_iter().filter(|_| !forgets(Mutant::KeptBlobLeaked)) {
            if self.kept.blobs.remove(&blob).is_some() {
                self.transitions.took(Transition::ReleasedBlob);
                self.urgent.push(Instruction::DropBlob { blob });
            }
        }
    }

    pub(super) fn stored(&mut self, blob: BlobId) {
        if self.kept.blobs.remove(&blob).is_some() {
            self.transitions.took(Transition::StoredBlob);
            self.urgent.push(Instruction::DropBlob { blob });
        }
    }

    /// It stays here; with an engine that leaves, it goes.
    pub(super) fn not_stored(&mut self, blob: BlobId) {
        if self.draining && self.kept.blobs.remove(&blob).is_some() {
            self.urgent.push(Instruction::DropBlob { blob });
        }
    }
}
