//! A client's way to a cluster: a connection, and the token with each call.

use std::time::Duration;

use paraply_common::{
    bearer::Bearer,
    connection::ConnectionFile,
    secret::Secret,
    transport::{
        self, DialError,
        tls::{TlsError, TlsSettings},
    },
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
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{}", transport::said(.0))]
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
    connect_with(connection, &connection.token).await
}

/// For calls that change the cluster for others: with the admin's token, where there is one.
pub(crate) async fn connect_as_admin(connection: &ConnectionFile) -> Result<Access, ClientError> {
    connect_with(connection, connection.admin_token.as_ref().unwrap_or(&connection.token)).await
}

async fn connect_with(connection: &ConnectionFile, token: &Secret) -> Result<Access, ClientError> {
    let tls = TlsSettings::of_clients().client("PARAPLY_CERT and PARAPLY_KEY", connection.ca.as_deref())?;
    let channel = transport::connect(&connection.endpoints, &tls).await?;
    Ok(InterceptedService::new(channel, Bearer::new(token)?))
}
