//! A client's way to a cluster: a connection, and the token with each call.

use paraply_common::{
    bearer::Bearer,
    connection::ConnectionFile,
    transport::{self, DialError},
};
use tonic::{Status, service::interceptor::InterceptedService, transport::Channel};

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

pub(crate) async fn connect(connection: &ConnectionFile) -> Result<Access, ClientError> {
    let channel = transport::connect(&connection.endpoints).await?;
    Ok(InterceptedService::new(channel, Bearer::new(&connection.token)?))
}
