//! The folder of blobs that memory has no room for: a file each, which its name says all about.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use paraply_core::id::{BlobId, SessionId};
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

/// Which file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Name {
    pub(crate) session: SessionId,
    pub(crate) blob: BlobId,
    pub(crate) size: u64,
}

/// The folder. Files are opened for each piece: however many blobs there are, they take no descriptors.
#[derive(Clone, Debug)]
pub(crate) struct Files(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// It is nobody's but this process's.
    passing: bool,
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
        format!("{}-{}-{}", self.session, self.blob, self.size)
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let mut id = || u128::from_str_radix(parts.next()?, 16).ok();
        let (session, blob) = (SessionId(id()?), BlobId(id()?));
        let size = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Self { session, blob, size })
    }
}

impl Files {
    /// The folder at `path`, made when it is first needed.
    pub(crate) fn at(path: &Path) -> Self {
        Self(Arc::new(Folder { path: path.to_owned(), passing: false }))
    }

    /// A folder that goes with this process.
    pub(crate) fn passing(unique: u128) -> Self {
        let path = std::env::temp_dir().join(format!("paraply-blobs-{unique:032x}"));
        Self(Arc::new(Folder { path, passing: true }))
    }

    pub(crate) fn outlive_the_process(&self) -> bool {
        !self.0.passing
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0.path
    }

    /// What an earlier process has left there complete. What it has not is removed.
    pub(crate) fn left(&self) -> Vec<Name> {
        let entries = fs::read_dir(&self.0.path).into_iter().flatten().flatten();
        let mut left = Vec::new();
        for entry in entries {
            let name = entry.file_name().to_str().and_then(Name::parse);
            let length = entry.metadata().map_or(0, |metadata| metadata.len());
            match name {
                Some(name) if name.size == length => left.push(name),
                Some(name) => self.remove(name),
                None => {}
            }
        }
        left
    }

    /// Makes sure that the disk has room for all of it.
    pub(crate) async fn reserve(&self, name: Name) -> io::Result<()> {
        self.aside(move |files| {
            let file = files.open(name)?;
            match fallocate(&file, FallocateFlags::KEEP_SIZE, 0, name.size) {
                // A file system that cannot: what does not fit is seen when it is written.
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Writes a piece.
    pub(crate) async fn write(&self, name: Name, offset: u64, data: Bytes) -> io::Result<()> {
        self.aside(move |files| files.open(name)?.write_all_at(&data, offset)).await
    }

    /// Reads a piece that was written.
    pub(crate) async fn read(&self, name: Name, offset: u64, length: usize) -> io::Result<Bytes> {
        self.aside(move |files| {
            let mut data = BytesMut::zeroed(length);
            File::open(files.path(name))?.read_exact_at(&mut data, offset)?;
            Ok(data.freeze())
        })
        .await
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: Name) {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(blob = %name.blob, %error, "a file of a blob stays behind");
            }
            _ => {}
        }
    }

    fn path(&self, name: Name) -> PathBuf {
        self.0.path.join(name.file_name())
    }

    fn open(&self, name: Name) -> io::Result<File> {
        let open = || OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.path(name));
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(&self.0.path)?;
                open()
            }
            opened => opened,
        }
    }

    /// A disk may take its time: other transfers go on meanwhile.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let files = self.clone();
        tokio::task::spawn_blocking(move || work(&files)).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(blob: u128, size: u64) -> Name {
        Name { session: SessionId(7), blob: BlobId(blob), size }
    }

    #[tokio::test]
    async fn pieces_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::at(&folder.path().join("blobs"));
        files.reserve(name(1, 6)).await.unwrap();
        files.write(name(1, 6), 0, "abc".into()).await.unwrap();
        files.write(name(1, 6), 3, "def".into()).await.unwrap();
        assert_eq!(files.read(name(1, 6), 2, 3).await.unwrap(), "cde");
        files.remove(name(1, 6));
        assert!(files.read(name(1, 6), 0, 1).await.is_err());
        files.remove(name(1, 6));
    }

    #[tokio::test]
    async fn another_process_finds_what_is_complete_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::at(folder.path());
        assert_eq!(files.left(), []);
        files.reserve(name(1, 1 << 20)).await.unwrap();
        files.write(name(1, 1 << 20), 0, "half of it".into()).await.unwrap();
        files.write(name(2, 3), 0, "abc".into()).await.unwrap();
        fs::write(folder.path().join("notes"), "somebody else's").unwrap();
        assert_eq!(Files::at(folder.path()).left(), [name(2, 3)]);
        assert!(!files.path(name(1, 1 << 20)).exists());
        assert!(folder.path().join("notes").exists());
    }

    #[tokio::test]
    async fn a_passing_folder_goes_with_its_process() {
        let files = Files::passing(u128::from(std::process::id()));
        files.write(name(1, 3), 0, "abc".into()).await.unwrap();
        let folder = files.folder().to_owned();
        assert!(folder.exists());
        drop(files);
        assert!(!folder.exists());
    }
}
