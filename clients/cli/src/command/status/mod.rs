//! `paraply status`: what the services themselves say, once or again and again.

mod answers;
mod json;
mod screen;
mod text;
mod watch;

use std::time::Duration;

use clap::Args;
use paraply_proto::controller::v1::{EngineState, EngineStatus};

use super::Reachable;
use crate::{block_on, cluster_client, error::Error};

/// Tasks shown of those that have run for longest.
const LONGEST_RUNNING: u32 = 10;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paraply status
  paraply status --watch               live, until Ctrl-C
  paraply status --watch 0.2 --json    a line of JSON five times a second
  paraply status --profile mpi --json
  paraply status --connection creds/admin/connection.json")]
pub(crate) struct Status {
    #[command(flatten)]
    cluster: Reachable,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Ask again every so many seconds, and show rates, until Ctrl-C [default: 1]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = interval)]
    watch: Option<Duration>,
}

fn interval(seconds: &str) -> Result<Duration, String> {
    let interval = seconds.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let sane = interval.filter(|interval| (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(interval));
    sane.ok_or_else(|| "it is a number of seconds from 0.1 to 3600".to_owned())
}

impl Status {
    pub(crate) fn run(self) -> Result<(), Error> {
        let (connection, folder) = self.cluster.find()?;
        if let Some(interval) = self.watch {
            return block_on(watch::watch(folder.as_ref(), &connection, interval, self.json));
        }
        let answers = block_on(async {
            let dialled = async { Ok(cluster_client::connect(&connection).await?) };
            let access = cluster_client::in_time("controller", dialled).await?;
            answers::ask(&access, LONGEST_RUNNING).await
        })?;
        if self.json {
            println!("{:#}", json::of(&connection, &answers));
        } else {
            text::of(&connection, &answers, None).iter().for_each(|line| println!("{line}"));
        }
        Ok(())
    }
}

fn state(status: &EngineStatus) -> &'static str {
    match status.state() {
        EngineState::Unspecified => "unknown",
        EngineState::Registered => "joining",
        EngineState::Attached => "ready",
        EngineState::Draining => "draining",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_sane_number_of_seconds() {
        assert_eq!(interval("0.2"), Ok(Duration::from_millis(200)));
        for wrong in ["0", "-1", "nan", "1e9", "soon"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
