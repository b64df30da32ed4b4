//! Files with secrets in them, or about what a user does: nobody else reads them, and nobody ever sees half of one.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Writes a file that only its owner can read, in one step: a reader sees the old content or all of the new.
///
/// # Errors
/// If it cannot be written; then the old content is still there.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    // Of a process of the same number that died over it; its mode need not be ours.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&beside)?;
    let written = file.write_all(content).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _stays_behind = fs::remove_file(&beside);
    }
    written
}

/// Two processes that write the same file do not get into each other's way.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn only_its_owner_reads_it_whatever_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for there in [&path, &beside(&path)] {
            fs::write(there, "old and longer").unwrap();
            fs::set_permissions(there, fs::Permissions::from_mode(0o644)).unwrap();
        }
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing stays beside it");
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::create_dir(&path).unwrap();
        assert!(write(&path, b"new").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
