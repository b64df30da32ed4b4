//! `paraply list`.

use clap::Args;
use serde::Serialize;

use crate::{
    control::{self, Reply, Request},
    error::Error,
    folder::ClusterFolder,
    record::ClusterRecord,
    table,
};

#[derive(Debug, Args)]
#[command(
    after_help = "A cluster that is listed and does not run was killed; `paraply start` of the same name clears it."
)]
pub(crate) struct List {
    /// Only clusters of this profile
    #[arg(long)]
    profile: Option<String>,

    /// Print JSON: a list with what each cluster's record says, and whether it runs
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    record: ClusterRecord,
    running: bool,
    /// Engine processes, of a cluster that runs.
    running_engines: Option<usize>,
}

impl List {
    pub(crate) fn run(self) -> Result<(), Error> {
        let mut clusters = Vec::new();
        for folder in ClusterFolder::all(self.profile.as_deref())? {
            // A cluster can end between the two looks.
            let Ok(record) = ClusterRecord::read(&folder) else { continue };
            let running = folder.is_running()?;
            let running_engines = if running { count_engines(&folder) } else { None };
            clusters.push(Listed { record, running, running_engines });
        }
        if self.json {
            let text = serde_json::to_string_pretty(&clusters).map_err(Error::service)?;
            println!("{text}");
            return Ok(());
        }
        let rows: Vec<_> = clusters
            .into_iter()
            .map(|cluster| {
                let engines = cluster.running_engines.map_or_else(|| "-".to_owned(), |n| n.to_string());
                let running = if cluster.running { "yes" } else { "no" };
                [
                    cluster.record.profile,
                    cluster.record.cluster_id,
                    running.to_owned(),
                    engines,
                    cluster.record.launcher,
                ]
            })
            .collect();
        table::print(["PROFILE", "CLUSTER ID", "RUNNING", "ENGINES", "LAUNCHER"], &rows);
        Ok(())
    }
}

fn count_engines(folder: &ClusterFolder) -> Option<usize> {
    match control::ask(folder, &Request::Status {}) {
        Ok(Reply::Report(report)) => Some(report.engine_sets.values().map(Vec::len).sum()),
        Ok(_) => None,
        // The others are to be listed all the same.
        Err(error) => {
            eprintln!("paraply: {error}");
            None
        }
    }
}
