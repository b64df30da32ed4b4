//! A client of a cluster's control plane.

use paraply_common::{
    connection::ConnectionFile,
    transport::{self, DialError},
};
use paraply_proto::controller::v1::cluster_service_client::ClusterServiceClient;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

pub(crate) type ClusterClient = ClusterServiceClient<InterceptedService<Channel, Bearer>>;

/// Why the control plane does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("{}: {}", .0.code(), .0.message())]
    Status(#[from] Status),
}

/// Sends a token with each call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub(crate) async fn connect(connection: &ConnectionFile) -> Result<ClusterClient, ClientError> {
    let channel = transport::connect(&connection.endpoints).await?;
    let header = format!("Bearer {}", connection.token.expose());
    let mut token: MetadataValue<Ascii> =
        header.parse().map_err(|_| Status::unauthenticated("the token of the connection file is not one"))?;
    token.set_sensitive(true);
    Ok(ClusterServiceClient::with_interceptor(channel, Bearer(token)))
}
