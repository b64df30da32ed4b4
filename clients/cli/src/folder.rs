//! Where clusters are: `$PARAPLY_HOME/<profile>/<cluster id>/`, and sockets under the runtime directory.

use std::{
    fmt, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use paraply_common::{home, transport::MAX_SOCKET_PATH};

use crate::{error::Error, lock::Lock};

/// The profile and cluster id of those who name none.
pub(crate) const DEFAULT: &str = "default";

/// A cluster's profile and id, both fit to be a file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClusterName {
    profile: String,
    id: String,
}

impl ClusterName {
    pub(crate) fn new(profile: &str, id: &str) -> Result<Self, Error> {
        Ok(Self { profile: valid("profile", profile)?, id: valid("cluster id", id)? })
    }

    pub(crate) fn profile(&self) -> &str {
        &self.profile
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' of profile '{}'", self.id, self.profile)
    }
}

fn valid(what: &'static str, value: &str) -> Result<String, Error> {
    let fits = !value.starts_with('.')
        && (1..=64).contains(&value.len())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if fits { Ok(value.to_owned()) } else { Err(Error::Name { what, value: value.to_owned() }) }
}

/// One cluster's folder. It need not exist.
#[derive(Debug, Clone)]
pub(crate) struct ClusterFolder {
    name: ClusterName,
    path: PathBuf,
}

impl ClusterFolder {
    pub(crate) fn of(name: ClusterName) -> Result<Self, Error> {
        let path = home()?.join(&name.profile).join(&name.id);
        Ok(Self { name, path })
    }

    /// The profile's default cluster: the id `default` if it runs, else the newest that runs.
    pub(crate) fn default_of(profile: &str) -> Result<Self, Error> {
        let mut running = Vec::new();
        for folder in Self::all(Some(profile))? {
            if folder.is_running()? {
                if folder.name.id == DEFAULT {
                    return Ok(folder);
                }
                running.push((folder.started_at()?, folder));
            }
        }
        let newest = running.into_iter().max_by_key(|(started, _)| *started);
        newest.map(|(_, folder)| folder).ok_or_else(|| Error::NoneRunning(profile.to_owned()))
    }

    /// The cluster named, or the profile's default one where none is; an error if it does not run.
    pub(crate) fn running(profile: &str, id: Option<&str>) -> Result<Self, Error> {
        let Some(id) = id else { return Self::default_of(profile) };
        let folder = Self::of(ClusterName::new(profile, id)?)?;
        if folder.is_running()? { Ok(folder) } else { Err(Error::NotFound(folder.name)) }
    }

    /// The cluster named, or the newest where none is, that there is a connection file for and nothing else: it was not
    /// started here.
    pub(crate) fn connected(profile: &str, id: Option<&str>) -> Result<Option<Self>, Error> {
        let ids = match id {
            Some(id) => vec![id.to_owned()],
            None => subfolders(&home()?.join(valid("profile", profile)?))?,
        };
        let folders = ids.iter().filter_map(|id| Self::of(ClusterName::new(profile, id).ok()?).ok());
        let connected = folders.filter(|folder| folder.connection().exists() && !folder.record().exists());
        Ok(connected.max_by_key(|folder| fs::metadata(folder.connection()).and_then(|file| file.modified()).ok()))
    }

    /// Every cluster that was started and not stopped, of one profile or of all, in order of name.
    pub(crate) fn all(profile: Option<&str>) -> Result<Vec<Self>, Error> {
        let home = home()?;
        let profiles = match profile {
            Some(profile) => vec![valid("profile", profile)?],
            None => subfolders(&home)?,
        };
        let mut found = Vec::new();
        for profile in profiles {
            for id in subfolders(&home.join(&profile))? {
                if let Ok(name) = ClusterName::new(&profile, &id) {
                    found.push(Self { path: home.join(&profile).join(&id), name });
                }
            }
        }
        found.retain(|folder| folder.record().exists());
        Ok(found)
    }

    pub(crate) fn name(&self) -> &ClusterName {
        &self.name
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Read by clients.
    pub(crate) fn connection(&self) -> PathBuf {
        self.path.join("connection.json")
    }

    /// Read by engines.
    pub(crate) fn engine_connection(&self) -> PathBuf {
        self.path.join("engine.json")
    }

    /// What was started (see `record`).
    pub(crate) fn record(&self) -> PathBuf {
        self.path.join("cluster.json")
    }

    /// Read by the services.
    pub(crate) fn config(&self) -> PathBuf {
        self.path.join("services.toml")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    pub(crate) fn log(&self, of: &str) -> PathBuf {
        self.logs().join(format!("{of}.log"))
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Large payloads that the scheduler keeps in files.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.store().join("blobs")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    pub(crate) fn is_running(&self) -> Result<bool, Error> {
        Lock::is_held(&self.lock()).map_err(Error::io(format!("cannot read {}", self.lock().display())))
    }

    /// Makes the folder and those in it, closed to other users.
    pub(crate) fn create(&self) -> Result<(), Error> {
        for path in [self.logs(), self.store()] {
            create_private(&path).map_err(Error::io(format!("cannot make {}", path.display())))?;
        }
        Ok(())
    }

    fn started_at(&self) -> Result<SystemTime, Error> {
        let record = self.record();
        let modified = fs::metadata(&record).and_then(|metadata| metadata.modified());
        modified.map_err(Error::io(format!("cannot read {}", record.display())))
    }
}

fn home() -> Result<PathBuf, Error> {
    home::clusters().map_err(Error::io("no folder for clusters"))
}

fn subfolders(path: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(format!("cannot read {}", path.display()))(error)),
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

fn create_private(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A new folder for one cluster's sockets: `$XDG_RUNTIME_DIR/paraply/<name>`, else `/tmp/paraply-<uid>/<name>`.
pub(crate) fn create_socket_folder(name: &str) -> Result<PathBuf, Error> {
    let uid = rustix::process::getuid();
    let base = match home::folder("XDG_RUNTIME_DIR").filter(|path| path.is_dir()) {
        Some(runtime) => runtime.join("paraply"),
        None => PathBuf::from(format!("/tmp/paraply-{}", uid.as_raw())),
    };
    let path = base.join(name);
    if path.join("controller.sock").as_os_str().len() > MAX_SOCKET_PATH {
        return Err(Error::SocketPath(base));
    }
    create_private(&path).map_err(Error::io(format!("cannot make {}", path.display())))?;
    // Anybody can make a folder in /tmp before us: what others can enter is not a place for sockets.
    let there = fs::symlink_metadata(&base).map_err(Error::io(format!("cannot read {}", base.display())))?;
    if !there.is_dir() || there.uid() != uid.as_raw() || there.mode() & 0o077 != 0 {
        return Err(Error::UnsafeFolder(base));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_single_path_components() {
        for good in ["default", "mpi", "1732155000-a1b2", "a.b_c"] {
            assert!(ClusterName::new(DEFAULT, good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".hidden", "a/b", "ä", "a b", &"x".repeat(65)] {
            let error = ClusterName::new(bad, DEFAULT).unwrap_err();
            assert!(error.to_string().contains("is not a name"), "{bad}: {error}");
        }
    }
}
