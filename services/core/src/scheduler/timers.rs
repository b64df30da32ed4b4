//! What happens because time passed.

use std::collections::BTreeSet;

use super::{CloseStatus, Instruction, Scheduler, Transition, task::State};
use crate::{
    id::{ConnectionId, EngineId, SessionId, TaskId},
    outcome::{FailureKind, Outcome},
    session_link::{CloseReason, EventKind, KnownClaim},
    time::Time,
};

/// What is due at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// Stop waiting for engines of an earlier epoch.
    Recovery,
    /// Stop waiting for sessions of an earlier epoch.
    Orphans,
    /// Look whether an engine is silent, and whether it has heard from us.
    Engine(EngineId),
    /// Forget a session without a stream.
    SessionGrace(SessionId),
    /// See whether a session still has no stream.
    SessionAway(SessionId),
    /// Stop waiting for an engine that keeps parts of results.
    KeeperAway(EngineId),
    /// Fail a task that is still queued.
    QueueTimeout(TaskId),
    /// Tell a client what was accepted, if nothing else came along to carry it.
    AcceptNotice(SessionId),
}

impl Scheduler {
    /// When `Tick` is due next, if nothing else happens.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        let timer = self.timers.first().map(|(time, _)| *time);
        let notice = self.notices.front().map(|(time, _)| *time);
        timer.into_iter().chain(notice).min()
    }

    pub(super) fn on_tick(&mut self, now: Time) {
        while let Some((time, timer)) = self.timers.first().copied().filter(|(time, _)| *time <= now) {
            self.timers.remove(&(time, timer));
            match timer {
                Timer::Recovery => {
                    self.transitions.took(Transition::RecoveredByTime);
                    self.end_recovery();
                }
                Timer::Orphans => self.drop_orphans(),
                Timer::Engine(id) => self.check_engine(now, id),
                Timer::SessionGrace(id) => {
                    self.transitions.took(Transition::SessionOutstayedItsGrace);
                    self.forget_session(id);
                }
                Timer::SessionAway(id) => self.on_session_away(id),
                Timer::KeeperAway(id) => self.lose_blobs_of(id),
                Timer::QueueTimeout(id) => self.time_out(now, id),
                Timer::AcceptNotice(id) => self.look_at_accepted(now, id),
            }
        }
        self.tell_claims(now);
    }

    /// Arms the next look at an engine.
    pub(super) fn watch_engine(&mut self, now: Time, id: EngineId) {
        self.timers.insert((now + self.config.lease / 3, Timer::Engine(id)));
    }

    fn check_engine(&mut self, now: Time, id: EngineId) {
        let Some(engine) = self.engines.get_mut(&id) else { return };
        if now.since(engine.last_heard) >= self.config.lease {
            self.transitions.took(Transition::EngineWentSilent);
            let status = CloseStatus::Unavailable("nothing was heard from the engine for a lease");
            return self.lose_engine(now, id, "lease expired", status);
        }
        if now.since(engine.last_sent) >= self.config.lease / 3 {
            engine.heartbeat_due = true;
            self.dirty_engines.insert(id);
        }
        self.watch_engine(now, id);
    }

    pub(super) fn time_out(&mut self, now: Time, id: TaskId) {
        let Some(task) = self.task(id) else { return };
        if matches!(task.state, State::Assigned(_)) {
            // Its time is over unless its engine claims it first: back in the queue it fails at once.
            return self.retract(id);
        }
        if task.state == State::Queued && task.queue_deadline.is_some_and(|deadline| deadline <= now) {
            self.transitions.took(Transition::TimedOutInQueue);
            let message = format!("task {id} was queued longer than its `timeout`");
            self.finish(id, None, Outcome::failed(FailureKind::QueueTimeout, "TaskTimeout", message, None));
        }
    }

    /// Claims of tasks that are still on: the client keeps them for a replay.
    fn tell_claims(&mut self, now: Time) {
        while let Some((time, attempt)) = self.notices.front().copied() {
            let TaskId { session, index } = attempt.task;
            let task = self.task(attempt.task).filter(|task| task.attempt == attempt.attempt);
            let claimed =
                task.and_then(|task| if let State::Claimed(engine) = task.state { Some(engine) } else { None });
            // What has finished is passed over before its time: calls in quick succession are one look in all, not one each.
            if claimed.is_some() && time > now {
                break;
            }
            self.notices.pop_front();
            let Some(engine) = claimed else { continue };
            let Some(incarnation) = self.seen.get(&engine).map(|seen| seen.incarnation) else { continue };
            if let Some(owner) = self.sessions.get_mut(&session) {
                let claim = KnownClaim { index, attempt: attempt.attempt, engine, incarnation };
                self.transitions.took(Transition::ToldClaim);
                owner.outbox.push(EventKind::Claimed(claim), None);
                self.dirty_sessions.insert(session);
            }
        }
    }

    /// Has a client told of what was accepted for it, unless something told it meanwhile. What came later has a look of its
    /// own, later: one for each call would wake the machine for each.
    fn look_at_accepted(&mut self, now: Time, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(watched) = session.accept_watch.take() else { return };
        if session.told_accepted < watched {
            session.accept_notice = true;
            self.dirty_sessions.insert(id);
        }
        if session.accepted > watched {
            session.accept_watch = Some(session.accepted);
            self.timers.insert((now + self.config.notice_after, Timer::AcceptNotice(id)));
        }
    }

    /// Ends every stream with a reason. Nothing new is taken from here on.
    pub(super) fn on_shutdown(&mut self) {
        self.shutting_down = true;
        self.transitions.took(Transition::ShutDown);
        let sessions: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in sessions {
            self.end_stream(id, CloseReason::Shutdown, "the scheduler is shutting down".to_owned());
        }
        let engines: BTreeSet<ConnectionId> = self.engines.values().map(|engine| engine.connection).collect();
        for connection in engines {
            let status = CloseStatus::Unavailable("the scheduler is shutting down");
            self.out.push(Instruction::Close { connection, status });
        }
    }
}
