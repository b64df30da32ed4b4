//! `paraply health`: for health checks of containers, which have no other program to ask with.

use clap::Args;
use paraply_common::transport;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use crate::{
    block_on,
    cluster_client::{ClientError, in_time},
    error::Error,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Exits with 0 if it serves, else with 1.

Example:
  paraply health 127.0.0.1:9600")]
pub(crate) struct Health {
    /// Where the admin listener is (the setting `admin`), "host:port"
    #[arg(value_name = "ADDRESS")]
    address: String,
}

impl Health {
    pub(crate) fn run(self) -> Result<(), Error> {
        let status = block_on(in_time("admin listener", ask(&self.address)))?;
        if status == ServingStatus::Serving { Ok(()) } else { Err(Error::NotServing { address: self.address }) }
    }
}

async fn ask(address: &str) -> Result<ServingStatus, Error> {
    let channel = transport::dial_other(address).map_err(ClientError::from)?;
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await.map_err(ClientError::from)?;
    Ok(answer.into_inner().status())
}
