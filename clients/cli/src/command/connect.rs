//! `paraply connect`: the connection file of a cluster that something else than `paraply start` runs.

use clap::{ArgGroup, Args};
use paraply_common::private_file;

use crate::{
    compose::Project,
    error::Error,
    folder::{ClusterFolder, ClusterName, DEFAULT},
};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true), after_help = "\
Writes $PARAPLY_HOME/PROFILE/CLUSTER/connection.json, which `Client()` finds while no other cluster of the profile runs.

Examples:
  paraply connect --compose                       in the folder of compose.yaml
  paraply connect --compose --project-name lab    the project that was started with -p lab")]
pub(crate) struct Connect {
    /// A cluster that `docker compose up` has started
    #[arg(long, group = "what")]
    compose: bool,

    /// Name of the compose project [default: what compose itself takes, in this folder]
    #[arg(long, value_name = "NAME", requires = "compose")]
    project_name: Option<String>,

    /// Profile to write it under
    #[arg(long, default_value = DEFAULT, env = "PARAPLY_PROFILE")]
    profile: String,

    /// Name to write it under
    #[arg(long, default_value = "compose")]
    cluster_id: String,
}

impl Connect {
    pub(crate) fn run(self) -> Result<(), Error> {
        let folder = ClusterFolder::of(ClusterName::new(&self.profile, &self.cluster_id)?)?;
        if folder.is_running()? {
            return Err(Error::AlreadyRunning(folder.name().clone()));
        }
        let mut connection = Project::find(self.project_name)?.connection()?;
        connection["profile"] = self.profile.into();
        folder.create()?;
        let path = folder.connection();
        let text = serde_json::to_vec_pretty(&connection).map_err(Error::service)?;
        private_file::write(&path, &text).map_err(Error::io(format!("cannot write {}", path.display())))?;
        println!("Wrote {}. In Python: import paraply; rc = paraply.Client()", path.display());
        Ok(())
    }
}
