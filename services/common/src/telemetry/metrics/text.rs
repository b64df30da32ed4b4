//! Metrics as Prometheus scrapes them: its text format, version 0.0.4.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, prometheus_text},
    metrics::MetricType,
    registry::Registry,
};

use super::{Data, Family, Histogram, Point};

/// What `Content-Type` says of the text.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// The text.
#[must_use]
pub fn text(families: Vec<Family>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot(families)));
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}

/// Figures as the library asks for them.
#[derive(Debug)]
struct Snapshot(Vec<Family>);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { name, help, data } in &self.0 {
            match data {
                Data::Counter(points) => {
                    // The library adds what it takes for granted.
                    let name = name.strip_suffix("_total").unwrap_or(name);
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    each(&mut metric, points, |metric, value| {
                        metric.encode_counter::<[(&str, &str); 0], _, f64>(value, None)
                    })?;
                }
                Data::Gauge(points) => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    each(&mut metric, points, |metric, value| metric.encode_gauge(value))?;
                }
                Data::Histogram(points) => {
                    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
                    each(&mut metric, points, |metric, value| {
                        let bounds = Histogram::bounds().chain([f64::INFINITY]);
                        let buckets: Vec<(f64, u64)> = bounds.zip(value.counts().iter().copied()).collect();
                        metric.encode_histogram::<[(&str, &str); 0]>(value.sum(), value.count(), &buckets, None)
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// Writes each point with its labels.
fn each<T>(
    metric: &mut MetricEncoder<'_>,
    points: &[Point<T>],
    write: impl Fn(&mut MetricEncoder<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    points.iter().try_for_each(|point| {
        let labels: Vec<(&str, &str)> = point.labels.iter().map(|(label, name)| (*label, &**name)).collect();
        write(&mut metric.encode_family(&labels)?, &point.value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_prometheus_reads_them() {
        let mut took = Histogram::default();
        [90_000, 2_000_000, 5_000_000_000_000].into_iter().for_each(|nanos| took.record(nanos));
        let outcomes = vec![Point::of("outcome", "ok", 3.0), Point::of("outcome", "a \"b\"\n", 1.0)];
        let text = text(vec![
            Family::counter("paraply_tasks_finished_total", "Tasks.", outcomes),
            Family::gauge("paraply_tasks_waiting", "Waiting.", Point::alone(1.5)),
            Family::histogram("paraply_task_run_seconds", "Runs.", took),
        ]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..8],
            [
                "# HELP paraply_tasks_finished_total Tasks.",
                "# TYPE paraply_tasks_finished_total counter",
                "paraply_tasks_finished_total{outcome=\"ok\"} 3.0",
                "paraply_tasks_finished_total{outcome=\"a \\\"b\\\"\\n\"} 1.0",
                "# HELP paraply_tasks_waiting Waiting.",
                "# TYPE paraply_tasks_waiting gauge",
                "paraply_tasks_waiting 1.5",
                "# HELP paraply_task_run_seconds Runs.",
            ]
        );
        assert!(lines.contains(&"paraply_task_run_seconds_bucket{le=\"0.0001\"} 1"), "{text}");
        assert!(lines.contains(&"paraply_task_run_seconds_bucket{le=\"1000\"} 2"), "{text}");
        assert_eq!(
            lines[lines.len() - 3..],
            [
                "paraply_task_run_seconds_bucket{le=\"+Inf\"} 3",
                "paraply_task_run_seconds_sum 5000.00209",
                "paraply_task_run_seconds_count 3"
            ]
        );
    }
}
