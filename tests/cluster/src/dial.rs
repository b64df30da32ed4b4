//! Connections and tokens.

pub use paraply_common::bearer::Bearer;
use paraply_common::{
    secret::Secret,
    transport::{connect, tls::ClientTls},
};
use tonic::transport::Channel;

use crate::service::Service;

/// A connection of its own to a service.
pub async fn dial(service: &Service) -> Channel {
    connect(&service.endpoints, &ClientTls::default()).await.unwrap()
}

/// Shows this token with every call.
#[must_use]
pub fn bearer(token: &Secret) -> Bearer {
    Bearer::new(token).unwrap()
}
