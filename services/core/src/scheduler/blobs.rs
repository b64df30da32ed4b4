//! Who has which large byte runs, who still names them, and who waits to read them.

use std::collections::BTreeMap;

use crate::{
    id::{BlobId, EngineId, SessionId, TransferId},
    mutant::{Mutant, forgets},
    payload::{BlobRef, BlobWant},
};

/// Blobs that were named or are in the store.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    blobs: BTreeMap<BlobId, Blob>,
    /// Readers of blobs that the store does not have.
    wants: BTreeMap<TransferId, Want>,
}

#[derive(Debug)]
struct Blob {
    /// Tasks and sessions that name it.
    names: u64,
    holder: Holder,
}

/// Where a blob's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holder {
    /// On their way into the store, as far as is known.
    Coming,
    Store,
    /// Its client keeps them until an engine has taken them.
    Client(SessionId),
    /// A client's argument that its engine has all of.
    Taken,
    /// An engine keeps a part of a result of this session.
    Engine(EngineId, SessionId),
    /// The same; the engine is not attached, and may come back.
    Absent(EngineId, SessionId),
    /// It was with an engine that is gone.
    Lost,
}

/// Somebody reads a blob.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    pub(super) blob: BlobId,
    pub(super) offset: u64,
    /// Of the task whose argument or result it is.
    pub(super) session: SessionId,
    /// Its holder was told, on the stream it has now.
    pub(super) told: bool,
}

impl Blob {
    /// Nobody is known to have it now.
    fn is_nowhere(&self) -> bool {
        matches!(self.holder, Holder::Coming | Holder::Absent(..) | Holder::Lost)
    }
}

impl Want {
    pub(super) fn order(self, transfer: TransferId) -> BlobWant {
        BlobWant { blob: self.blob, transfer, offset: self.offset }
    }
}

impl Blobs {
    pub(super) fn holder(&self, blob: BlobId) -> Option<Holder> {
        self.blobs.get(&blob).map(|blob| blob.holder)
    }

    /// All bytes are in the store.
    pub(super) fn ready(&mut self, blob: BlobId) {
        self.entry(blob).holder = Holder::Store;
    }

    /// The store lost it. True if something names it and nobody else has it.
    pub(super) fn gone(&mut self, blob: BlobId) -> bool {
        match self.blobs.get_mut(&blob) {
            Some(entry) if entry.names > 0 => {
                let stored = matches!(entry.holder, Holder::Store | Holder::Coming);
                if stored {
                    entry.holder = Holder::Coming;
                }
                stored
            }
            _ => {
                self.forget(blob);
                false
            }
        }
    }

    /// Something names it, and its bytes are not where they could be read from.
    pub(super) fn is_awaited(&self, blob: BlobId) -> bool {
        self.holder(blob) == Some(Holder::Coming)
    }

    /// Something names it. `keeper` has it where the name says that it is kept.
    pub(super) fn hold(&mut self, blob: BlobRef, keeper: Holder) {
        let entry = self.entry(blob.id);
        entry.names += 1;
        if blob.kept && entry.is_nowhere() && !(keeper == Holder::Lost && matches!(entry.holder, Holder::Absent(..))) {
            entry.holder = keeper;
        }
    }

    pub(super) fn is_named(&self, blob: BlobId) -> bool {
        self.blobs.get(&blob).is_some_and(|blob| blob.names > 0)
    }

    /// One that is known already is named once more.
    pub(super) fn name(&mut self, blob: BlobId) {
        self.entry(blob).names += 1;
    }

    /// Something that named it is gone. If it was the last: who has the bytes, to be told.
    pub(super) fn release(&mut self, blob: BlobId) -> Option<Holder> {
        let entry = self.blobs.get_mut(&blob)?;
        entry.names = entry.names.saturating_sub(1);
        if entry.names > 0 { None } else { self.discard(blob) }
    }

    /// Forgets it if nothing names it. Who has the bytes, to be told.
    pub(super) fn discard(&mut self, blob: BlobId) -> Option<Holder> {
        let unnamed = self.blobs.get(&blob).is_some_and(|entry| entry.names == 0);
        if unnamed { self.forget(blob).map(|entry| entry.holder) } else { None }
    }

    /// Whoever was asked for it will not come: its readers are answered anew.
    fn forget(&mut self, blob: BlobId) -> Option<Blob> {
        let entry = self.blobs.remove(&blob)?;
        let readers = self.wants.values_mut().filter(|want| want.blob == blob);
        readers.for_each(|want| want.told &= forgets(Mutant::ReaderForgotten));
        Some(entry)
    }

    /// An engine has all of a client's argument. True if the client need not keep it any more.
    pub(super) fn taken(&mut self, blob: BlobId) -> bool {
        let Some(entry) = self.blobs.get_mut(&blob) else { return false };
        let kept = matches!(entry.holder, Holder::Client(_));
        if kept {
            entry.holder = Holder::Taken;
        }
        kept
    }

    /// An engine says that it keeps one.
    pub(super) fn is_with(&mut self, blob: BlobId, engine: EngineId, session: SessionId) {
        let entry = self.entry(blob);
        if entry.is_nowhere() {
            entry.holder = Holder::Engine(engine, session);
        }
    }

    /// An engine is not attached any more. True if it keeps something.
    pub(super) fn miss_engine(&mut self, engine: EngineId) -> bool {
        let mut missed = false;
        for blob in self.blobs.values_mut() {
            if let Holder::Engine(keeper, session) = blob.holder
                && keeper == engine
            {
                blob.holder = Holder::Absent(keeper, session);
                missed = true;
            }
        }
        missed
    }

    /// An engine will not come back, and with it is gone what it keeps.
    pub(super) fn lose_engine(&mut self, engine: EngineId) {
        for blob in self.blobs.values_mut() {
            if matches!(blob.holder, Holder::Absent(keeper, _) if keeper == engine) {
                blob.holder = Holder::Lost;
            }
        }
        self.blobs.retain(|_, blob| blob.names > 0 || blob.holder != Holder::Lost);
    }

    /// Parts of results of a session that engines keep.
    pub(super) fn at_engines(&self, session: SessionId) -> impl Iterator<Item = (BlobId, EngineId)> + '_ {
        self.blobs.iter().filter_map(move |(id, blob)| match blob.holder {
            Holder::Engine(engine, owner) if owner == session => Some((*id, engine)),
            _ => None,
        })
    }

    /// Parts of results that engines keep and nothing names.
    pub(super) fn unnamed_at_engines(&self) -> impl Iterator<Item = (BlobId, SessionId)> + '_ {
        self.blobs.iter().filter_map(|(id, blob)| match blob.holder {
            Holder::Engine(_, session) if blob.names == 0 => Some((*id, session)),
            _ => None,
        })
    }

    pub(super) fn want(&mut self, transfer: TransferId, want: Want) {
        self.wants.insert(transfer, want);
    }

    /// Its reader has left, or its writer has begun.
    pub(super) fn unwant(&mut self, transfer: TransferId) {
        self.wants.remove(&transfer);
    }

    /// Readers whose holder was not told, on the stream it has now.
    pub(super) fn untold(&self) -> Vec<(TransferId, Want)> {
        let untold = self.wants.iter().filter(|(_, want)| !want.told);
        untold.map(|(transfer, want)| (*transfer, *want)).collect()
    }

    pub(super) fn told(&mut self, transfer: TransferId) {
        if let Some(want) = self.wants.get_mut(&transfer) {
            want.told = true;
        }
    }

    /// What holders of this kind were told is not to be relied on.
    pub(super) fn tell_again(&mut self, is_theirs: impl Fn(Holder) -> bool) {
        for want in self.wants.values_mut() {
            let theirs = self.blobs.get(&want.blob).is_some_and(|blob| is_theirs(blob.holder));
            want.told &= !theirs || forgets(Mutant::WantNotRepeated);
        }
    }

    /// How often each blob is named: for the invariants.
    pub(super) fn names(&self) -> impl Iterator<Item = (BlobId, u64)> + '_ {
        self.blobs.iter().filter(|(_, blob)| blob.names > 0).map(|(id, blob)| (*id, blob.names))
    }

    /// How many are known, with those who read.
    pub(super) fn len(&self) -> usize {
        self.blobs.len() + self.wants.len()
    }

    fn entry(&mut self, blob: BlobId) -> &mut Blob {
        self.blobs.entry(blob).or_insert(Blob { names: 0, holder: Holder::Coming })
    }
}
