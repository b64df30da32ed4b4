//! Which cluster is meant: what was asked for, else the environment, else the profile's default cluster.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use paraply_common::{clock, home, transport};
use paraply_core::time::Time;

use crate::{
    connect::{ConnectError, Wanted},
    place::Place,
};

/// The profile of those who name none, and the cluster of a profile that is meant where none is named.
const DEFAULT: &str = "default";

/// How often a file that is not there yet is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Finds the cluster; a connection file that is not there is waited for until `end`.
pub(crate) async fn find(wanted: &Wanted, end: Time) -> Result<Place, ConnectError> {
    if let Some((address, token)) = &wanted.address {
        return Place::at(address, &token.0);
    }
    if let Some(file) = &wanted.file {
        return when_there(file, end).await;
    }
    if wanted.profile.is_none() && wanted.cluster.is_none() {
        if let Some(address) = variable("PARAPLY_ADDRESS") {
            let token = variable("PARAPLY_TOKEN").ok_or(ConnectError::NoToken)?;
            return Place::at(&address, &token);
        }
        if let Some(file) = variable("PARAPLY_CONNECTION") {
            return when_there(Path::new(&file), end).await;
        }
    }
    let folder = home::clusters()?.join(wanted.profile.as_deref().unwrap_or(DEFAULT));
    match &wanted.cluster {
        Some(cluster) => when_there(&connection(&folder, cluster), end).await,
        None => default_of(&folder, end).await,
    }
}

async fn when_there(file: &Path, end: Time) -> Result<Place, ConnectError> {
    while !file.exists() {
        again(end).await.ok_or_else(|| ConnectError::NoCluster(file.to_owned()))?;
    }
    Place::read(file)
}

/// The cluster `default` of a profile if it runs, else the newest one that does: one that was killed leaves its files.
async fn default_of(folder: &Path, end: Time) -> Result<Place, ConnectError> {
    let default = connection(folder, DEFAULT);
    loop {
        let mut last = None;
        for file in files(folder, &default) {
            // Whatever is wrong with one cluster, another may run.
            last = match Place::read(&file) {
                Ok(place) => {
                    let connecting = transport::connect(&place.endpoints, &place.tls);
                    match tokio::time::timeout_at(clock::instant(end), connecting).await {
                        Ok(Ok(_)) => return Ok(place),
                        Ok(Err(error)) => Some(ConnectError::Gone { file, error }),
                        Err(_) => {
                            let problem = "no address answered in time".to_owned();
                            last.or(Some(ConnectError::Unreachable { place: place.name(), problem }))
                        }
                    }
                }
                Err(error) => last.or(Some(error)),
            };
        }
        if again(end).await.is_none() {
            return Err(last.unwrap_or(ConnectError::NoCluster(default)));
        }
    }
}

/// The connection files of a profile: the default cluster's, then the others, newest first.
fn files(folder: &Path, default: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let others = entries.map(|entry| entry.path().join("connection.json")).filter(|file| file != default);
    let age = |file: &PathBuf| fs::metadata(file).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut others: Vec<PathBuf> = others.filter(|file| file.exists()).collect();
    others.sort_by_key(|file| std::cmp::Reverse(age(file)));
    default.exists().then(|| default.to_owned()).into_iter().chain(others).collect()
}

/// Waits a moment; nothing where the time is over.
async fn again(end: Time) -> Option<()> {
    if clock::now() >= end {
        return None;
    }
    clock::sleep_until(end.min(clock::now() + LOOK)).await;
    Some(())
}

fn connection(folder: &Path, cluster: &str) -> PathBuf {
    folder.join(cluster).join("connection.json")
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_cluster_goes_before_others() {
        let folder = tempfile::tempdir().unwrap();
        let default = connection(folder.path(), DEFAULT);
        assert!(files(folder.path(), &default).is_empty());
        for cluster in ["older", DEFAULT] {
            let file = connection(folder.path(), cluster);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
        }
        let found = files(folder.path(), &default);
        assert_eq!(found, [default, connection(folder.path(), "older")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_does_not_come_is_waited_for_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("connection.json");
        let before = clock::now();
        let wanted = Wanted { file: Some(file.clone()), ..Wanted::default() };
        let error = find(&wanted, before + Duration::from_secs(3)).await.unwrap_err();
        assert!(matches!(&error, ConnectError::NoCluster(named) if *named == file), "{error}");
        assert!(clock::now().since(before) >= Duration::from_secs(3));
    }
}
