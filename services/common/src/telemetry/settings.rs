//! What OpenTelemetry's variables say about traces.

use std::{env, time::Duration};

use http::Uri;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use super::span::Attribute;

/// Where the collector listens unless the endpoint names a port.
const PORT: u16 = 4317;

/// How spans are exported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Settings {
    /// Where the collector is: "host:port".
    pub(super) collector: String,
    /// How long a span may wait for others to go with it.
    pub(super) delay: Duration,
    /// Spans that may wait.
    pub(super) queue: usize,
}

/// As the environment says; none where it asks for no traces.
///
/// # Errors
/// A sentence on what asks for something that is not there.
pub(super) fn settings(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Settings>, String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let of_traces = |what: &str| {
        let (first, second) = (format!("OTEL_EXPORTER_OTLP_TRACES_{what}"), format!("OTEL_EXPORTER_OTLP_{what}"));
        set(&first).map(|value| (first, value)).or_else(|| Some((second.clone(), set(&second)?)))
    };
    let Some((name, endpoint)) = of_traces("ENDPOINT") else { return Ok(None) };
    let disabled = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if disabled || set("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none") {
        return Ok(None);
    }
    if let Some((name, protocol)) = of_traces("PROTOCOL").filter(|(_, protocol)| protocol != "grpc") {
        return Err(format!("{name} is {protocol}: spans are sent by grpc only, for example to port {PORT}"));
    }
    let number = |name: &str, otherwise| set(name).and_then(|value| value.parse().ok()).unwrap_or(otherwise);
    Ok(Some(Settings {
        collector: address(&endpoint).map_err(|why| format!("{name} is {endpoint}: {why}"))?,
        delay: Duration::from_millis(number("OTEL_BSP_SCHEDULE_DELAY", 1000)),
        queue: usize::try_from(number("OTEL_BSP_MAX_QUEUE_SIZE", 2048)).unwrap_or(usize::MAX).clamp(1, 1 << 20),
    }))
}

fn address(endpoint: &str) -> Result<String, &'static str> {
    const FORM: &str = "it is to be of the form http://host:4317";
    let uri: Uri = endpoint.parse().map_err(|_| FORM)?;
    if uri.scheme_str() == Some("https") {
        return Err("services send spans without TLS: give them the http:// address of a collector on their network");
    }
    if uri.scheme_str().is_some_and(|scheme| scheme != "http") {
        return Err(FORM);
    }
    let host = uri.host().filter(|host| !host.is_empty()).ok_or(FORM)?;
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(PORT)))
}

/// Who exports: what the environment says, and what is known beside it.
pub(super) fn resource(service: &'static str, attributes: Vec<Attribute>) -> Resource {
    let named = env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty())
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|list| list.contains("service.name="));
    let resource = Resource::builder().with_attributes(attributes).with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("host.name", rustix::system::uname().nodename().to_string_lossy().into_owned()),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ]);
    if named { resource.build() } else { resource.with_service_name(service).build() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(variables: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        settings(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    const HERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317");

    #[test]
    fn nothing_is_asked_for_without_an_endpoint_or_where_traces_are_off() {
        assert_eq!(given(&[]), Ok(None));
        assert_eq!(given(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), Ok(None));
        assert_eq!(given(&[HERE, ("OTEL_SDK_DISABLED", "True")]), Ok(None));
        assert_eq!(given(&[HERE, ("OTEL_TRACES_EXPORTER", "none")]), Ok(None));
    }

    #[test]
    fn the_endpoint_of_traces_goes_first_and_a_port_is_added() {
        let found = given(&[HERE, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://far")]).unwrap().unwrap();
        assert_eq!(found.collector, "far:4317");
        assert_eq!(found.delay, Duration::from_secs(1));
        let found = given(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "[::1]:99"), ("OTEL_BSP_SCHEDULE_DELAY", "20")]);
        let found = found.unwrap().unwrap();
        assert_eq!((found.collector.as_str(), found.delay), ("[::1]:99", Duration::from_millis(20)));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let wrong = [
            [HERE, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
            [("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:4317"), ("X", "")],
            [("OTEL_EXPORTER_OTLP_ENDPOINT", "unix:/run/collector"), ("X", "")],
            [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"), ("X", "")],
        ];
        for variables in wrong {
            let error = given(&variables).unwrap_err();
            assert!(error.starts_with("OTEL_EXPORTER_OTLP_"), "{error}");
        }
    }
}
