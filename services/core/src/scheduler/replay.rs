//! Replays: after a restart clients say again what they miss, and where they know tasks had been claimed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Scheduler, Transition, task::State};
use crate::{
    call::Call,
    engine_link::HeldState,
    id::{SessionId, TaskId},
    mutant::{Mutant, forgets},
    payload::Function,
    session_link::{CloseReason, KnownClaim},
    time::Time,
};

impl Scheduler {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn on_replay(
        &mut self,
        now: Time,
        id: SessionId,
        calls: Vec<Call>,
        functions: Vec<Arc<Function>>,
        finished: &[u64],
        claims: &[KnownClaim],
        complete: bool,
    ) {
        if !self.sessions.get(&id).is_some_and(|session| session.replaying) {
            return self.end_stream(id, CloseReason::ProtocolError, "a replay that was not asked for".to_owned());
        }
        self.take_functions(functions);
        let finished: BTreeSet<u64> = finished.iter().copied().collect();
        let claims: BTreeMap<u64, KnownClaim> = claims.iter().map(|claim| (claim.index, *claim)).collect();
        for call in calls {
            if let Err(message) = self.replay_call(now, id, &call, &finished, &claims) {
                return self.end_stream(id, CloseReason::ProtocolError, message);
            }
        }
        if complete {
            self.complete_replay(id);
        }
        self.queue_ready_of(id);
    }

    fn replay_call(
        &mut self,
        now: Time,
        id: SessionId,
        call: &Call,
        finished: &BTreeSet<u64>,
        claims: &BTreeMap<u64, KnownClaim>,
    ) -> Result<(), String> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        let (first, end) = (call.first_index, call.first_index.saturating_add(call.tasks()));
        if end <= session.replayed_up_to {
            self.transitions.took(Transition::DroppedRepeatedReplay);
            return Ok(()); // A repeat, after the stream broke in the middle of a replay.
        }
        call.check().map_err(str::to_owned)?;
        if first < session.replayed_up_to || end > session.resume_index {
            return Err(format!("call {first} was replayed out of order or beyond the index that hello named"));
        }
        if session.tasks.len() as u64 + call.tasks() > self.config.session_tasks {
            return Err(format!("more replayed tasks than the setting `session_tasks`, {}", self.config.session_tasks));
        }
        self.transitions.took(Transition::ReplayedCall);
        session.replayed_up_to = end;
        let open = (first..end).filter(|index| !finished.contains(index)).map(move |index| index - first);
        self.enter(now, id, call, open.clone());
        for index in open.map(|nth| first + nth) {
            self.place_replayed(now, TaskId { session: id, index }, claims.get(&index));
        }
        Ok(())
    }

    /// Whether an engine holds the task, may hold it, or does not.
    fn place_replayed(&mut self, now: Time, id: TaskId, claim: Option<&KnownClaim>) {
        if let Some(orphan) = self.recovery.orphans.remove(&id) {
            self.transitions.took(Transition::ClaimedOrphan);
            if self.engines.contains_key(&orphan.engine) {
                self.give_to(now, id, orphan.engine, orphan.held.attempt.attempt, orphan.held.state);
                if let Some(outcome) = orphan.outcome {
                    self.on_finished(now, orphan.engine, orphan.held.attempt, outcome);
                }
                return;
            }
            // Its engine was lost again before the client came; its outcome may have come before that.
            if let Some(task) = self.task_mut(id) {
                task.was_on(orphan.held.attempt.attempt);
            }
            if let Some(outcome) = orphan.outcome {
                return self.finish(id, Some(orphan.engine), outcome);
            }
            if orphan.held.state != HeldState::Queued {
                return self.lose_unsure(id, orphan.engine);
            }
        }
        let recovering = self.recovery.is_on() && !forgets(Mutant::RecoveryNotAwaited);
        let back = claim.is_some_and(|claim| self.seen.contains_key(&claim.engine));
        let Some(task) = self.task_mut(id) else { return };
        if let Some(claim) = claim {
            task.was_on(claim.attempt);
            if !recovering || back {
                return self.lose_unsure(id, claim.engine);
            }
            task.state = State::Unsure(Some(claim.engine));
        } else if recovering && !task.is_direct() {
            task.state = State::Unsure(None);
        } else {
            return; // A direct task waits for its engine in that engine's queue.
        }
        self.recovery.unsure.insert(id);
    }

    fn complete_replay(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        self.transitions.took(Transition::CompletedReplay);
        session.replaying = false;
        session.accepted = session.resume_index;
        session.persisted = session.accepted;
        session.told_accepted = 0;
        session.told_credit = session.credit(&self.config);
        session.told_credit.total_tasks = 0;
        self.dirty_sessions.insert(id);
        self.drop_orphans_of(id);
        self.name_blobs_of(id);
        self.answer_wants();
    }
}
