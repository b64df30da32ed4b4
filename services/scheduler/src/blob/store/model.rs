//! Whatever callers do, in whatever order: the store has what a model has, within its limits, in memory and in files.

use std::collections::BTreeMap;

use bytes::Bytes;
use paraply_core::{
    id::{BlobId, SessionId},
    time::Time,
};
use proptest::{collection::vec, prelude::*};

use super::*;

const TOTAL: u64 = 6000;
const MEMORY: u64 = 2000;

#[derive(Clone, Debug)]
enum Step {
    Begin { blob: u8, session: u8, size: u64, only_copy: bool },
    Append { blob: u8, offset: u64, length: u8 },
    Drop { blob: u8 },
    Forget { session: u8 },
    Open { session: u8 },
    Wait { seconds: u16 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let (blob, session) = (0..4_u8, 0..3_u8);
    let size = prop_oneof![0..40_u64, 900..1100_u64, any::<u64>()];
    let offset = prop_oneof![4 => 0..60_u64, 1 => any::<u64>()];
    prop_oneof![
        4 => (blob.clone(), session.clone(), size, any::<bool>())
            .prop_map(|(blob, session, size, only_copy)| Step::Begin { blob, session, size, only_copy }),
        8 => (blob.clone(), offset, any::<u8>()).prop_map(|(blob, offset, length)| Step::Append { blob, offset, length }),
        2 => blob.prop_map(|blob| Step::Drop { blob }),
        1 => session.clone().prop_map(|session| Step::Forget { session }),
        1 => session.prop_map(|session| Step::Open { session }),
        1 => any::<u16>().prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Restart),
    ]
}

/// The bytes of a blob: they say where they are.
fn content(blob: u8, offset: u64, length: usize) -> Bytes {
    (0..length as u64).map(|n| blob ^ (offset.wrapping_add(n) as u8)).collect()
}

/// A blob as the model has it.
#[derive(Debug)]
struct Known {
    session: u8,
    size: u64,
    committed: u64,
}

struct Model {
    folder: tempfile::TempDir,
    store: BlobStore,
    now: Time,
    known: BTreeMap<u8, Known>,
}

impl Model {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Self::open(&folder);
        Self { folder, store, now: Time(0), known: BTreeMap::new() }
    }

    fn open(folder: &tempfile::TempDir) -> BlobStore {
        let limits = Limits { total: TOTAL, memory: MEMORY, grace: Duration::from_secs(3600) };
        BlobStore::new(limits, Files::at(folder.path()))
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Begin { blob, session, size, only_copy } => {
                let (id, owner) = (BlobId(blob.into()), SessionId(session.into()));
                let begun = self.store.begin(id, owner, size, only_copy, self.now).await;
                match (begun, self.known.get(&blob)) {
                    (Ok(progress), Some(known)) => {
                        assert_eq!((progress.size, progress.committed), (known.size, known.committed));
                        assert_eq!((size, session), (known.size, known.session));
                    }
                    (Ok(progress), None) => {
                        assert_eq!((progress.size, progress.committed), (size, 0));
                        self.known.insert(blob, Known { session, size, committed: 0 });
                    }
                    (Err(BlobError::Mismatch), Some(known)) => assert_ne!((size, session), (known.size, known.session)),
                    (Err(BlobError::Full { .. }), None) => assert!(size > 800, "{size} bytes are always room for"),
                    other => panic!("{other:?}"),
                }
            }
            Step::Append { blob, offset, length } => {
                let data = content(blob, offset, length.into());
                let end = offset.checked_add(length.into());
                let appended = self.store.append(BlobId(blob.into()), offset, data, self.now).await;
                match (appended, self.known.get_mut(&blob)) {
                    (Err(BlobError::NotFound), None) => {}
                    (Err(BlobError::Beyond { size }), Some(known)) => {
                        assert!(end.is_none_or(|end| end > size) && size == known.size)
                    }
                    (Err(BlobError::Gap { committed }), Some(known)) => {
                        assert!(committed == known.committed && offset > committed)
                    }
                    (Ok(progress), Some(known)) => {
                        known.committed = known.committed.max(end.unwrap());
                        assert_eq!(progress.committed, known.committed);
                    }
                    other => panic!("{other:?}"),
                }
            }
            Step::Drop { blob } => {
                self.store.clear(self.store.drop_blob(BlobId(blob.into())));
                self.known.remove(&blob);
            }
            Step::Forget { session } => {
                let (_, remains) = self.store.forget_session(SessionId(session.into()));
                self.store.clear(remains);
                self.known.retain(|_, known| known.session != session);
            }
            Step::Open { session } => self.store.open_session(SessionId(session.into())),
            Step::Wait { seconds } => {
                self.now = self.now + Duration::from_secs(seconds.into());
                let (swept, remains) = self.store.sweep(self.now);
                self.store.clear(remains);
                self.known.retain(|blob, _| !swept.contains(&BlobId((*blob).into())));
            }
            Step::Restart => {
                self.store = Self::open(&self.folder);
                let adopted = self.store.adopt(self.now);
                self.known.retain(|blob, known| {
                    let kept = adopted.contains(&BlobId((*blob).into()));
                    assert!(!kept || known.committed == known.size, "half a blob was taken over");
                    kept
                });
            }
        }
    }

    /// Everything can be read, byte for byte, and nothing is there beside.
    async fn check(&self) {
        let held = self.store.held().all();
        assert!(held <= TOTAL, "{held}");
        let least: u64 = self.known.values().map(|known| cost_in_file(known.size)).sum();
        assert!(held >= least && (held == 0) == self.known.is_empty(), "{held} bytes for {:?}", self.known);
        self.store.check().unwrap();
        for (blob, known) in &self.known {
            let mut offset = 0;
            while offset < known.committed {
                let data = match self.store.read(BlobId((*blob).into()), offset).unwrap() {
                    Reading::Bytes(data) => data,
                    Reading::File(file, length) => file.read(offset, length as usize).await.unwrap(),
                    other => panic!("{other:?} at {offset} of {known:?}"),
                };
                assert_eq!(data, content(*blob, offset, data.len()));
                offset += data.len() as u64;
            }
            assert_eq!(offset, known.committed);
        }
        let files = std::fs::read_dir(self.folder.path()).unwrap().count();
        assert!(files <= self.known.len(), "{files} files for {} blobs", self.known.len());
    }
}

proptest! {
    #[test]
    fn the_store_has_what_a_model_has(steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new();
            for step in steps {
                model.take(step).await;
                model.check().await;
            }
        });
    }
}
