//! To the controller.

use paraply_core::{
    id::{EngineId, Incarnation},
    membership::{EngineLoad, NewScheduler, SchedulerInfo, SchedulerReport},
};
use paraply_proto::controller::v1::{self as proto, KeepAliveRequest, RegisterMemberRequest};
use prost::Message as _;

use super::response::PAGE;
use crate::wire::{
    endpoint,
    error::{Problem, WireError},
};

/// A scheduler that registers.
///
/// # Errors
/// If one of its endpoints leads nowhere.
pub fn decode_scheduler(incarnation: Incarnation, request: RegisterMemberRequest) -> Result<NewScheduler, WireError> {
    let endpoints = endpoint::decode(request.endpoints, "endpoints")?;
    let peer = request.peer.unwrap_or_default().encode_to_vec().into();
    Ok(NewScheduler { info: SchedulerInfo { incarnation, peer, endpoints }, next_engine_id: request.next_engine_id })
}

/// What a scheduler says of its engines and of what waits for them. Engines say nothing of the kind.
#[must_use]
pub fn decode_report(request: &KeepAliveRequest) -> SchedulerReport {
    let load = |load: &proto::EngineLoad| {
        let of = EngineLoad {
            queued_tasks: load.queued_tasks,
            claimed_tasks: load.claimed_tasks,
            completed_tasks: load.completed_tasks,
            draining: load.draining,
        };
        (EngineId(load.engine_id), of)
    };
    SchedulerReport {
        loads: request.engine_loads.iter().map(load).collect(),
        lost: request.lost_engine_ids.iter().copied().map(EngineId).collect(),
        waiting: request.waiting_tasks,
    }
}

/// The id from which a list of engines goes on.
///
/// # Errors
/// If it is not a token of such a list.
pub fn decode_page_token(token: &str) -> Result<EngineId, WireError> {
    if token.is_empty() {
        return Ok(EngineId(0));
    }
    let id = token.strip_prefix(PAGE).and_then(|id| id.parse().ok()).map(EngineId);
    let rule = "is not from ListEngines: leave it out for the first page";
    id.ok_or_else(|| WireError::new("page_token", Problem::Rule(rule)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::members::encode_page_token;

    #[test]
    fn a_page_goes_on_where_the_one_before_ended() {
        assert_eq!(decode_page_token(""), Ok(EngineId(0)));
        assert_eq!(decode_page_token(&encode_page_token(Some(EngineId(7)))), Ok(EngineId(7)));
        assert_eq!(encode_page_token(None), "");
        for wrong in ["7", "engine-", "engine-x", "engine-4294967296"] {
            let error = decode_page_token(wrong).unwrap_err().to_string();
            assert!(error.starts_with("page_token: is not from ListEngines"), "{error}");
        }
    }
}
