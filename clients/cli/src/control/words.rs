//! The requests and replies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Such as `{"op": "start_engines", "n": 2}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// What runs. Answered with `Report`.
    Status {},
    /// Ends everything. Answered at once; the connection ends when the supervisor does.
    Stop {},
    /// Adds a set of engines. Answered with `EngineSet`: at once, or with `wait` when each has joined or ended.
    StartEngines {
        n: u32,
        /// The new set's id; the supervisor makes one where it is missing.
        #[serde(default)]
        engine_set: Option<String>,
        #[serde(default)]
        wait: bool,
    },
    /// Ends engines. Answered when they are gone.
    StopEngines(Which),
    /// Ends engines and starts as many in their sets: they get new ids. Answered when the new processes run.
    RestartEngines(Which),
    /// Sends a signal to engine processes.
    SignalEngines {
        /// Its number on this system.
        signal: i32,
        #[serde(default)]
        engine_set: Option<String>,
        #[serde(default)]
        engine_id: Option<u32>,
    },
}

impl Request {
    /// The one engine that it is about, and the set where one is named.
    pub(crate) fn engine(&self) -> Option<(Option<&str>, u32)> {
        let (set, id) = match self {
            Self::StopEngines(which) | Self::RestartEngines(which) => (&which.engine_set, which.engine_id),
            Self::SignalEngines { engine_set, engine_id, .. } => (engine_set, *engine_id),
            Self::Status {} | Self::Stop {} | Self::StartEngines { .. } => return None,
        };
        Some((set.as_deref(), id?))
    }
}

/// Some engines: one, a set, or where neither is given all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    #[serde(default)]
    pub(crate) engine_set: Option<String>,
    #[serde(default)]
    pub(crate) engine_id: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Done {},
    Report(Report),
    EngineSet(EngineSetStarted),
    Error {
        /// `invalid`, `not_found`, `stopping` or `failed`.
        kind: String,
        message: String,
    },
}

impl Reply {
    pub(crate) fn error(kind: &str, message: impl Into<String>) -> Self {
        Self::Error { kind: kind.to_owned(), message: message.into() }
    }
}

/// The processes of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) pid: u32,
    pub(crate) services: Vec<ServiceProcess>,
    /// By the set's id.
    pub(crate) engine_sets: BTreeMap<String, Vec<EngineProcess>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceProcess {
    pub(crate) name: String,
    /// None while it waits to be started again.
    pub(crate) pid: Option<u32>,
    pub(crate) restarts: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EngineProcess {
    pub(crate) pid: u32,
    /// None until it has joined.
    pub(crate) engine_id: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EngineSetStarted {
    pub(crate) engine_set: String,
    /// Those that joined before the answer.
    pub(crate) engine_ids: Vec<u32>,
    /// What became of those that ended before they joined, each in words.
    pub(crate) failures: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_the_document_says() {
        let read = |text: &str| serde_json::from_str::<Request>(text);
        assert_eq!(read(r#"{"op": "stop"}"#).unwrap(), Request::Stop {});
        assert_eq!(
            read(r#"{"op": "start_engines", "n": 2}"#).unwrap(),
            Request::StartEngines { n: 2, engine_set: None, wait: false }
        );
        assert_eq!(
            read(r#"{"op": "stop_engines", "engine_id": 3}"#).unwrap(),
            Request::StopEngines(Which { engine_set: None, engine_id: Some(3) })
        );
        for bad in [r#"{"op": "fly"}"#, r#"{"op": "stop", "now": 1}"#, r#"{"op": "start_engines"}"#, "stop"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
