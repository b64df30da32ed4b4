//! The calling end of [`crate::tower::auth`].

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
};

use crate::secret::Secret;

/// Shows a token with each call.
#[derive(Clone, Debug)]
pub struct Bearer(MetadataValue<Ascii>);

impl Bearer {
    /// Shows this token.
    ///
    /// # Errors
    /// UNAUTHENTICATED if it cannot travel in a header, which no token that was read or drawn does.
    pub fn new(token: &Secret) -> Result<Self, Status> {
        let header = format!("Bearer {}", token.expose()).parse();
        let mut header: MetadataValue<Ascii> =
            header.map_err(|_| Status::unauthenticated("the token has characters that no header can have"))?;
        header.set_sensitive(true);
        Ok(Self(header))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}
