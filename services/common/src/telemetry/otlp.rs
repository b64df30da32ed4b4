//! Spans on their way to a collector: a bounded queue, and a thread of their own that empties it.
//!
//! The SDK's batch processor would do, but for this: it waits for ever for a collector that takes a connection and never
//! answers, so the queue is emptied here, and the rest (OTLP, retries) is the library's.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use opentelemetry_otlp::{SpanExporter, WithTonicConfig as _};
use tokio::{
    runtime::Builder,
    sync::mpsc::{self, error::TrySendError},
};
use tokio_util::sync::CancellationToken;

use super::{
    exporting,
    settings::{Settings, resource, settings},
    span::{Attribute, Span},
};
use crate::transport::dial_other;

/// What the end of a process may wait for its last spans to leave.
pub(super) const LAST_SPANS: Duration = Duration::from_secs(1);

/// Where spans that are over go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Spans(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: mpsc::Sender<Span>,
    shared: Arc<Shared>,
}

/// What both ends of the queue share.
#[derive(Debug)]
pub(super) struct Shared {
    service: &'static str,
    attributes: Mutex<Vec<Attribute>>,
    /// Spans that found no room.
    pub(super) dropped: AtomicU64,
    pub(super) ending: CancellationToken,
    ended: Mutex<bool>,
    has_ended: Condvar,
}

impl Spans {
    /// Starts the thread, if the environment asks for traces (`OTEL_EXPORTER_OTLP_ENDPOINT`). What it asks for and cannot
    /// be had is logged, and nothing else: traces are never the reason that there is no cluster. `service` and
    /// `attributes` say who exports.
    #[must_use]
    pub fn start(service: &'static str, attributes: Vec<Attribute>) -> Option<Self> {
        let settings = settings(|name| std::env::var(name).ok()).unwrap_or_else(|error| {
            tracing::warn!("no spans are exported: {error}");
            None
        })?;
        let started = Self::start_with(settings, service, attributes);
        started.inspect_err(|error| tracing::warn!(%error, "no spans are exported")).ok()
    }

    pub(super) fn start_with(
        settings: Settings,
        service: &'static str,
        attributes: Vec<Attribute>,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let exporter = {
            let _entered = runtime.enter();
            let channel = dial_other(&settings.collector).map_err(io::Error::other)?;
            SpanExporter::builder().with_tonic().with_channel(channel).build().map_err(io::Error::other)?
        };
        let (spans, waiting) = Self::queue(settings.queue, service, attributes);
        let shared = Arc::clone(&spans.0.shared);
        let export = move || {
            let ended = Ended(shared);
            runtime.block_on(exporting::export(waiting, exporter, &ended.0, settings.delay));
            // A name that is being looked up is not waited for.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("paraply-spans".to_owned()).spawn(export)?;
        Ok(spans)
    }

    /// A queue with room for so many spans, and its other end. Nobody exports what goes in.
    #[must_use]
    pub fn queue(room: usize, service: &'static str, attributes: Vec<Attribute>) -> (Self, mpsc::Receiver<Span>) {
        let (queue, waiting) = mpsc::channel(room);
        let shared = Arc::new(Shared {
            service,
            attributes: Mutex::new(attributes),
            dropped: AtomicU64::new(0),
            ending: CancellationToken::new(),
            ended: Mutex::new(false),
            has_ended: Condvar::new(),
        });
        (Self(Arc::new(Inner { queue, shared })), waiting)
    }

    /// More about who exports, known before the first span is sent.
    pub fn identify(&self, attribute: Attribute) {
        let mut attributes = self.0.shared.attributes.lock().unwrap_or_else(PoisonError::into_inner);
        if !attributes.iter().any(|known| known.key == attribute.key) {
            attributes.push(attribute);
        }
    }

    /// Sends a span. Never waits: what finds no room is dropped and counted.
    pub fn send(&self, span: Span) {
        if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) = self.0.queue.try_send(span) {
            self.0.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Spans that found no room in the queue so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.shared.dropped.load(Ordering::Relaxed)
    }

    /// Exports what waits, and nothing after it.
    pub fn end(&self) {
        self.0.shared.ending.cancel();
    }

    /// The same, and waits for it: for a second or so at most, however the collector is.
    pub fn finish(&self) {
        self.end();
        let shared = &self.0.shared;
        let ended = shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Past that time the thread is left to itself.
        let _ended = shared.has_ended.wait_timeout_while(ended, LAST_SPANS * 2, |ended| !*ended);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // What waits still goes, and nobody waits for it.
        self.shared.ending.cancel();
    }
}

impl Shared {
    /// Who exports.
    pub(super) fn resource(&self) -> opentelemetry_sdk::Resource {
        resource(self.service, self.attributes.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Says that the thread has ended, however it did.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        *self.0.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.has_ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use paraply_core::time::Time;

    use super::*;
    use crate::{clock, telemetry::Kind};

    fn span() -> Span {
        Span {
            trace: 1,
            id: 2,
            parent: 3,
            kind: Kind::Server,
            name: "test".to_owned(),
            started: 1,
            ended: 2,
            attributes: Vec::new(),
            events: Vec::new(),
            error: None,
        }
    }

    fn exporting_to(address: String, queue: usize) -> Spans {
        let settings = Settings { collector: address, delay: Duration::from_millis(1), queue };
        Spans::start_with(settings, "test", Vec::new()).unwrap()
    }

    /// Seconds that the end waits, with some spans on their way.
    fn wait_for_end(spans: &Spans) -> Duration {
        let start: Time = clock::now();
        spans.finish();
        clock::now().since(start)
    }

    /// The library's own patience is 10 seconds, and without end for an answer.
    const PATIENCE: Duration = Duration::from_secs(8);

    #[test]
    fn where_nobody_listens_the_end_does_not_wait_long() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let spans = exporting_to(nobody, 8);
        spans.send(span());
        assert!(wait_for_end(&spans) < PATIENCE);
        assert!(wait_for_end(&spans) < PATIENCE, "a second time");
    }

    #[test]
    fn one_that_never_answers_costs_room_in_the_queue_and_nothing_else() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let spans = exporting_to(silent.local_addr().unwrap().to_string(), 4);
        let sent = 2000;
        (0..sent).for_each(|_| spans.send(span()));
        // One batch at the most is on its way, and as many as there is room for wait.
        assert!(spans.dropped() >= sent - 512 - 4, "{}", spans.dropped());
        assert!(wait_for_end(&spans) < PATIENCE);
    }

    #[test]
    fn who_exports_is_said_once() {
        let (spans, _waiting) = Spans::queue(1, "test", vec![Attribute::new("paraply.cluster.id", "default")]);
        spans.identify(Attribute::new("paraply.engine.id", 3));
        spans.identify(Attribute::new("paraply.engine.id", 4));
        let resource = spans.0.shared.resource();
        assert_eq!(resource.get(&"paraply.engine.id".into()), Some(3.into()));
        assert_eq!(resource.get(&"paraply.cluster.id".into()), Some("default".into()));
    }
}
