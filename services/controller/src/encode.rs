//! Membership's words in the schema's.

use paraply_common::wire::{endpoint, id::encode_id, peer};
use paraply_core::membership::{self as core, EngineState, KeepAliveAnswer, WatchEvent};
use paraply_proto::{
    common::v1::Engine,
    controller::v1::{
        self as proto, EngineSnapshot, EngineStatus, KeepAliveResponse, MemberSnapshot, WatchEnginesResponse,
        WatchMembersResponse, watch_engines_response, watch_members_response,
    },
};

pub(crate) fn keep_alive(answer: KeepAliveAnswer) -> KeepAliveResponse {
    let signals = answer.signals.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let scheduler_endpoints = endpoint::encode(&answer.scheduler_endpoints);
    KeepAliveResponse { scheduler_endpoints, exit: answer.exit, signals }
}

pub(crate) fn engine_event(event: WatchEvent) -> WatchEnginesResponse {
    use watch_engines_response::Event;
    let event = match event {
        WatchEvent::Snapshot(engines) => {
            Event::Snapshot(EngineSnapshot { engines: engines.iter().map(status).collect() })
        }
        WatchEvent::Changed(engine) => Event::Changed(status(&engine)),
        WatchEvent::Removed(id) => Event::RemovedEngineId(id.0),
    };
    WatchEnginesResponse { event: Some(event) }
}

pub(crate) fn member_event(event: WatchEvent) -> WatchMembersResponse {
    use watch_members_response::Event;
    let event = match event {
        WatchEvent::Snapshot(engines) => {
            Event::Snapshot(MemberSnapshot { engines: engines.iter().map(name).collect() })
        }
        WatchEvent::Changed(status) => Event::Joined(name(&status)),
        WatchEvent::Removed(id) => Event::LeftEngineId(id.0),
    };
    WatchMembersResponse { event: Some(event) }
}

pub(crate) fn status(status: &core::EngineStatus) -> EngineStatus {
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

fn engine(status: &core::EngineStatus) -> Engine {
    Engine { draining: status.load.draining, ..peer::encode_engine(&status.info) }
}

/// Which process has which id, and nothing more.
fn name(status: &core::EngineStatus) -> Engine {
    let incarnation = encode_id(status.info.incarnation.to_bytes());
    Engine { engine_id: status.info.id.0, incarnation, ..Engine::default() }
}
