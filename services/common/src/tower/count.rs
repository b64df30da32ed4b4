//! Counts how calls were answered, by gRPC method and status code.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use http::{Request, Response};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::telemetry::metrics::{Family, Point, count};

/// As gRPC numbers and names them.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Counts of one method, by code.
type Counts = [AtomicU64; CODES.len()];

/// The counts of a service, and the layer that counts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CountLayer {
    methods: Arc<Methods>,
}

/// The schema's methods by path. There are no others: what a peer makes up is one.
#[derive(Debug)]
struct Methods {
    known: HashMap<String, Counts>,
    other: Counts,
}

/// See [`CountLayer`].
#[derive(Clone, Debug)]
pub struct Count<S> {
    inner: S,
    methods: Arc<Methods>,
}

impl Default for CountLayer {
    fn default() -> Self {
        let mut known = HashMap::new();
        for descriptors in [paraply_proto::FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET] {
            // They are part of this program; reflection refuses to start where they are unreadable.
            for file in FileDescriptorSet::decode(descriptors).unwrap_or_default().file {
                for service in &file.service {
                    for method in &service.method {
                        let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                        known.insert(path, Counts::default());
                    }
                }
            }
        }
        Self { methods: Arc::new(Methods { known, other: Counts::default() }) }
    }
}

impl CountLayer {
    /// What was counted so far.
    #[must_use]
    pub fn family(&self) -> Family {
        let mut points = Vec::new();
        let known = self.methods.known.iter().map(|(path, counts)| (path.as_str(), counts));
        for (path, counts) in known.chain([("/other/other", &self.methods.other)]) {
            let mut parts = path.splitn(3, '/').skip(1).map(str::to_owned);
            let (service, method) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            for (code, calls) in CODES.into_iter().zip(counts) {
                let calls = calls.load(Ordering::Relaxed);
                if calls > 0 {
                    let mut point = Point::of("service", service.clone(), count(calls));
                    point.labels.extend([("method", method.clone().into()), ("code", code.into())]);
                    points.push(point);
                }
            }
        }
        points.sort_by(|a, b| a.labels.cmp(&b.labels));
        let help = "gRPC calls by how they were answered; a stream counts when it begins.";
        Family::counter("paraply_rpcs_total", help, points)
    }
}

impl Methods {
    fn answered(&self, path: &str, code: Code) {
        let counts = self.known.get(path).unwrap_or(&self.other);
        // Every code has a number below 17.
        if let Some(calls) = counts.get(code as usize) {
            calls.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Count<S> {
        Count { inner, methods: Arc::clone(&self.methods) }
    }
}

impl<S, B, R> Service<Request<B>> for Count<S>
where
    S: Service<Request<B>, Response = Response<R>, Future: Send + 'static>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let uri = request.uri().clone();
        let methods = Arc::clone(&self.methods);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            // A call that is refused says so in its headers.
            let code = Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code());
            methods.answered(uri.path(), code);
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt as _, service_fn};

    use super::*;
    use crate::telemetry::metrics::Data;

    #[tokio::test]
    async fn methods_of_the_schema_are_told_apart_and_made_up_ones_are_not() {
        let layer = CountLayer::default();
        let answer = |request: Request<()>| async move {
            let refused = request.uri().path().contains("made_up");
            Ok::<_, Status>(if refused { Status::unimplemented("no").into_http::<()>() } else { Response::new(()) })
        };
        let service = layer.layer(service_fn(answer));
        let known = "/paraply.controller.v1.ClusterService/ListEngines";
        for path in [known, known, "/made_up.A/B", "/made_up.C/D", "/made_up"] {
            let request = Request::builder().uri(path).body(()).unwrap();
            service.clone().oneshot(request).await.unwrap();
        }
        let Data::Counter(points) = layer.family().data else { panic!("calls are counted") };
        let found: Vec<_> = points
            .iter()
            .map(|point| (point.labels.iter().map(|(_, name)| &**name).collect::<Vec<_>>().join(" "), point.value))
            .collect();
        let expected = [
            ("other other UNIMPLEMENTED".to_owned(), 3.0),
            ("paraply.controller.v1.ClusterService ListEngines OK".to_owned(), 2.0),
        ];
        assert_eq!(found, expected);
    }
}
