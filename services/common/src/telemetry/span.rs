//! A span: made after the fact, with its times.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    InstrumentationScope, KeyValue, Value,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};

/// Characters of a name, or of what went wrong, that are sent: both are a peer's.
const TEXT: usize = 256;

/// One piece of work in a trace. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub struct Span {
    /// The trace it belongs to.
    pub trace: u128,
    /// Its own number.
    pub id: u64,
    /// The span it is a child of, in another process or in this one.
    pub parent: u64,
    /// What it is to its parent.
    pub kind: Kind,
    /// For people; "schedule simulate".
    pub name: String,
    /// When it began.
    pub started: u64,
    /// When it was over.
    pub ended: u64,
    /// What else there is to say.
    pub attributes: Vec<Attribute>,
    /// What happened on the way.
    pub events: Vec<Event>,
    /// What went wrong, if something did.
    pub error: Option<String>,
}

/// Something that happened within a span.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub name: &'static str,
    /// When, in nanoseconds since the Unix epoch.
    pub at: u64,
    /// What else there is to say.
    pub attributes: Vec<Attribute>,
}

/// What a span is to its parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It answers a call of another process.
    Server,
    /// Another process does what it stands for.
    Producer,
    /// It does what another process asked for.
    Consumer,
}

/// A number for a new span.
#[must_use]
pub fn new_span_id() -> u64 {
    u64::from_be_bytes(RandomIdGenerator::default().new_span_id().to_bytes())
}

/// One thing to say about a span.
pub type Attribute = KeyValue;

/// Makes one. Keys of this project's begin with "paraply.".
pub fn attribute(key: &'static str, value: impl Into<Value>) -> Attribute {
    KeyValue::new(key, value)
}

impl Span {
    /// As the exporter takes it.
    pub(super) fn data(self, scope: &InstrumentationScope) -> SpanData {
        let context = SpanContext::new(
            TraceId::from_bytes(self.trace.to_be_bytes()),
            SpanId::from_bytes(self.id.to_be_bytes()),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        );
        let event = |event: Event| opentelemetry::trace::Event::new(event.name, time(event.at), event.attributes, 0);
        let mut events = SpanEvents::default();
        events.events = self.events.into_iter().map(event).collect();
        SpanData {
            span_context: context,
            parent_span_id: SpanId::from_bytes(self.parent.to_be_bytes()),
            parent_span_is_remote: self.kind != Kind::Producer,
            span_kind: match self.kind {
                Kind::Server => SpanKind::Server,
                Kind::Producer => SpanKind::Producer,
                Kind::Consumer => SpanKind::Consumer,
            },
            name: Cow::Owned(cut(self.name)),
            start_time: time(self.started),
            end_time: time(self.ended.max(self.started)),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events,
            links: SpanLinks::default(),
            status: self.error.map_or(Status::Unset, |error| Status::error(cut(error))),
            instrumentation_scope: scope.clone(),
        }
    }
}

fn time(unix_nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(unix_nanos)
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TEXT) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(cut("é".repeat(300)), "é".repeat(256));
        assert_eq!(cut("short".to_owned()), "short");
    }

    #[test]
    fn a_span_does_not_end_before_it_begins() {
        let span = Span {
            trace: 1,
            id: 2,
            parent: 3,
            kind: Kind::Server,
            name: String::new(),
            started: 10,
            ended: 5,
            attributes: Vec::new(),
            events: Vec::new(),
            error: None,
        };
        let data = span.data(&InstrumentationScope::builder("test").build());
        assert_eq!(data.start_time, data.end_time);
    }
}
