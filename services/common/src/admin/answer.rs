//! What the admin listener answers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use paraply_core::time::Time;
use tokio::sync::Mutex;
use tonic::{body::Body, service::Routes};
use tower::ServiceExt as _;

use crate::{
    clock, health,
    health::Pulse,
    telemetry::metrics::{CONTENT_TYPE, Collector, text},
};

/// How old figures may be that are told again: however many ask, an actor is asked ten times a second.
const FRESH: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";

/// What there is to see. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admin {
    pulse: Pulse,
    health: Routes,
    figures: Arc<Figures>,
}

#[derive(Debug)]
struct Figures {
    collector: Arc<Collector>,
    latest: Mutex<Option<(Time, Bytes)>>,
}

impl Admin {
    /// Of a service with this actor's pulse, which serves the named gRPC services.
    #[must_use]
    pub fn new(pulse: Pulse, services: &'static [&'static str], collector: Arc<Collector>) -> Self {
        let health = Routes::new(health::server(pulse.clone(), services));
        Self { pulse, health, figures: Arc::new(Figures { collector, latest: Mutex::default() }) }
    }

    /// Answers a request. A body is not read.
    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        if path.starts_with("/grpc.health.v1.Health/") {
            return match self.health.clone().oneshot(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
        }
        if !matches!(path, "/metrics" | "/healthz" | "/readyz") {
            return say(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /healthz, /readyz and gRPC health\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return say(StatusCode::METHOD_NOT_ALLOWED, TEXT, "there is nothing here but to GET\n");
        }
        match path {
            "/metrics" => say(StatusCode::OK, CONTENT_TYPE, self.figures.text().await),
            "/readyz" if !self.pulse.is_alive() => {
                say(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the actor has shown no sign of life in the last second\n")
            }
            _ => say(StatusCode::OK, TEXT, "ok\n"),
        }
    }
}

impl Figures {
    async fn text(&self) -> Bytes {
        let mut latest = self.latest.lock().await;
        if let Some((_, text)) = latest.as_ref().filter(|(at, _)| clock::now().since(*at) < FRESH) {
            return text.clone();
        }
        let text = Bytes::from(text(self.collector.collect().await));
        *latest = Some((clock::now(), text.clone()));
        text
    }
}

fn say(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(Body::new(http_body_util::Full::new(text.into())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    answer
}
