//! Labels that engines are chosen by.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use paraply_common::native;
use paraply_core::session_link::EngineInfo;

/// Labels with their values. An engine matches where it carries each of them. [`Targets::labels`](crate::Targets::labels) and
/// [`Balanced::labels`](crate::Balanced::labels) make them of pairs.
///
/// ```no_run
/// # fn example(client: paraply::Client) {
/// let there = client.direct(paraply::Targets::labels([("zone", "a")]));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    pub(crate) fn new<K: Into<String>, V: Into<String>>(labels: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The same for a function that only native engines have; a runtime that is said already stays.
    pub(crate) fn native(mut self) -> Self {
        let (key, runtime) = native::LABEL;
        self.0.entry(key.to_owned()).or_insert_with(|| runtime.to_owned());
        self
    }

    /// As a call carries them: sorted by key.
    pub(crate) fn encoded(&self) -> Vec<(Bytes, Bytes)> {
        self.0.iter().map(|(key, value)| (Bytes::from(key.clone()), Bytes::from(value.clone()))).collect()
    }

    pub(crate) fn are_of(&self, engine: &EngineInfo) -> bool {
        let carried = |key: &str, value: &str| {
            engine.labels.iter().any(|(own, is)| own.as_ref() == key.as_bytes() && is.as_ref() == value.as_bytes())
        };
        self.0.iter().all(|(key, value)| carried(key, value))
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(" "))
    }
}
