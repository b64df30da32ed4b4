//! A client's way to a cluster: a connection, and the token with each call.

use std::time::Duration;

use paraply_common::{
    bearer::Bearer,
    connection::ConnectionFile,
    transport::{self, DialError},
};
use tonic::{Status, service::interceptor::InterceptedService, transport::Channel};

use crate::error::Error;

/// What clients of the services are made with. Cheap to clone.
pub(crate) type Access = InterceptedService<Channel, Bearer>;

/// Why the control plane does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{}: {}", .0.code(), .0.message())]
    Status(#[from] Status),
}

/// Services answer in milliseconds. One that has not in this time hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a service answers, or that it does not.
pub(crate) async fn in_time<T>(service: &str, asking: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| {
        let message = format!(
            "the {service} has not answered for {} s: it hangs, or its machine has too much to do",
            PATIENCE.as_secs()
        );
        Err(Error::Client(Status::deadline_exceeded(message).into()))
    })
}

pub(crate) async fn connect(connection: &ConnectionFile) -> Result<Access, ClientError> {
    let channel = transport::connect(&connection.endpoints).await?;
    Ok(InterceptedService::new(channel, Bearer::new(&connection.token)?))
}
