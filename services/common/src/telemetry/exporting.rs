//! The thread that exports spans: batches, one after the other, and a word to the log when some are lost.

use std::{pin::pin, sync::atomic::Ordering, time::Duration};

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use paraply_core::time::Time;
use tokio::sync::mpsc::Receiver;

use super::{
    otlp::{LAST_SPANS, Shared},
    span::Span,
};
use crate::clock;

/// Spans to a message.
const BATCH: usize = 512;

/// How long the collector may take for one, with all that the library tries again.
const EXPORT: Duration = Duration::from_secs(10);

/// Between two lines in the log about spans that were lost.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Exports until nobody sends any more, or until the process ends and has waited long enough.
pub(super) async fn export(spans: Receiver<Span>, exporter: SpanExporter, shared: &Shared, delay: Duration) {
    let overdue = async {
        shared.ending.cancelled().await;
        clock::sleep_until(clock::now() + LAST_SPANS).await;
    };
    let mut exporting = Exporting { spans, exporter, shared, delay, losses: Losses::default(), identified: false };
    tokio::select! {
        () = exporting.run() => {}
        () = overdue => {}
    }
}

struct Exporting<'a> {
    spans: Receiver<Span>,
    exporter: SpanExporter,
    shared: &'a Shared,
    delay: Duration,
    losses: Losses,
    identified: bool,
}

impl Exporting<'_> {
    async fn run(&mut self) {
        let scope = InstrumentationScope::builder("paraply").with_version(env!("CARGO_PKG_VERSION")).build();
        loop {
            let batch = self.batch(&scope).await;
            if batch.is_empty() {
                return;
            }
            self.send(batch).await;
        }
    }

    /// The next spans to go together; none when it is over.
    async fn batch(&mut self, scope: &InstrumentationScope) -> Vec<SpanData> {
        let Some(first) = self.next().await else { return Vec::new() };
        let mut full = pin!(clock::sleep_until(clock::now() + self.delay));
        let mut batch = vec![first.data(scope)];
        while batch.len() < BATCH {
            tokio::select! {
                biased;
                next = self.next() => match next {
                    Some(next) => batch.push(next.data(scope)),
                    None => break,
                },
                () = full.as_mut() => break,
            }
        }
        batch
    }

    /// The next span; none once the process ends and nothing waits.
    async fn next(&mut self) -> Option<Span> {
        tokio::select! {
            biased;
            next = self.spans.recv() => next,
            () = self.shared.ending.cancelled() => None,
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        if !self.identified {
            self.exporter.set_resource(&self.shared.resource());
            self.identified = true;
        }
        let spans = batch.len() as u64;
        let why = match tokio::time::timeout(EXPORT, self.exporter.export(batch)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("the collector has not answered for {} s", EXPORT.as_secs())),
        };
        self.losses.note(spans, why, self.shared.dropped.load(Ordering::Relaxed));
    }
}

/// What was lost, until it is told.
#[derive(Debug, Default)]
struct Losses {
    /// Spans that the collector did not take.
    refused: u64,
    /// Spans that found no room in the queue: in all, and told of.
    dropped: u64,
    told: u64,
    said: Option<Time>,
}

impl Losses {
    /// A batch was exported, unless there is a reason why it was not; and so many found no room since the start.
    fn note(&mut self, spans: u64, why: Option<String>, dropped: u64) {
        self.dropped = dropped;
        self.refused += if why.is_some() { spans } else { 0 };
        if let Some((refused, dropped)) = self.due(clock::now()) {
            let why = why.unwrap_or_else(|| "they come faster than they are taken".to_owned());
            tracing::warn!(refused, dropped, why, "spans are lost: tasks are not affected");
        }
    }

    /// How many to tell of now: refused, and without room.
    fn due(&mut self, now: Time) -> Option<(u64, u64)> {
        let dropped = self.dropped - self.told;
        let said_of_late = self.said.is_some_and(|said| now < said + BETWEEN_LINES);
        if said_of_late || self.refused + dropped == 0 {
            return None;
        }
        self.said = Some(now);
        self.told = self.dropped;
        Some((std::mem::take(&mut self.refused), dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_once_a_minute_and_each_once() {
        let start = Time(1_000_000_000);
        let mut losses = Losses::default();
        assert_eq!(losses.due(start), None);
        (losses.refused, losses.dropped) = (3, 4);
        assert_eq!(losses.due(start), Some((3, 4)));
        (losses.refused, losses.dropped) = (1, 6);
        assert_eq!(losses.due(start + Duration::from_secs(59)), None);
        losses.refused += 1;
        assert_eq!(losses.due(start + Duration::from_secs(60)), Some((2, 2)));
        assert_eq!(losses.due(start + Duration::from_secs(200)), None);
    }
}
