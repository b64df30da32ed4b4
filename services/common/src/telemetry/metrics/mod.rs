//! Metrics: figures of a process, by name. A service counts in plain numbers where it works and gives a copy when it is
//! asked; what is asked for is written as text for Prometheus, or sent by OTLP.

mod collect;
mod histogram;
mod otlp;
mod process;
mod push;
mod text;

use std::borrow::Cow;

pub use collect::{Collector, Source};
pub use histogram::Histogram;
pub use push::{Push, PushSettings};
pub use text::{CONTENT_TYPE, text};

/// A metric with all its points. Names are Prometheus's: the unit at the end, `_total` behind it where it only grows.
#[derive(Clone, Debug)]
pub struct Family {
    /// Such as "paraply_tasks_finished_total".
    pub name: &'static str,
    /// For people, one line.
    pub help: &'static str,
    /// A point for each set of labels.
    pub data: Data,
}

/// The points of a metric, by what they are.
#[derive(Clone, Debug)]
pub enum Data {
    /// What only grows while the process lives.
    Counter(Vec<Point<f64>>),
    /// What is now.
    Gauge(Vec<Point<f64>>),
    /// How long something took, in seconds.
    Histogram(Vec<Point<Histogram>>),
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Point<T> {
    /// What tells it from others of its metric.
    pub labels: Vec<(&'static str, Cow<'static, str>)>,
    /// How much.
    pub value: T,
}

impl<T> Point<T> {
    /// The only one of its metric.
    #[must_use]
    pub fn alone(value: T) -> Vec<Self> {
        vec![Self { labels: Vec::new(), value }]
    }

    /// One of several that a label tells apart.
    pub fn of(label: &'static str, name: impl Into<Cow<'static, str>>, value: T) -> Self {
        Self { labels: vec![(label, name.into())], value }
    }
}

impl Family {
    /// What only grows; its name ends in `_total`.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str, points: Vec<Point<f64>>) -> Self {
        Self { name, help, data: Data::Counter(points) }
    }

    /// What is now.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str, points: Vec<Point<f64>>) -> Self {
        Self { name, help, data: Data::Gauge(points) }
    }

    /// How long something took; its name ends in `_seconds`.
    #[must_use]
    pub fn histogram(name: &'static str, help: &'static str, value: Histogram) -> Self {
        Self { name, help, data: Data::Histogram(Point::alone(value)) }
    }
}

/// A count as a figure: exact up to 2⁵³, which is more bytes than a network moves in a year.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "see above")]
pub fn count(count: u64) -> f64 {
    count as f64
}
