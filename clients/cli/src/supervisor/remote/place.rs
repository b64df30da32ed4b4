//! Where a cluster runs, and how it comes to be there.

use std::time::Duration;

use paraply_common::{connection::ConnectionFile, spawn::Task};

#[cfg(feature = "kubernetes")]
use crate::kubernetes::Namespace;
use crate::{blocking, compose::Project, error::Error, fleet::Fleet, folder::ClusterFolder};

/// A place that a cluster is to run in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Docker(Project),
    #[cfg(feature = "kubernetes")]
    Kubernetes(Namespace),
}

/// A cluster that is up.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) connection: ConnectionFile,
    /// What has to go on for it to be reached.
    pub(super) _way: Option<Task<()>>,
}

impl Place {
    /// In containers: a project of compose that is called after the cluster.
    pub(crate) fn docker(folder: &ClusterFolder) -> Result<Self, Error> {
        let name = format!("paraply-{}-{}", folder.name().profile(), folder.name().id()).to_lowercase();
        // Compose takes no others.
        let name = name.replace('.', "-");
        Project::create(&name, folder.path().to_owned()).map(Self::Docker)
    }

    pub(crate) fn launcher(&self) -> &'static str {
        match self {
            Self::Docker(_) => "docker",
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(_) => "kubernetes",
        }
    }

    /// Such as "the compose project paraply-default-lab".
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Docker(project) => format!("the compose project {}", project.name),
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(namespace) => format!("the namespace {}", namespace.name()),
        }
    }

    /// How long engines may take to come: images may have to be fetched.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Docker(_) => Duration::from_secs(60),
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(_) => Duration::from_secs(300),
        }
    }

    /// Starts the cluster. Done when the controller's credentials are known.
    pub(super) async fn up(self, engines: u32) -> Result<Up, Error> {
        match self {
            Self::Docker(project) => {
                let started = blocking(move || {
                    project.up(engines)?;
                    project.connection()
                });
                let connection = serde_json::from_value(started.await?).map_err(Error::service)?;
                Ok(Up { connection, _way: None })
            }
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(namespace) => {
                let (connection, way) = namespace.up(engines).await?;
                Ok(Up { connection, _way: Some(way) })
            }
        }
    }

    /// Whether somebody there launches engines, told by the controller.
    pub(super) fn launches(&self) -> bool {
        !matches!(self, Self::Docker(_))
    }

    /// Has so many engines be there, where nobody else does it.
    pub(super) async fn scale(self, engines: u32, fleet: Fleet) -> Result<(), Error> {
        match self {
            Self::Docker(project) => blocking(move || project.scale(engines, &fleet)).await,
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(_) => Ok(()),
        }
    }

    /// Takes the cluster away.
    pub(super) async fn down(self) -> Result<(), Error> {
        match self {
            Self::Docker(project) => blocking(move || project.down()).await,
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(namespace) => namespace.down().await,
        }
    }
}
