//! Sends metrics to a collector by OTLP/gRPC, now and then and at the end. Figures are totals, so one that did not arrive
//! is made good by the next: nothing is tried again, nothing is queued.

use std::{env, sync::Arc, time::Duration};

use opentelemetry_proto::tonic::{
    collector::metrics::v1::metrics_service_client::MetricsServiceClient, resource::v1::Resource,
};
use paraply_core::time::Time;
use percent_encoding::percent_decode_str;
use tokio::sync::oneshot;
use tonic::{
    Request, Status,
    metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap},
    transport::{Channel, Endpoint},
};

use super::{Collector, otlp, process};
use crate::{clock, spawn::Task, thread::RuntimeThread};

const INTERVAL: Duration = Duration::from_secs(60);

/// How long a collector may take, if `OTEL_EXPORTER_OTLP_TIMEOUT` does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last sending may take: who ends does not wait for a collector that is not there.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long is waited for the thread that sends.
const PATIENCE: Duration = Duration::from_millis(750);

/// Between two lines in the log that say the same.
const COMPLAINTS: Duration = Duration::from_secs(60);

/// The longest answer of a collector that is read.
const ANSWER: usize = 64 << 10;

/// Where to, how often, and with what.
#[derive(Clone, Debug)]
pub struct PushSettings {
    endpoint: Endpoint,
    headers: MetadataMap,
    interval: Duration,
    timeout: Duration,
}

impl PushSettings {
    /// As OpenTelemetry's variables say. `None` where they name no collector for metrics, or one that cannot be used: what
    /// is wrong is logged, and no reason for a service not to start.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let of_metrics = |name: &str| {
            variable(&format!("OTEL_EXPORTER_OTLP_METRICS_{name}"))
                .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        let off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
            || variable("OTEL_METRICS_EXPORTER").is_some_and(|value| value == "none");
        let address = of_metrics("ENDPOINT").filter(|_| !off)?;
        if let Some(protocol) = of_metrics("PROTOCOL").filter(|protocol| protocol != "grpc") {
            tracing::warn!(protocol, "metrics are not exported: OTEL_EXPORTER_OTLP_PROTOCOL can be `grpc` only");
            return None;
        }
        let endpoint = match Endpoint::from_shared(address.clone()) {
            Ok(endpoint) if endpoint.uri().scheme_str() == Some("http") => endpoint,
            _ => {
                tracing::warn!(
                    address,
                    "metrics are not exported: OTEL_EXPORTER_OTLP_ENDPOINT has to be `http://host:port`, such as that of \
                     a collector on this machine"
                );
                return None;
            }
        };
        let millis = |value: Option<String>, default: Duration| {
            let millis = value.and_then(|value| value.trim().parse().ok()).filter(|millis| *millis > 0);
            millis.map_or(default, Duration::from_millis)
        };
        let timeout = millis(of_metrics("TIMEOUT"), TIMEOUT);
        Some(Self {
            endpoint: endpoint.connect_timeout(timeout).timeout(timeout),
            headers: headers(&of_metrics("HEADERS").unwrap_or_default()),
            interval: millis(variable("OTEL_METRIC_EXPORT_INTERVAL"), INTERVAL),
            timeout,
        })
    }
}

/// `key=value,key=value`, values percent-encoded. Of a pair that can be no header the rest are sent all the same.
fn headers(list: &str) -> MetadataMap {
    let mut headers = MetadataMap::new();
    for (key, value) in list.split(',').filter_map(|pair| pair.split_once('=')) {
        let key = key.trim().to_ascii_lowercase().parse::<AsciiMetadataKey>();
        let value = percent_decode_str(value.trim()).decode_utf8().ok();
        let value = value.and_then(|value| value.parse::<AsciiMetadataValue>().ok());
        match (key, value) {
            (Ok(key), Some(mut value)) => {
                value.set_sensitive(true);
                headers.insert(key, value);
            }
            _ => tracing::warn!("OTEL_EXPORTER_OTLP_HEADERS has a pair that can be no header: it is not sent"),
        }
    }
    headers
}

/// Metrics on their way to a collector, as long as this lives.
#[derive(Debug)]
pub struct Push {
    last: oneshot::Sender<()>,
    task: Task<()>,
}

impl Push {
    /// Starts on `thread`, for a service of this name.
    #[must_use]
    pub fn start(
        settings: PushSettings,
        service: &'static str,
        figures: Arc<Collector>,
        thread: &RuntimeThread,
    ) -> Self {
        let (last, mut ending) = oneshot::channel();
        let (interval, timeout) = (settings.interval, settings.timeout);
        tracing::info!(endpoint = %settings.endpoint.uri(), ?interval, "metrics are exported by OTLP");
        let task = thread.spawn(async move {
            // Connects at the first call, which has to happen on the runtime that the connection is to live on.
            let mut sender = Sender {
                client: MetricsServiceClient::new(settings.endpoint.connect_lazy()).max_decoding_message_size(ANSWER),
                headers: settings.headers,
                resource: otlp::resource(service),
                complained: None,
            };
            let mut due = clock::now() + interval;
            loop {
                let sending = async {
                    clock::sleep_until(due).await;
                    sender.send(&figures, timeout).await;
                };
                tokio::select! {
                    // Also in the middle of another: the last has what that one has.
                    _ = &mut ending => break,
                    () = sending => due = clock::now().max(due + interval),
                }
            }
            sender.send(&figures, FAREWELL).await;
        });
        Self { last, task }
    }

    /// Sends a last time, and waits for that a moment.
    pub async fn finish(self) {
        let Self { last, task } = self;
        // It has panicked if it does not hear, and has said so itself.
        let _ = last.send(());
        let _late_or_panicked = tokio::time::timeout(PATIENCE, task).await;
    }
}

struct Sender {
    client: MetricsServiceClient<Channel>,
    headers: MetadataMap,
    resource: Resource,
    complained: Option<Time>,
}

impl Sender {
    async fn send(&mut self, figures: &Collector, timeout: Duration) {
        let sent = tokio::time::timeout(timeout, async {
            let families = figures.collect().await;
            let (started, now) = (process::started_unix_nanos(), clock::unix_nanos());
            let mut request = Request::new(otlp::request(&self.resource, families, started, now));
            *request.metadata_mut() = self.headers.clone();
            self.client.export(request).await
        });
        let sent = sent.await.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        match sent.map(|answer| answer.into_inner().partial_success) {
            Ok(None) => self.complained = None,
            Ok(Some(partial)) if partial.rejected_data_points == 0 => self.complained = None,
            Ok(Some(partial)) => self.complain(&partial.error_message),
            Err(status) => self.complain(&format!("{}: {}", status.code(), status.message())),
        }
    }

    fn complain(&mut self, error: &str) {
        let now = clock::now();
        if self.complained.is_none_or(|last| now.since(last) >= COMPLAINTS) {
            let error: String = error.chars().take(500).collect();
            tracing::warn!(error, "the OTLP collector did not take the metrics; the next ones make up for it");
            self.complained = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Option<PushSettings> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        PushSettings::from_variables(find)
    }

    const HERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");

    #[test]
    fn nothing_is_sent_unless_a_collector_is_named() {
        assert!(settings(&[]).is_none());
        assert!(settings(&[(HERE.0, " ")]).is_none());
        assert!(settings(&[HERE, ("OTEL_SDK_DISABLED", "true")]).is_none());
        assert!(settings(&[HERE, ("OTEL_METRICS_EXPORTER", "none")]).is_none());
        for unusable in ["https://collector:4317", "collector:4317", "::", "http://"] {
            assert!(settings(&[(HERE.0, unusable)]).is_none(), "{unusable}");
        }
        assert!(settings(&[HERE, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]).is_none());
    }

    #[test]
    fn variables_of_metrics_count_before_those_of_everything() {
        let found = settings(&[
            HERE,
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://there:1"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b,nonsense,b c=1, x=y"),
        ]);
        let found = found.unwrap();
        assert_eq!(found.endpoint.uri(), "http://there:1");
        assert_eq!((found.interval, found.timeout), (Duration::from_millis(250), TIMEOUT));
        assert_eq!(found.headers.get("api-key").unwrap(), "a b");
        assert_eq!((found.headers.len(), found.headers.get("x").unwrap().to_str().unwrap()), (2, "y"));
    }
}
