//! Large parts of arguments, kept here until the tasks that take them are over: who reads them may ask for them, and a new
//! scheduler has none.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use paraply_core::{
    id::BlobId,
    payload::{BlobRef, Buffer, Payload},
};

/// The large parts of one argument.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) blobs: Vec<(BlobId, Bytes)>,
    /// They stay here until an engine reads them; else they go into the scheduler's store.
    pub(super) kept: bool,
    /// The tasks that take it.
    pub(super) tasks: Range<u64>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    by_blob: HashMap<BlobId, Weak<Argument>>,
    /// Those that are to be stored.
    pub(super) to_store: Vec<Arc<Argument>>,
}

impl Arguments {
    pub(super) fn add(&mut self, argument: Argument) -> Arc<Argument> {
        let argument = Arc::new(argument);
        for (blob, _) in &argument.blobs {
            self.by_blob.insert(*blob, Arc::downgrade(&argument));
        }
        if !argument.kept {
            self.to_store.push(Arc::clone(&argument));
        }
        argument
    }

    /// One task less needs it.
    pub(super) fn done_with(&mut self, argument: Arc<Argument>) {
        let blobs: Vec<BlobId> = argument.blobs.iter().map(|(blob, _)| *blob).collect();
        drop(argument);
        for blob in blobs {
            if self.by_blob.get(&blob).is_some_and(|argument| argument.strong_count() == 0) {
                self.by_blob.remove(&blob);
            }
        }
    }

    /// The bytes of a blob that somebody reads.
    pub(super) fn bytes(&self, blob: BlobId) -> Option<Bytes> {
        let argument = self.by_blob.get(&blob)?.upgrade()?;
        argument.blobs.iter().find(|(id, _)| *id == blob).map(|(_, data)| data.clone())
    }

    /// Has all those stored that are kept, or all those that are not.
    pub(super) fn store(&mut self, kept: bool) {
        let mut all: Vec<_> = self.by_blob.values().filter_map(Weak::upgrade).filter(|it| it.kept == kept).collect();
        all.sort_unstable_by_key(|argument| Arc::as_ptr(argument).addr());
        all.dedup_by_key(|argument| Arc::as_ptr(argument).addr());
        self.by_blob.retain(|_, argument| argument.strong_count() > 0);
        self.to_store.extend(all);
    }
}

/// Takes what is over `inline` bytes out of a payload, which from then on names it.
pub(super) fn take_out(
    payload: &mut Payload,
    inline: usize,
    kept: bool,
) -> Result<Vec<(BlobId, Bytes)>, getrandom::Error> {
    let mut taken = Vec::new();
    let mut name = |data: &Bytes| {
        let id = BlobId((u128::from(getrandom::u64()?) << 64) | u128::from(getrandom::u64()?));
        taken.push((id, data.clone()));
        Ok::<_, getrandom::Error>(BlobRef { id, size: data.len() as u64, kept })
    };
    if payload.data.len() > inline {
        payload.data_blob = Some(name(&payload.data)?);
        payload.data = Bytes::new();
    }
    for buffer in &mut payload.buffers {
        if let Buffer::Inline(data) = buffer
            && data.len() > inline
        {
            *buffer = Buffer::Blob(name(data)?);
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_is_named_and_can_be_read_until_its_last_task_is_over() {
        let mut payload = Payload { data: Bytes::from(vec![1; 10]), ..Payload::default() };
        payload.buffers = vec![Buffer::Inline(Bytes::from(vec![2; 11])), Buffer::Inline(Bytes::from(vec![3; 10]))];
        let blobs = take_out(&mut payload, 10, true).unwrap();
        assert_eq!(payload.data.len(), 10, "it fits");
        let [Buffer::Blob(blob), Buffer::Inline(_)] = payload.buffers[..] else { panic!("{payload:?}") };
        assert_eq!((blob.size, blob.kept), (11, true));

        let mut arguments = Arguments::default();
        let first = arguments.add(Argument { blobs, kept: true, tasks: 0..2 });
        let second = Arc::clone(&first);
        arguments.done_with(first);
        assert_eq!(arguments.bytes(blob.id).unwrap(), vec![2; 11]);
        arguments.done_with(second);
        assert_eq!(arguments.bytes(blob.id), None);
        assert!(arguments.by_blob.is_empty());
    }

    #[test]
    fn what_is_not_kept_is_stored_and_what_is_kept_when_it_has_to_be() {
        let mut arguments = Arguments::default();
        let blobs = |id| vec![(BlobId(id), Bytes::new()), (BlobId(id + 1), Bytes::new())];
        let _stored = arguments.add(Argument { blobs: blobs(1), kept: false, tasks: 0..1 });
        let _kept = arguments.add(Argument { blobs: blobs(3), kept: true, tasks: 1..2 });
        let mut taken = || std::mem::take(&mut arguments.to_store).into_iter().map(|it| it.kept).collect::<Vec<_>>();
        assert_eq!(taken(), [false]);
        arguments.store(true);
        let mut taken = || std::mem::take(&mut arguments.to_store).into_iter().map(|it| it.kept).collect::<Vec<_>>();
        assert_eq!(taken(), [true], "once, with both its blobs");
    }
}
