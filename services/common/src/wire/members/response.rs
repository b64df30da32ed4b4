//! From the controller.

use paraply_core::{
    id::EngineId,
    membership::{self as core, EngineState, KeepAliveAnswer, WatchEvent},
};
use paraply_proto::{
    common::v1::Engine,
    controller::v1::{
        self as proto, EngineSnapshot, EngineStatus, KeepAliveResponse, MemberSnapshot, WatchEnginesResponse,
        WatchMembersResponse, watch_engines_response, watch_members_response,
    },
};

use crate::wire::{endpoint, field::text, id::encode_id, peer};

/// What page tokens start with.
pub(super) const PAGE: &str = "engine-";

/// To a member, on its keep-alive stream.
#[must_use]
pub fn encode_keep_alive(answer: KeepAliveAnswer) -> KeepAliveResponse {
    let signals = answer.signals.iter().map(text).collect();
    let scheduler_endpoints = endpoint::encode(&answer.scheduler_endpoints);
    KeepAliveResponse { scheduler_endpoints, exit: answer.exit, drain: answer.drain, signals }
}

/// To a watcher of engines.
#[must_use]
pub fn encode_engine_event(event: WatchEvent) -> WatchEnginesResponse {
    use watch_engines_response::Event;
    let event = match event {
        WatchEvent::Snapshot(engines) => {
            Event::Snapshot(EngineSnapshot { engines: engines.iter().map(encode_status).collect() })
        }
        WatchEvent::Changed(engine) => Event::Changed(encode_status(&engine)),
        WatchEvent::Removed(id) => Event::RemovedEngineId(id.0),
        WatchEvent::Scale(engines) => Event::WantedEngines(engines),
    };
    WatchEnginesResponse { event: Some(event) }
}

/// To a watcher of members, who launches none.
#[must_use]
pub fn encode_member_event(event: WatchEvent) -> WatchMembersResponse {
    use watch_members_response::Event;
    let event = match event {
        WatchEvent::Snapshot(engines) => {
            Event::Snapshot(MemberSnapshot { engines: engines.iter().map(name).collect() })
        }
        WatchEvent::Changed(status) => Event::Joined(name(&status)),
        WatchEvent::Removed(id) => Event::LeftEngineId(id.0),
        WatchEvent::Scale(_) => return WatchMembersResponse { event: None },
    };
    WatchMembersResponse { event: Some(event) }
}

/// An engine as operators see it.
#[must_use]
pub fn encode_status(status: &core::EngineStatus) -> EngineStatus {
    let state = match status.state {
        EngineState::Registered => proto::EngineState::Registered,
        EngineState::Attached => proto::EngineState::Attached,
        EngineState::Draining => proto::EngineState::Draining,
    };
    EngineStatus {
        engine: Some(engine(status)),
        state: state.into(),
        registered_unix_nanos: status.registered_unix_nanos,
        queued_tasks: status.load.queued_tasks,
        claimed_tasks: status.load.claimed_tasks,
        completed_tasks: status.load.completed_tasks,
    }
}

/// What to ask with for the page that starts at an id; empty if there is none.
#[must_use]
pub fn encode_page_token(next: Option<EngineId>) -> String {
    next.map_or_else(String::new, |next| format!("{PAGE}{next}"))
}

fn engine(status: &core::EngineStatus) -> Engine {
    Engine { draining: status.state == EngineState::Draining, ..peer::encode_engine(&status.info) }
}

/// Which process has which id, and nothing more.
fn name(status: &core::EngineStatus) -> Engine {
    let incarnation = encode_id(status.info.incarnation.to_bytes());
    Engine { engine_id: status.info.id.0, incarnation, ..Engine::default() }
}
