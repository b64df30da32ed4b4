//! Connections and tokens.

use paraply_common::{secret::Secret, transport::connect};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
    transport::Channel,
};

use crate::service::Service;

/// A connection of its own to a service.
pub async fn dial(service: &Service) -> Channel {
    connect(&service.endpoints).await.unwrap()
}

/// Shows a token with every call.
#[derive(Clone, Debug)]
pub struct Bearer(MetadataValue<Ascii>);

/// Shows this token.
#[must_use]
pub fn bearer(token: &Secret) -> Bearer {
    Bearer(format!("Bearer {}", token.expose()).parse().unwrap())
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}
