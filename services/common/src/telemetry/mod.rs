//! What a process says of itself: structured events on standard error, for people or for machines; metrics for who asks,
//! and for a collector; spans of traced calls, for a collector.

mod exporting;
pub mod metrics;
mod otlp;
mod publish;
mod settings;
mod span;
mod traceparent;

pub use publish::{PublishError, Published, Publisher};
use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing_subscriber::{EnvFilter, filter::ParseError, util::TryInitError};

pub use otlp::Spans;
pub use span::{Attribute, Event, Kind, Span, attribute, new_span_id};
pub use traceparent::TraceParent;

/// An event that cannot be written is lost. To say so on standard error, as the library does by default, panics where
/// that is on the same full disk.
const SAY_WHAT_CANNOT_BE_SAID: bool = false;

/// How events are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line of text each.
    #[default]
    Text,
    /// A JSON object each, with the fields of the spans around it.
    Json,
}

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("{filter:?} is not a log filter (such as `info` or `info,paraply_scheduler=debug`): {source}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// It was started before.
    #[error(transparent)]
    Started(#[from] TryInitError),
}

/// Starts it, once a process. `filter` is as in `RUST_LOG`, such as "info,paraply_scheduler=debug".
///
/// # Errors
/// If the filter is malformed or telemetry was started before.
pub fn init(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    use tracing_subscriber::util::SubscriberInitExt as _;
    let filter =
        EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    let writer = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let writer = writer.log_internal_errors(SAY_WHAT_CANNOT_BE_SAID);
    match format {
        LogFormat::Text => writer.with_ansi(std::io::stderr().is_terminal()).finish().try_init()?,
        LogFormat::Json => writer.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

/// Starts it in an engine, whose standard error is its tasks': events go to `file`, filtered as `PARAPLY_LOG` says
/// ("info" if it says nothing).
///
/// # Errors
/// If the filter is malformed or telemetry was started before.
pub fn init_engine(file: std::fs::File) -> Result<(), TelemetryError> {
    use tracing_subscriber::util::SubscriberInitExt as _;
    let filter = std::env::var("PARAPLY_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|source| TelemetryError::Filter { filter, source })?;
    let ansi = file.is_terminal();
    let writer = std::sync::Arc::new(file);
    let writer = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(writer);
    writer.log_internal_errors(SAY_WHAT_CANNOT_BE_SAID).finish().try_init()?;
    Ok(())
}
