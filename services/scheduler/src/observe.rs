//! What happens to tasks, as structured events: task, attempt, engine and session are fields.

use paraply_core::{
    engine_link::{ToEngine, ToScheduler},
    id::{AttemptId, EngineId, SessionId, TaskId},
    session_link,
};
use tracing::{Level, debug, enabled};

/// A client said something.
pub fn from_session(session: SessionId, message: &session_link::ToScheduler) {
    use session_link::ToScheduler as Message;
    if !enabled!(Level::DEBUG) {
        return;
    }
    match message {
        Message::Submit { calls, .. } => {
            for call in calls {
                let name = String::from_utf8_lossy(&call.head.name);
                debug!(%session, first_index = call.first_index, tasks = call.tasks(), %name, "call submitted");
            }
        }
        Message::Replay { calls, complete, .. } => debug!(%session, calls = calls.len(), complete, "calls replayed"),
        Message::Cancel { indexes, mode } => debug!(%session, tasks = indexes.len(), ?mode, "tasks cancelled"),
        Message::Close => debug!(%session, "session closed by its client"),
        Message::Hello(_) | Message::Ack { .. } | Message::Credit { .. } | Message::Release { .. } => {}
    }
}

/// An engine said something.
pub fn from_engine(engine: EngineId, message: &ToScheduler) {
    let ToScheduler::Reports(reports) = message else { return };
    if !enabled!(Level::DEBUG) {
        return;
    }
    let event = |attempt: &AttemptId, what| {
        debug!(task = %attempt.task, attempt = attempt.attempt, %engine, session = %attempt.task.session, "task {what}");
    };
    reports.claimed.iter().for_each(|attempt| event(attempt, "claimed"));
    for (attempt, outcome) in &reports.finished {
        event(attempt, if outcome.value.is_ok() { "finished" } else { "failed" });
    }
    reports
        .retracted
        .iter()
        .filter(|(_, given_back)| *given_back)
        .for_each(|(attempt, _)| event(attempt, "given back"));
}

/// The scheduler says something to an engine.
pub fn to_engine(engine: EngineId, message: &ToEngine) {
    let ToEngine::Orders(orders) = message else { return };
    if !enabled!(Level::DEBUG) {
        return;
    }
    for call in &orders.assigned {
        for assigned in &call.tasks {
            let task = TaskId { session: call.session, index: assigned.index };
            debug!(%task, attempt = assigned.attempt, %engine, session = %call.session, "task assigned");
        }
    }
}
