//! Bearer tokens: who may call what.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, header::AUTHORIZATION};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::secret::Secret;

/// The tokens of a cluster.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Of clients and operators.
    pub client: Secret,
    /// Of engines and schedulers.
    pub engine: Secret,
}

/// Refuses calls without the token that their gRPC service needs.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    tokens: Arc<Tokens>,
}

/// What a gRPC service needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Need {
    Nothing,
    Client,
    Engine,
    Either,
}

impl AuthLayer {
    /// With the tokens of one cluster.
    #[must_use]
    pub fn new(tokens: Tokens) -> Self {
        Self { tokens: Arc::new(tokens) }
    }
}

impl Need {
    /// What is not known needs a client's token, and then answers UNIMPLEMENTED.
    fn of(path: &str) -> Self {
        match path.split('/').nth(1).unwrap_or_default() {
            "grpc.health.v1.Health" => Self::Nothing,
            "paraply.controller.v1.MembershipService" | "paraply.scheduler.v1.EngineLinkService" => Self::Engine,
            "paraply.blob.v1.BlobService" => Self::Either,
            _ => Self::Client,
        }
    }

    fn check<B>(self, tokens: &Tokens, request: &Request<B>) -> Result<(), Status> {
        if self == Self::Nothing {
            return Ok(());
        }
        let Some(header) = request.headers().get(AUTHORIZATION) else {
            return Err(Status::unauthenticated("no token: send `authorization: Bearer <token>`"));
        };
        let Some(token) = bearer(header.as_bytes()) else {
            return Err(Status::unauthenticated("the authorization header is not of the form `Bearer <token>`"));
        };
        // Both are compared whatever is needed, so that the time tells nothing.
        let (client, engine) = (tokens.client.matches(token), tokens.engine.matches(token));
        match self {
            Self::Client if client => Ok(()),
            Self::Engine if engine => Ok(()),
            Self::Either if client || engine => Ok(()),
            Self::Client if engine => Err(Status::unauthenticated(
                "this is the engine token, the call needs the client token (of connection.json)",
            )),
            Self::Engine if client => Err(Status::unauthenticated(
                "this is the client token, the call needs the engine token (of engine.json)",
            )),
            _ => Err(Status::unauthenticated(
                "wrong token: the cluster was made anew, or this is another cluster's connection file",
            )),
        }
    }
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth { inner, tokens: Arc::clone(&self.tokens) }
    }
}

/// See [`AuthLayer`].
#[derive(Clone, Debug)]
pub struct Auth<S> {
    inner: S,
    tokens: Arc<Tokens>,
}

impl<S, B> Service<Request<B>> for Auth<S>
where
    S: Service<Request<B>, Response = Response<Body>, Future: Send + 'static>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match Need::of(request.uri().path()).check(&self.tokens, &request) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(status) => Box::pin(async { Ok(status.into_http()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    const CLIENT: &str = "client-token-client-token";
    const ENGINE: &str = "engine-token-engine-token";

    fn ask(service: &str, header: Option<&str>) -> Result<(), Status> {
        let secret = |text: &str| Secret::try_from(text.to_owned()).unwrap();
        let tokens = Tokens { client: secret(CLIENT), engine: secret(ENGINE) };
        let mut request = Request::builder().uri(format!("http://localhost/{service}/Method"));
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header);
        }
        let request = request.body(()).unwrap();
        Need::of(request.uri().path()).check(&tokens, &request)
    }

    #[test]
    fn each_service_takes_its_own_token_only() {
        let (client, engine) = (format!("Bearer {CLIENT}"), format!("bearer {ENGINE}"));
        for (service, by_client, by_engine) in [
            ("paraply.controller.v1.ClusterService", true, false),
            ("paraply.scheduler.v1.TaskService", true, false),
            ("grpc.reflection.v1.ServerReflection", true, false),
            ("paraply.controller.v1.MembershipService", false, true),
            ("paraply.scheduler.v1.EngineLinkService", false, true),
            ("paraply.blob.v1.BlobService", true, true),
        ] {
            assert_eq!(ask(service, Some(&client)).is_ok(), by_client, "{service} with the client token");
            assert_eq!(ask(service, Some(&engine)).is_ok(), by_engine, "{service} with the engine token");
            assert_eq!(ask(service, None).unwrap_err().code(), Code::Unauthenticated);
            for bad in ["Bearer ", "Bearer x", "Basic abc", CLIENT, "Bearer client-token-client-tokeX"] {
                assert_eq!(ask(service, Some(bad)).unwrap_err().code(), Code::Unauthenticated, "{bad:?}");
            }
        }
        assert!(ask("grpc.health.v1.Health", None).is_ok());
    }

    #[test]
    fn the_other_roles_token_is_named() {
        let status = ask("paraply.scheduler.v1.TaskService", Some(&format!("Bearer {ENGINE}"))).unwrap_err();
        assert!(status.message().contains("connection.json"), "{status}");
    }
}
