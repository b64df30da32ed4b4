//! `paraply connect`: the connection file of a cluster that something else than `paraply start` runs.

use clap::{ArgGroup, Args};
use paraply_common::private_file;
use serde_json::Value;

#[cfg(feature = "kubernetes")]
use crate::{
    block_on,
    command::credentials::tls,
    kubernetes::{PREFIX, Place},
};
use crate::{
    compose::Project,
    error::Error,
    folder::{ClusterFolder, ClusterName, DEFAULT},
};

/// What a cluster of `compose.yaml` is written under.
const COMPOSE: &str = "compose";

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true), after_help = "\
Writes $PARAPLY_HOME/PROFILE/CLUSTER/connection.json, which `Client()` finds while no other cluster of the profile runs.

Examples:
  paraply connect --compose                       in the folder of compose.yaml
  paraply connect --compose --project-name lab    the project that was started with -p lab
  paraply connect --kubernetes                    the namespace paraply, in the kubeconfig's current context
  paraply connect --kubernetes --endpoint tls:paraply.example:443
                                                  the same, behind an ingress")]
pub(crate) struct Connect {
    /// A cluster that `docker compose up` has started
    #[arg(long, group = "what")]
    compose: bool,

    /// Name of the compose project [default: what compose itself takes, in this folder]
    #[arg(long, value_name = "NAME", requires = "compose")]
    project_name: Option<String>,

    /// A cluster that `kubectl apply -f deploy/k8s` has started, as far as your kubeconfig lets you see it
    #[cfg(feature = "kubernetes")]
    #[arg(long, group = "what")]
    kubernetes: bool,

    /// Context of the kubeconfig [default: the current one]
    #[cfg(feature = "kubernetes")]
    #[arg(long, value_name = "NAME", requires = "kubernetes")]
    context: Option<String>,

    /// Namespace of the cluster
    #[cfg(feature = "kubernetes")]
    #[arg(long, value_name = "NAME", default_value = "paraply", requires = "kubernetes")]
    namespace: String,

    /// Where the controller is reached from here, such as an ingress: tls:HOST:PORT [default: by a port-forward]
    #[cfg(feature = "kubernetes")]
    #[arg(long, value_name = "ADDRESS", requires = "kubernetes")]
    endpoint: Option<String>,

    /// Profile to write it under
    #[arg(long, default_value = DEFAULT, env = "PARAPLY_PROFILE")]
    profile: String,

    /// Name to write it under [default: compose, or the namespace]
    #[arg(long)]
    cluster_id: Option<String>,
}

/// What was found.
struct Found {
    connection: Value,
    /// What there is to do before it is of use.
    hint: Option<String>,
}

impl Connect {
    pub(crate) fn run(self) -> Result<(), Error> {
        let folder = ClusterFolder::of(ClusterName::new(&self.profile, self.name())?)?;
        if folder.is_running()? {
            return Err(Error::AlreadyRunning(folder.name().clone()));
        }
        let Found { mut connection, hint } = self.find()?;
        connection["profile"] = self.profile.into();
        folder.create()?;
        let path = folder.connection();
        let text = serde_json::to_vec_pretty(&connection).map_err(Error::service)?;
        private_file::write(&path, &text).map_err(Error::io(format!("cannot write {}", path.display())))?;
        println!("Wrote {}. In Python: import paraply; rc = paraply.Client()", path.display());
        hint.iter().for_each(|hint| println!("{hint}"));
        Ok(())
    }

    #[cfg(feature = "kubernetes")]
    fn name(&self) -> &str {
        let default = if self.kubernetes { &self.namespace } else { COMPOSE };
        self.cluster_id.as_deref().unwrap_or(default)
    }

    #[cfg(not(feature = "kubernetes"))]
    fn name(&self) -> &str {
        self.cluster_id.as_deref().unwrap_or(COMPOSE)
    }

    #[cfg(feature = "kubernetes")]
    fn find(&self) -> Result<Found, Error> {
        if !self.kubernetes {
            return self.find_compose();
        }
        let endpoint = self.endpoint.as_deref().map(tls).transpose()?;
        let place = Place { namespace: self.namespace.clone(), context: self.context.clone() };
        let mut connection = block_on(place.connection())?;
        let hint = match endpoint {
            Some(endpoint) => {
                connection.endpoints = vec![endpoint];
                None
            }
            None => Some(format!(
                "It is reached while this runs: kubectl -n {} port-forward service/{PREFIX}-controller 7600",
                self.namespace
            )),
        };
        Ok(Found { connection: serde_json::to_value(&connection).map_err(Error::service)?, hint })
    }

    #[cfg(not(feature = "kubernetes"))]
    fn find(&self) -> Result<Found, Error> {
        self.find_compose()
    }

    fn find_compose(&self) -> Result<Found, Error> {
        Ok(Found { connection: Project::find(self.project_name.as_deref())?.connection()?, hint: None })
    }
}
