//! `paraply engines`: more engines for a running cluster.

use clap::Args;

use super::Cluster;
use crate::{
    control::{self, Reply, Request},
    error::Error,
    supervisor::{MOST_ENGINES, START_PATIENCE},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paraply engines -n 2
  paraply engines -n 2 --profile mpi --cluster-id second")]
pub(crate) struct Engines {
    /// Engines to add
    #[arg(short, long = "engines", value_name = "ENGINES", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_ENGINES)))]
    n: u32,

    #[command(flatten)]
    cluster: Cluster,
}

impl Engines {
    pub(crate) fn run(self) -> Result<(), Error> {
        let folder = self.cluster.running()?;
        let name = folder.name();
        let refused = |message: String| Error::Refused { name: name.clone(), message };
        let request = Request::StartEngines { n: self.n, engine_set: None, wait: true };
        // The supervisor answers by then, unless it hangs.
        match control::ask_within(&folder, &request, START_PATIENCE * 2)? {
            Reply::EngineSet(set) if set.failures.is_empty() => {
                let mut ids = set.engine_ids;
                ids.sort_unstable();
                let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
                println!("Cluster {name} has {} more engines: {}", ids.len(), ids.join(", "));
                Ok(())
            }
            Reply::EngineSet(set) => Err(refused(set.failures.join("\n"))),
            Reply::Error { message, .. } => Err(refused(message)),
            other => Err(refused(format!("{other:?}"))),
        }
    }
}
