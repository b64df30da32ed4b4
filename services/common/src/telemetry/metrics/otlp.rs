//! Metrics as OTLP has them: totals since the process began, under the names that Prometheus sees too.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
        metric, number_data_point,
    },
    resource::v1::Resource,
};

use super::{Data, Family, Histogram, Point};

/// Whose figures they are, as the OpenTelemetry specification wants it said: `OTEL_SERVICE_NAME` and
/// `OTEL_RESOURCE_ATTRIBUTES` count before what the service says of itself.
pub(super) fn resource(service: &'static str) -> Resource {
    let named = std::env::var_os("OTEL_SERVICE_NAME").is_some();
    let builder = opentelemetry_sdk::Resource::builder();
    let resource = if named { builder } else { builder.with_service_name(service) }.build();
    let said = resource.iter().map(|(key, value)| KeyValue {
        key: key.to_string(),
        value: Some(value.clone().into()),
        ..KeyValue::default()
    });
    let mut attributes: Vec<KeyValue> = said.collect();
    for (key, value) in [
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("host.name", rustix::system::uname().nodename().to_string_lossy().into_owned()),
        ("process.pid", std::process::id().to_string()),
    ] {
        if !attributes.iter().any(|attribute| attribute.key == key) {
            attributes.push(text(key, &value));
        }
    }
    Resource { attributes, ..Resource::default() }
}

/// The message that brings these figures of now.
pub(super) fn request(
    resource: &Resource,
    families: Vec<Family>,
    started_unix_nanos: u64,
    now_unix_nanos: u64,
) -> ExportMetricsServiceRequest {
    let times = Times { started: started_unix_nanos, now: now_unix_nanos };
    let scope = InstrumentationScope {
        name: "paraply".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_metrics = ScopeMetrics {
        scope: Some(scope),
        metrics: families.into_iter().map(|family| metric(family, times)).collect(),
        ..ScopeMetrics::default()
    };
    let resource_metrics = ResourceMetrics {
        resource: Some(resource.clone()),
        scope_metrics: vec![scope_metrics],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }
}

#[derive(Clone, Copy)]
struct Times {
    started: u64,
    now: u64,
}

fn metric(family: Family, times: Times) -> Metric {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    let data = match family.data {
        Data::Counter(points) => {
            metric::Data::Sum(Sum { data_points: numbers(points, times), aggregation_temporality, is_monotonic: true })
        }
        Data::Gauge(points) => metric::Data::Gauge(Gauge { data_points: numbers(points, times) }),
        Data::Histogram(points) => {
            let points = points.into_iter().map(|point| HistogramDataPoint {
                attributes: attributes(&point.labels),
                start_time_unix_nano: times.started,
                time_unix_nano: times.now,
                count: point.value.count(),
                sum: Some(point.value.sum()),
                bucket_counts: point.value.counts().to_vec(),
                explicit_bounds: Histogram::bounds().collect(),
                ..HistogramDataPoint::default()
            });
            let data_points = points.collect();
            metric::Data::Histogram(opentelemetry_proto::tonic::metrics::v1::Histogram {
                data_points,
                aggregation_temporality,
            })
        }
    };
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: unit(family.name).to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn numbers(points: Vec<Point<f64>>, times: Times) -> Vec<NumberDataPoint> {
    let number = |point: Point<f64>| NumberDataPoint {
        attributes: attributes(&point.labels),
        start_time_unix_nano: times.started,
        time_unix_nano: times.now,
        value: Some(number_data_point::Value::AsDouble(point.value)),
        ..NumberDataPoint::default()
    };
    points.into_iter().map(number).collect()
}

fn attributes(labels: &[(&'static str, std::borrow::Cow<'static, str>)]) -> Vec<KeyValue> {
    labels.iter().map(|(label, name)| text(label, name)).collect()
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// In UCUM, as OTLP wants it.
fn unit(name: &str) -> &'static str {
    match name.strip_suffix("_total").unwrap_or(name).rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_at_the_end_of_names() {
        let units =
            ["paraply_process_cpu_seconds_total", "paraply_held_bytes", "paraply_tasks_finished_total"].map(unit);
        assert_eq!(units, ["s", "By", "1"]);
    }

    #[test]
    fn totals_say_since_when_and_histograms_have_all_buckets() {
        let mut took = Histogram::default();
        took.record(3_000_000);
        let families = vec![
            Family::counter("paraply_a_total", "A.", vec![Point::of("outcome", "ok", 2.0)]),
            Family::histogram("paraply_b_seconds", "B.", took),
        ];
        let request = request(&resource("paraply-test"), families, 5, 7);
        let [resource_metrics] = &request.resource_metrics[..] else { panic!("one resource") };
        let named = resource_metrics.resource.as_ref().unwrap().attributes.iter();
        assert!(named.clone().any(|attribute| attribute.key == "service.name"));
        let metrics = &resource_metrics.scope_metrics[0].metrics;
        let Some(metric::Data::Sum(sum)) = &metrics[0].data else { panic!("a counter is a sum") };
        assert!(sum.is_monotonic && sum.data_points[0].start_time_unix_nano == 5);
        assert_eq!(sum.data_points[0].attributes, [text("outcome", "ok")]);
        let Some(metric::Data::Histogram(histogram)) = &metrics[1].data else { panic!("a histogram is one") };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum, point.time_unix_nano), (1, Some(0.003), 7));
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    }
}
