//! A store in memory, and the same beyond its share of memory, in files.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use paraply_core::{
    id::{BlobId, SessionId},
    time::Time,
};

use super::{state::BLOB_OVERHEAD, *};

const B: BlobId = BlobId(1);
const S: SessionId = SessionId(7);
const T: Time = Time(0);
const CAP: u64 = 10 * BLOB_OVERHEAD;
const GRACE: Duration = Duration::from_secs(3600);

struct Rig {
    store: BlobStore,
    folder: tempfile::TempDir,
}

impl Rig {
    fn new(memory: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = BlobStore::new(Limits { total: CAP, memory, grace: GRACE }, Files::at(folder.path()));
        store.open_session(S);
        Self { store, folder }
    }

    async fn begin(&self, id: u128, size: u64) -> Result<u64, BlobError> {
        self.store.begin(BlobId(id), S, size, false, T).await.map(|progress| progress.committed)
    }

    async fn append(&self, offset: u64, data: &'static str) -> Result<Progress, BlobError> {
        self.store.append(B, offset, data.into(), T).await
    }

    /// All that is there from an offset on.
    async fn read(&self, mut offset: u64) -> Result<Bytes, BlobError> {
        let mut data = BytesMut::new();
        loop {
            let piece = match self.store.read(B, offset)? {
                Reading::Bytes(piece) => piece,
                Reading::File(file, length) => file.read(offset, length as usize).await.unwrap(),
                Reading::NotYet(_) | Reading::End => return Ok(data.freeze()),
            };
            offset += piece.len() as u64;
            data.extend_from_slice(&piece);
        }
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }
}

#[tokio::test]
async fn is_written_in_order_and_resumed_at_the_committed_offset() {
    for memory in [CAP, 0] {
        let rig = Rig::new(memory);
        assert_eq!(rig.begin(1, 10).await, Ok(0));
        assert_eq!(rig.files(), usize::from(memory == 0));
        assert_eq!(rig.append(2, "x").await, Err(BlobError::Gap { committed: 0 }));
        rig.append(0, "0123").await.unwrap();
        assert_eq!(rig.begin(1, 10).await, Ok(4), "after a break");
        rig.append(2, "2345").await.unwrap();
        assert_eq!(rig.read(1).await.unwrap(), "12345", "while it is being written");
        assert_eq!(rig.append(0, "012").await.unwrap().committed, 6, "all of it repeated");
        assert_eq!(rig.append(6, "67890").await, Err(BlobError::Beyond { size: 10 }));
        assert_eq!(rig.append(u64::MAX, "6").await, Err(BlobError::Beyond { size: 10 }));
        assert!(rig.append(6, "6789").await.unwrap().is_complete());
        assert_eq!(rig.read(0).await.unwrap(), "0123456789");
        assert_eq!(rig.read(5).await.unwrap(), "56789");
        assert!(matches!(rig.store.read(B, 10), Ok(Reading::End)));
        assert_eq!(rig.read(11).await.unwrap_err(), BlobError::Beyond { size: 10 });
        rig.store.clear(rig.store.drop_blob(B));
        assert_eq!((rig.files(), rig.store.held().all()), (0, 0));
    }
}

#[tokio::test]
async fn a_reader_waits_for_bytes_and_learns_that_they_will_not_come() {
    for memory in [CAP, 0] {
        let rig = Rig::new(memory);
        rig.begin(1, 2).await.unwrap();
        let Reading::NotYet(mut committed) = rig.store.read(B, 0).unwrap() else { panic!() };
        rig.append(0, "0").await.unwrap();
        assert!(committed.has_changed().unwrap());
        committed.mark_unchanged();
        rig.store.clear(rig.store.drop_blob(B));
        assert!(committed.has_changed().is_err(), "its sender is gone");
        assert_eq!(rig.store.read(B, 0).unwrap_err(), BlobError::NotFound);
    }
}

#[tokio::test]
async fn what_memory_has_no_room_for_goes_to_files_until_there_is_some_again() {
    let rig = Rig::new(2 * BLOB_OVERHEAD + 100);
    rig.begin(1, 60).await.unwrap();
    assert_eq!(rig.files(), 0);
    rig.begin(2, 60).await.unwrap();
    assert_eq!(rig.files(), 1);
    rig.store.clear(rig.store.drop_blob(B));
    rig.begin(3, 60).await.unwrap();
    assert_eq!(rig.files(), 1);
}

#[tokio::test]
async fn an_only_copy_is_where_another_process_finds_it() {
    let rig = Rig::new(CAP);
    rig.store.begin(B, S, 3, true, T).await.unwrap();
    rig.append(0, "abc").await.unwrap();
    assert_eq!(rig.store.files.left().len(), 1);
}

#[tokio::test]
async fn the_cap_is_for_all_and_names_its_setting() {
    let rig = Rig::new(CAP);
    rig.begin(1, 4300).await.unwrap();
    let held = rig.store.held();
    let full = rig.begin(2, 300).await.unwrap_err();
    assert_eq!(full, BlobError::Full { size: 300, held: held.all(), cap: CAP });
    assert!(full.to_string().contains("blob_bytes"), "{full}");
    assert!(rig.begin(2, u64::MAX).await.is_err());
    rig.store.drop_blob(B);
    assert_eq!(rig.begin(2, CAP - BLOB_OVERHEAD).await, Ok(0), "all of it is free again");
}

#[tokio::test]
async fn a_blob_that_comes_a_byte_at_a_time_takes_no_more_memory() {
    let rig = Rig::new(20_000);
    let limits = Limits { total: 20_000, memory: 20_000, grace: GRACE };
    let rig = Rig { store: BlobStore::new(limits, Files::at(rig.folder.path())), ..rig };
    rig.begin(1, 10_000).await.unwrap();
    let held = rig.store.held();
    for offset in (0..10_000).step_by(10) {
        rig.append(offset, "0123456789").await.unwrap();
    }
    assert_eq!(rig.store.held(), held, "all of it was reserved");
    let chunks = match &rig.store.lock().blobs[&B].place {
        Place::Memory(chunks) => chunks.iter().map(|(_, data)| data.len()).collect(),
        Place::File(_) => Vec::new(),
    };
    assert_eq!(chunks, [4096, 4096, 1808]);
    assert!(rig.read(0).await.unwrap().chunks(10).all(|ten| ten == b"0123456789"));
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_is_dropped_while_it_is_written_and_begun_again_has_nothing_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::paced(folder.path(), Duration::from_secs(1));
    let rig = Rig { store: BlobStore::new(Limits { total: CAP, memory: 0, grace: GRACE }, files), folder };
    rig.begin(1, 6).await.unwrap();
    rig.append(0, "abc").await.unwrap();
    let again = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        rig.store.clear(rig.store.drop_blob(B));
        rig.begin(1, 6).await
    };
    let (late, again) = tokio::join!(rig.append(3, "def"), again);
    assert_eq!((late, again), (Err(BlobError::NotFound), Ok(0)));
    assert_eq!(rig.store.progress(B).unwrap().committed, 0);
    assert_eq!(rig.files(), 1);
    rig.store.clear(rig.store.drop_blob(B));
    assert_eq!(rig.files(), 0);
}

#[tokio::test]
async fn what_the_disk_does_not_take_is_refused_by_name_and_leaves_nothing() {
    let mut rig = Rig::new(0);
    std::fs::write(rig.folder.path().join("file"), "not a folder").unwrap();
    let limits = Limits { total: CAP, memory: 0, grace: GRACE };
    rig.store = BlobStore::new(limits, Files::at(&rig.folder.path().join("file")));
    let refused = rig.begin(1, 10).await.unwrap_err().to_string();
    assert!(refused.contains("blob_dir") && refused.contains("10 bytes"), "{refused}");
    assert_eq!(rig.store.held().all(), 0);
}

#[tokio::test]
async fn empty_blobs_are_not_for_nothing() {
    for memory in [CAP, 0] {
        let rig = Rig::new(memory);
        let mut room = 0;
        while rig.begin(room, 0).await.is_ok() {
            room += 1;
        }
        assert!((1..=u128::from(CAP / BLOB_OVERHEAD)).contains(&room), "{room}");
        rig.store.forget_session(S);
        assert_eq!(rig.store.held().all(), 0);
    }
}

#[tokio::test]
async fn dies_with_its_session() {
    let rig = Rig::new(CAP);
    rig.begin(1, 1).await.unwrap();
    rig.store.begin(BlobId(2), SessionId(8), 1, false, T).await.unwrap();
    assert_eq!(rig.store.forget_session(S).0, [B]);
    assert!(rig.store.progress(BlobId(2)).is_ok());
}

#[tokio::test]
async fn what_nobody_finishes_or_fetches_is_swept() {
    let rig = Rig::new(CAP);
    rig.begin(1, 1).await.unwrap();
    rig.begin(2, 0).await.unwrap();
    rig.store.begin(BlobId(3), SessionId(8), 0, false, T).await.unwrap();
    assert_eq!(rig.store.sweep(T + PATIENCE).0, []);
    let later = T + PATIENCE + Duration::from_secs(1);
    assert_eq!(rig.store.sweep(later).0, [BlobId(1)], "its writer is silent");
    assert_eq!(rig.store.sweep(later + GRACE).0, [BlobId(3)], "its session did not come");
}

#[tokio::test]
async fn another_process_goes_on_with_what_is_complete() {
    let rig = Rig::new(0);
    rig.begin(1, 3).await.unwrap();
    rig.append(0, "abc").await.unwrap();
    rig.begin(2, 3).await.unwrap();
    let again = BlobStore::new(Limits { total: CAP, memory: 0, grace: GRACE }, Files::at(rig.folder.path()));
    assert_eq!(again.adopt(T), [B]);
    let rig = Rig { store: again, folder: rig.folder };
    assert_eq!(rig.read(0).await.unwrap(), "abc");
    assert_eq!(rig.files(), 1);
}

#[tokio::test]
async fn another_blob_of_the_same_id_is_refused() {
    let rig = Rig::new(CAP);
    rig.begin(1, 1).await.unwrap();
    assert_eq!(rig.begin(1, 2).await, Err(BlobError::Mismatch));
    assert_eq!(rig.store.begin(B, SessionId(8), 1, false, T).await, Err(BlobError::Mismatch));
}
