//! What outlives the process: up to where engine ids were given.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use paraply_common::{private_file, secret::Secret};
use serde::{Deserialize, Serialize};

const FILE: &str = "controller.json";

/// The state file, or nothing where none is configured.
#[derive(Debug)]
pub(crate) struct State {
    path: Option<PathBuf>,
    cluster: String,
    /// What the file says.
    kept: Option<u32>,
    /// What it is to say.
    wanted: Option<u32>,
}

/// A state file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not readable, or no state file.
    #[error("the state file {path} cannot be read: {source}; if the cluster is a new one, delete it")]
    Read {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct Content {
    /// Whose state it is: a cluster made anew under an old name has drawn a new key, and starts at 0.
    cluster: String,
    next_engine_id: u32,
}

impl State {
    /// Reads what the process before this one has kept.
    pub(crate) fn open(folder: Option<&Path>, cluster_id: &str, ticket_key: &Secret) -> Result<Self, StateError> {
        let cluster = fingerprint(cluster_id, ticket_key);
        let Some(folder) = folder else { return Ok(Self { path: None, cluster, kept: None, wanted: None }) };
        let path = folder.join(FILE);
        let content = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Content>(&bytes).map_err(io::Error::from).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let content = content.map_err(|source| StateError::Read { path: path.display().to_string(), source })?;
        let kept = content.filter(|content| content.cluster == cluster).map(|content| content.next_engine_id);
        Ok(Self { path: Some(path), cluster, kept, wanted: kept })
    }

    /// One more than the highest engine id given, if that is known.
    pub(crate) fn next_engine_id(&self) -> Option<u32> {
        self.kept
    }

    /// Ids below `next_engine_id` were given.
    pub(crate) fn want(&mut self, next_engine_id: u32) {
        self.wanted = Some(next_engine_id);
    }

    /// Makes the file say what it is to say, whole or not at all. Where it cannot, as on a full disk, the file goes: it
    /// would be wrong, and without it the next process asks the scheduler, which has seen the engines.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        let (Some(path), Some(next_engine_id)) = (&self.path, self.wanted) else { return Ok(()) };
        if self.kept == self.wanted {
            return Ok(());
        }
        let write = || -> io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let content = Content { cluster: self.cluster.clone(), next_engine_id };
            private_file::write(path, &serde_json::to_vec(&content)?)
        };
        let written = write().map_err(|error| format!("cannot write the state file {}: {error}", path.display()));
        match written {
            Ok(()) => self.kept = self.wanted,
            Err(error) if is_gone(path) => {
                tracing::warn!(
                    error,
                    "after a restart new engines wait until the scheduler has said which ids were given"
                );
                self.kept = None;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Removes the file; whether it is not there any more.
fn is_gone(path: &Path) -> bool {
    match fs::remove_file(path) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound && path.parent().is_some_and(Path::is_dir),
    }
}

/// Notes in a state folder that no engine was ever in this cluster, so that nobody waits for one to come back. For
/// whoever has just drawn the cluster's ticket key.
///
/// # Errors
/// The note cannot be written; says where.
pub fn note_new_cluster(folder: &Path, cluster_id: &str, ticket_key: &Secret) -> Result<(), String> {
    let cluster = fingerprint(cluster_id, ticket_key);
    State { path: Some(folder.join(FILE)), cluster, kept: None, wanted: Some(0) }.settle()
}

/// Tells clusters apart without giving the key away.
fn fingerprint(cluster_id: &str, ticket_key: &Secret) -> String {
    let nobody = paraply_core::id::EngineId(u32::MAX);
    let mac = paraply_common::ticket::issue(ticket_key, cluster_id, nobody, paraply_core::id::Incarnation(0));
    mac.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Secret {
        Secret::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_new_process_knows_what_the_one_before_has_kept() {
        let folder = tempfile::tempdir().unwrap();
        let open = |token: &Secret| State::open(Some(folder.path()), "c", token).unwrap();
        let mut state = open(&token("0123456789abcdef"));
        assert_eq!(state.next_engine_id(), None);
        state.want(7);
        state.settle().unwrap();
        assert_eq!(open(&token("0123456789abcdef")).next_engine_id(), Some(7));
        assert_eq!(open(&token("a-new-token-of-a-new-cluster")).next_engine_id(), None, "another cluster of that name");
    }

    #[test]
    fn a_new_cluster_is_known_to_be_new_whatever_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "of an earlier cluster, and broken").unwrap();
        note_new_cluster(folder.path(), "c", &token("0123456789abcdef")).unwrap();
        let state = State::open(Some(folder.path()), "c", &token("0123456789abcdef")).unwrap();
        assert_eq!(state.next_engine_id(), Some(0));
    }

    #[test]
    fn what_cannot_be_kept_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("state");
        let mut state = State::open(Some(&blocked), "c", &token("0123456789abcdef")).unwrap();
        fs::write(&blocked, "in the way").unwrap();
        state.want(1);
        assert!(state.settle().unwrap_err().contains("controller.json"));
        fs::remove_file(&blocked).unwrap();
        state.settle().unwrap();
        assert!(blocked.join(FILE).exists());
    }

    #[test]
    fn what_cannot_be_kept_up_to_date_is_not_kept_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let open = || State::open(Some(folder.path()), "c", &token("0123456789abcdef")).unwrap();
        let mut state = open();
        state.want(7);
        state.settle().unwrap();
        // What is written first cannot be: a folder is in its place, as a full disk would be.
        let beside = folder.path().join(format!("{FILE}.{}.partial", std::process::id()));
        fs::create_dir(&beside).unwrap();
        state.want(8);
        state.settle().unwrap();
        assert_eq!(open().next_engine_id(), None, "7 would be wrong");
        fs::remove_dir(&beside).unwrap();
        state.settle().unwrap();
        assert_eq!(open().next_engine_id(), Some(8));
    }

    #[test]
    fn a_file_that_is_no_state_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "what").unwrap();
        let error = State::open(Some(folder.path()), "c", &token("0123456789abcdef")).unwrap_err().to_string();
        assert!(error.contains("controller.json") && error.contains("delete it"), "{error}");
    }
}
