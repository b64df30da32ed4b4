//! `paraply stop`.

use clap::Args;

use crate::{
    control,
    error::Error,
    folder::{ClusterFolder, DEFAULT},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paraply stop                    the profile's default cluster
  paraply stop second third       two clusters by name
  paraply stop --all              every cluster of every profile")]
pub(crate) struct Stop {
    /// Clusters to stop [default: the one called "default", else the newest that runs]
    ids: Vec<String>,

    /// Stop every cluster, of the profile if one is given; fine if none runs
    #[arg(long, conflicts_with = "ids")]
    all: bool,

    /// Profile of the clusters [default: default; with --all: every profile]
    #[arg(long, env = "PARAPLY_PROFILE")]
    profile: Option<String>,
}

impl Stop {
    pub(crate) fn run(self) -> Result<(), Error> {
        let folders = self.folders()?;
        if folders.is_empty() {
            println!("No cluster is running");
        }
        let mut outcome = Ok(());
        for folder in folders {
            match control::stop(&folder) {
                Ok(()) => println!("Stopped cluster {}", folder.name()),
                // The others are to be stopped all the same.
                Err(error) if outcome.is_err() => eprintln!("paraply: {error}"),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    fn folders(&self) -> Result<Vec<ClusterFolder>, Error> {
        if self.all {
            let mut running = Vec::new();
            for folder in ClusterFolder::all(self.profile.as_deref())? {
                if folder.is_running()? {
                    running.push(folder);
                }
            }
            return Ok(running);
        }
        let profile = self.profile.as_deref().unwrap_or(DEFAULT);
        if self.ids.is_empty() {
            return Ok(vec![ClusterFolder::default_of(profile)?]);
        }
        // Every name is checked before anything is stopped.
        self.ids.iter().map(|id| ClusterFolder::running(profile, Some(id))).collect()
    }
}
