//! What the supervisor asks of the controller.

use paraply_common::{connection::ConnectionFile, signal};
use paraply_proto::controller::v1::{
    DrainEngineRequest, GetClusterInfoRequest, RemoveEngineRequest, ScaleEnginesRequest, SignalEnginesRequest,
    cluster_service_client::ClusterServiceClient,
};

use crate::{
    cluster_client::{self, Access, ClientError},
    control::{Reply, Report, ServiceProcess},
};

/// Something to be done with engines.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    Scale(u32),
    /// These leave, and so many are to stay.
    Drain {
        engines: Vec<u32>,
        staying: u32,
    },
    /// Their processes end; what runs them starts others.
    Remove(Vec<u32>),
    Signal {
        engines: Vec<u32>,
        /// Its number on this system.
        number: i32,
    },
}

impl Order {
    /// Has the controller do it; what went wrong, if something did.
    pub(super) async fn give(self, connection: &ConnectionFile) -> Result<(), Reply> {
        if let Self::Signal { number, .. } = self
            && signal::name(number).is_none()
        {
            return Err(Reply::error("invalid", format!("{number} is not the number of a signal")));
        }
        let given = cluster_client::in_time("controller", async { Ok(self.call(client(connection).await?).await?) });
        given.await.map_err(|error| Reply::error("failed", error.to_string()))
    }

    async fn call(self, mut client: ClusterServiceClient<Access>) -> Result<(), ClientError> {
        match self {
            Self::Scale(engines) => {
                client.scale_engines(ScaleEnginesRequest { engines }).await?;
            }
            Self::Drain { engines, staying } => {
                for engine_id in engines {
                    client.drain_engine(DrainEngineRequest { engine_id }).await?;
                }
                client.scale_engines(ScaleEnginesRequest { engines: staying }).await?;
            }
            Self::Remove(engines) => {
                for engine_id in engines {
                    client.remove_engine(RemoveEngineRequest { engine_id }).await?;
                }
            }
            Self::Signal { engines, number } => {
                let signal = signal::name(number).unwrap_or_default().to_owned();
                client.signal_engines(SignalEnginesRequest { engine_ids: engines, signal }).await?;
            }
        }
        Ok(())
    }
}

/// Adds to a report which services there are, and their processes as these see themselves.
pub(super) async fn complete(mut report: Report, connection: &ConnectionFile) -> Report {
    let asked = cluster_client::in_time("controller", async {
        let mut client = client(connection).await?;
        let info = client.get_cluster_info(GetClusterInfoRequest::default()).await.map_err(ClientError::from)?;
        Ok(info.into_inner())
    });
    let info = asked.await.unwrap_or_default();
    let service = |name: &str, pid| ServiceProcess { name: name.to_owned(), pid, restarts: 0 };
    report.services.push(service("controller", info.controller.map(|peer| peer.pid)));
    report.services.push(service("scheduler", info.scheduler.map(|peer| peer.pid)));
    report
}

async fn client(connection: &ConnectionFile) -> Result<ClusterServiceClient<Access>, ClientError> {
    Ok(ClusterServiceClient::new(cluster_client::connect_as_admin(connection).await?))
}
