//! Bearer tokens: who may call what.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response, header::AUTHORIZATION};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::tokens::{TokenSet, Tokens};

/// Refuses calls without the token that they need.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    tokens: Tokens,
}

/// What a call needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Need {
    Nothing,
    Client,
    Engine,
    Either,
    /// It changes the cluster for others.
    Admin,
}

/// Calls that change the cluster for others than their caller.
const ADMIN: [&str; 6] = [
    "/paraply.controller.v1.ClusterService/DrainEngine",
    "/paraply.controller.v1.ClusterService/RemoveEngine",
    "/paraply.controller.v1.ClusterService/ScaleEngines",
    "/paraply.controller.v1.ClusterService/SignalEngines",
    "/paraply.scheduler.v1.TaskService/CancelTasks",
    "/paraply.scheduler.v1.TaskService/PurgeTasks",
];

impl AuthLayer {
    /// With the tokens of one cluster.
    #[must_use]
    pub fn new(tokens: Tokens) -> Self {
        Self { tokens }
    }
}

impl Need {
    /// What is not known needs a client's token, and then answers UNIMPLEMENTED.
    fn of(path: &str) -> Self {
        if ADMIN.contains(&path) {
            return Self::Admin;
        }
        match path.split('/').nth(1).unwrap_or_default() {
            "grpc.health.v1.Health" => Self::Nothing,
            "paraply.controller.v1.MembershipService" | "paraply.scheduler.v1.EngineLinkService" => Self::Engine,
            "paraply.blob.v1.BlobService" => Self::Either,
            _ => Self::Client,
        }
    }

    fn check<B>(self, tokens: &TokenSet, request: &Request<B>) -> Result<(), Status> {
        if self == Self::Nothing {
            return Ok(());
        }
        let Some(header) = request.headers().get(AUTHORIZATION) else {
            return Err(Status::unauthenticated("no token: send `authorization: Bearer <token>`"));
        };
        let Some(token) = bearer(header.as_bytes()) else {
            return Err(Status::unauthenticated("the authorization header is not of the form `Bearer <token>`"));
        };
        // All are compared whatever is needed, so that the time tells nothing.
        let (client, engine) = (tokens.client.matches(token), tokens.engine.matches(token));
        let admin = tokens.admin.as_ref().map(|admin| admin.matches(token));
        // An admin may do what a client may; where there is none, every client is one.
        let (client, is_admin) = (client || admin == Some(true), admin.unwrap_or(client));
        match self {
            Self::Client if client => Ok(()),
            Self::Engine if engine => Ok(()),
            Self::Either if client || engine => Ok(()),
            Self::Admin if is_admin => Ok(()),
            Self::Client | Self::Admin if engine => Err(Status::unauthenticated(
                "this is the engine token, the call needs the client token (of connection.json)",
            )),
            Self::Engine if client => Err(Status::unauthenticated(
                "this is the client token, the call needs the engine token (of engine.json)",
            )),
            Self::Admin if client => Err(Status::permission_denied(
                "this call changes the cluster for others: it needs the admin token (`admin_token` of connection.json, or \
                 PARAPLY_ADMIN_TOKEN), and this is the client token",
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
        Auth { inner, tokens: self.tokens.clone() }
    }
}

/// See [`AuthLayer`].
#[derive(Clone, Debug)]
pub struct Auth<S> {
    inner: S,
    tokens: Tokens,
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
        match Need::of(request.uri().path()).check(&self.tokens.get(), &request) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(status) => Box::pin(async { Ok(status.into_http()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::secret::Secret;

    const CLIENT: &str = "client-token-client-token";
    const ENGINE: &str = "engine-token-engine-token";
    const ADMIN: &str = "admin-token-admin-token";

    fn ask(service: &str, header: Option<&str>) -> Result<(), Status> {
        call(&format!("{service}/Method"), header, Some(ADMIN))
    }

    fn call(method: &str, header: Option<&str>, admin: Option<&str>) -> Result<(), Status> {
        let secret = |text: &str| Secret::try_from(text.to_owned()).unwrap();
        let tokens = TokenSet::new(secret(CLIENT), secret(ENGINE), admin.map(secret));
        let mut request = Request::builder().uri(format!("http://localhost/{method}"));
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
            let admin = ask(service, Some(&format!("Bearer {ADMIN}"))).is_ok();
            assert_eq!(admin, by_client, "{service} with the admin token");
            assert_eq!(ask(service, None).unwrap_err().code(), Code::Unauthenticated);
            for bad in ["Bearer ", "Bearer x", "Basic abc", CLIENT, "Bearer client-token-client-tokeX"] {
                assert_eq!(ask(service, Some(bad)).unwrap_err().code(), Code::Unauthenticated, "{bad:?}");
            }
        }
        assert!(ask("grpc.health.v1.Health", None).is_ok());
    }

    #[test]
    fn what_changes_the_cluster_for_others_needs_the_admin_token_where_there_is_one() {
        let header = |token: &str| format!("Bearer {token}");
        for method in super::ADMIN {
            let method = method.trim_start_matches('/');
            call(method, Some(&header(ADMIN)), Some(ADMIN)).unwrap();
            let status = call(method, Some(&header(CLIENT)), Some(ADMIN)).unwrap_err();
            assert_eq!(status.code(), Code::PermissionDenied, "{method}");
            assert!(status.message().contains("admin_token"), "{status}");
            call(method, Some(&header(CLIENT)), None).unwrap();
            for admin in [Some(ADMIN), None] {
                let status = call(method, Some(&header(ENGINE)), admin).unwrap_err();
                assert_eq!(status.code(), Code::Unauthenticated, "{method}");
            }
        }
    }

    #[test]
    fn the_other_roles_token_is_named() {
        let status = ask("paraply.scheduler.v1.TaskService", Some(&format!("Bearer {ENGINE}"))).unwrap_err();
        assert!(status.message().contains("connection.json"), "{status}");
    }
}
