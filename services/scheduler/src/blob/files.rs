//! The folder of blobs that memory has no room for: a file each, which its name says all about.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use paraply_common::{clock, spawn::spawn_detached};
use paraply_core::id::{BlobId, SessionId};
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};
use tokio::sync::oneshot;

/// Which file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Name {
    pub(crate) session: SessionId,
    pub(crate) blob: BlobId,
    pub(crate) size: u64,
    /// Of all files of this folder: a blob that is begun again has another one.
    nth: u64,
}

/// The file of one blob. Once it is discarded it goes with the last who reads or writes it: a disk may be slow, and what
/// is under way there cannot be called back.
#[derive(Debug)]
pub(crate) struct BlobFile {
    files: Files,
    name: Name,
    discarded: AtomicBool,
}

/// The folder. Files are opened for each piece: however many blobs there are, they take no descriptors.
#[derive(Clone, Debug)]
pub(crate) struct Files(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// It is nobody's but this process's.
    passing: bool,
    /// The next file.
    next: AtomicU64,
    /// How long everything takes where the clock may be stopped. `None`: as long as it takes, on threads that wait.
    pace: Option<Duration>,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.passing {
            let _nothing_was_written = fs::remove_dir_all(&self.path);
        }
    }
}

impl Name {
    fn file_name(self) -> String {
        format!("{}-{}-{}-{}", self.session, self.blob, self.size, self.nth)
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let mut id = || u128::from_str_radix(parts.next()?, 16).ok();
        let (session, blob) = (SessionId(id()?), BlobId(id()?));
        let (size, nth) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next().is_none().then_some(Self { session, blob, size, nth })
    }
}

impl Files {
    /// The folder at `path`, made when it is first needed.
    pub(crate) fn at(path: &Path) -> Self {
        Self::new(path.to_owned(), false, None)
    }

    /// A folder that goes with this process.
    pub(crate) fn passing(unique: u128) -> Self {
        Self::new(std::env::temp_dir().join(format!("paraply-blobs-{unique:032x}")), true, None)
    }

    /// The folder at `path`, on a disk that takes so long for everything by the runtime's clock.
    pub(crate) fn paced(path: &Path, pace: Duration) -> Self {
        Self::new(path.to_owned(), false, Some(pace))
    }

    fn new(path: PathBuf, passing: bool, pace: Option<Duration>) -> Self {
        Self(Arc::new(Folder { path, passing, next: AtomicU64::new(0), pace }))
    }

    pub(crate) fn outlive_the_process(&self) -> bool {
        !self.0.passing
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0.path
    }

    /// The file of a blob that begins; made when its bytes are reserved.
    pub(crate) fn begin(&self, session: SessionId, blob: BlobId, size: u64) -> Arc<BlobFile> {
        let nth = self.0.next.fetch_add(1, Ordering::Relaxed);
        Arc::new(BlobFile::new(self.clone(), Name { session, blob, size, nth }))
    }

    /// What an earlier process has left there complete. What it has not is removed.
    pub(crate) fn left(&self) -> Vec<Arc<BlobFile>> {
        let entries = fs::read_dir(&self.0.path).into_iter().flatten().flatten();
        let mut left = Vec::new();
        for entry in entries {
            let length = entry.metadata().map_or(0, |metadata| metadata.len());
            let Some(name) = entry.file_name().to_str().and_then(Name::parse) else { continue };
            self.0.next.fetch_max(name.nth.saturating_add(1), Ordering::Relaxed);
            let file = BlobFile::new(self.clone(), name);
            if name.size == length {
                left.push(Arc::new(file));
            } else {
                file.discard();
            }
        }
        left
    }

    fn path(&self, name: Name) -> PathBuf {
        self.0.path.join(name.file_name())
    }

    fn create(&self, name: Name) -> io::Result<File> {
        let open = || OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.path(name));
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(&self.0.path)?;
                open()
            }
            opened => opened,
        }
    }
}

impl BlobFile {
    fn new(files: Files, name: Name) -> Self {
        Self { files, name, discarded: AtomicBool::new(false) }
    }

    pub(crate) fn name(&self) -> Name {
        self.name
    }

    /// Nobody will read it any more.
    pub(crate) fn discard(&self) {
        self.discarded.store(true, Ordering::Release);
    }

    /// Makes it, and makes sure that the disk has room for all of it.
    pub(crate) async fn reserve(self: &Arc<Self>) -> io::Result<()> {
        self.aside(|file| {
            let made = file.files.create(file.name)?;
            match fallocate(&made, FallocateFlags::KEEP_SIZE, 0, file.name.size) {
                // A file system that cannot, or nothing to reserve: what does not fit is seen when it is written.
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Writes a piece.
    pub(crate) async fn write(self: &Arc<Self>, offset: u64, data: Bytes) -> io::Result<()> {
        // Whoever reserves it may not have come that far.
        self.aside(move |file| file.files.create(file.name)?.write_all_at(&data, offset)).await
    }

    /// Reads a piece that was written.
    pub(crate) async fn read(self: &Arc<Self>, offset: u64, length: usize) -> io::Result<Bytes> {
        self.aside(move |file| {
            let mut data = BytesMut::zeroed(length);
            File::open(file.path())?.read_exact_at(&mut data, offset)?;
            Ok(data.freeze())
        })
        .await
    }

    fn path(&self) -> PathBuf {
        self.files.path(self.name)
    }

    /// Other transfers go on meanwhile. What was begun is done, also where nobody waits for it any more.
    async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let file = Arc::clone(self);
        let Some(pace) = self.files.0.pace else {
            let done = tokio::task::spawn_blocking(move || work(&file)).await;
            return done.unwrap_or_else(|error| Err(io::Error::other(error)));
        };
        let (done, result) = oneshot::channel();
        spawn_detached(async move {
            clock::sleep_until(clock::now() + pace).await;
            let _nobody_waits = done.send(work(&file));
        });
        result.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Drop for BlobFile {
    fn drop(&mut self) {
        if !*self.discarded.get_mut() {
            return;
        }
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(blob = %self.name.blob, %error, "a file of a blob stays behind");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(files: &Files, blob: u128, size: u64) -> Arc<BlobFile> {
        files.begin(SessionId(7), BlobId(blob), size)
    }

    #[tokio::test]
    async fn pieces_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = begun(&Files::at(&folder.path().join("blobs")), 1, 6);
        file.reserve().await.unwrap();
        file.write(0, "abc".into()).await.unwrap();
        file.write(3, "def".into()).await.unwrap();
        assert_eq!(file.read(2, 3).await.unwrap(), "cde");
        let path = file.path();
        file.discard();
        assert_eq!(file.read(2, 3).await.unwrap(), "cde", "somebody reads it still");
        drop(file);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn another_process_finds_what_is_complete_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::at(folder.path());
        assert!(files.left().is_empty());
        let (half, whole) = (begun(&files, 1, 1 << 20), begun(&files, 2, 3));
        half.reserve().await.unwrap();
        half.write(0, "half of it".into()).await.unwrap();
        whole.reserve().await.unwrap();
        whole.write(0, "abc".into()).await.unwrap();
        fs::write(folder.path().join("notes"), "somebody else's").unwrap();
        let again = Files::at(folder.path());
        let left: Vec<_> = again.left().iter().map(|file| file.name()).collect();
        assert_eq!(left, [whole.name()]);
        assert!(!half.path().exists());
        assert!(folder.path().join("notes").exists());
        assert!(!left.contains(&begun(&again, 2, 3).name()), "a name is not given twice");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_written_late_brings_no_file_back() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::paced(folder.path(), Duration::from_secs(1));
        let file = begun(&files, 1, 3);
        assert!(
            tokio::time::timeout(Duration::from_millis(1), file.reserve()).await.is_err(),
            "whoever began it has left"
        );
        file.discard();
        drop(file);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_passing_folder_goes_with_its_process() {
        let files = Files::passing(u128::from(std::process::id()));
        let file = begun(&files, 1, 3);
        file.reserve().await.unwrap();
        let folder = files.folder().to_owned();
        assert!(folder.exists());
        drop((files, file));
        assert!(!folder.exists());
    }
}
