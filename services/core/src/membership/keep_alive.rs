//! Keep-alive streams: each message renews a lease and is answered.

use super::{
    CloseReason, Instruction, KeepAliveAnswer, SchedulerReport, Transition,
    machine::{Membership, Stream, StreamOf},
};
use crate::{
    id::{ConnectionId, EngineId, Incarnation},
    time::Time,
};

/// A member's end of it.
#[derive(Debug)]
pub(super) struct KeepAlive {
    pub(super) member: Member,
    /// A message is to be answered.
    pub(super) answer_due: bool,
    /// The member is to be told where the scheduler is.
    pub(super) endpoints_due: bool,
    /// It was told to exit.
    pub(super) exit_told: bool,
    /// It was told to drain.
    pub(super) drain_told: bool,
}

/// Whose lease it keeps alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Member {
    Engine(EngineId),
    Scheduler,
    /// A scheduler that another has taken over from: all it is told is to exit.
    Superseded,
}

impl Membership {
    pub(super) fn keep_alive_opened(
        &mut self,
        now: Time,
        connection: ConnectionId,
        member_id: u32,
        incarnation: Incarnation,
        report: SchedulerReport,
    ) {
        let id = EngineId(member_id);
        let member = if self.engines.get(&id).is_some_and(|engine| engine.info.incarnation == incarnation) {
            Member::Engine(id)
        } else if self.is_scheduler(member_id, incarnation) {
            Member::Scheduler
        } else if self.superseded.contains(&incarnation) {
            Member::Superseded
        } else {
            self.transitions.took(Transition::StreamWithoutLease);
            return self.urgent.push(Instruction::Close { connection, reason: CloseReason::NoLease });
        };
        self.transitions.took(Transition::StreamOpened);
        if let Some(before) = self.stream_of(member).and_then(|stream| stream.replace(connection)) {
            self.transitions.took(Transition::StreamReplaced);
            self.close(before, CloseReason::Replaced);
        }
        let endpoints_due = true;
        let keep_alive = KeepAlive { member, answer_due: false, endpoints_due, exit_told: false, drain_told: false };
        self.streams.insert(connection, Stream { occupied: false, of: StreamOf::KeepAlive(keep_alive) });
        self.keep_alive(now, connection, report);
    }

    pub(super) fn keep_alive(&mut self, now: Time, connection: ConnectionId, report: SchedulerReport) {
        let Some(Stream { of: StreamOf::KeepAlive(keep_alive), .. }) = self.streams.get_mut(&connection) else {
            return;
        };
        if std::mem::replace(&mut keep_alive.answer_due, true) {
            self.transitions.took(Transition::AnswersMerged);
        }
        self.due.insert(connection);
        match keep_alive.member {
            Member::Engine(id) => self.renew_engine(now, id),
            Member::Scheduler => {
                if let Some(scheduler) = &mut self.scheduler {
                    scheduler.lease_until = now + self.config.lease;
                }
                self.report(report);
            }
            Member::Superseded => {}
        }
    }

    /// What the stream has to say.
    pub(super) fn answer(&mut self, connection: ConnectionId, keep_alive: &mut KeepAlive) -> Option<Instruction> {
        let (exit, drain, signals) = match keep_alive.member {
            Member::Engine(id) => self.engines.get_mut(&id).map_or_else(Default::default, |engine| {
                (engine.exit, engine.drain, std::mem::take(&mut engine.signals))
            }),
            Member::Scheduler => Default::default(),
            Member::Superseded => (true, false, Vec::new()),
        };
        let endpoints = if keep_alive.endpoints_due { self.scheduler_endpoints() } else { &[] };
        let order = exit && !keep_alive.exit_told || drain && !keep_alive.drain_told;
        if !keep_alive.answer_due && endpoints.is_empty() && !order && signals.is_empty() {
            return None;
        }
        let answer = KeepAliveAnswer { scheduler_endpoints: endpoints.to_vec(), exit, drain, signals };
        (keep_alive.answer_due, keep_alive.endpoints_due) = (false, false);
        (keep_alive.exit_told, keep_alive.drain_told) = (exit, drain);
        Some(Instruction::ToMember { connection, answer })
    }

    /// The lease runs on, except that of an engine which the scheduler has lost as well.
    pub(super) fn keep_alive_broke(&mut self, connection: ConnectionId, keep_alive: KeepAlive) {
        if let Some(stream) = self.stream_of(keep_alive.member)
            && *stream == Some(connection)
        {
            *stream = None;
        }
        if let Member::Engine(id) = keep_alive.member
            && self.engines.get(&id).is_some_and(|engine| engine.lost && engine.stream.is_none())
        {
            self.transitions.took(Transition::EngineLost);
            self.forget_engine(id);
        }
    }

    fn stream_of(&mut self, member: Member) -> Option<&mut Option<ConnectionId>> {
        match member {
            Member::Engine(id) => self.engines.get_mut(&id).map(|engine| &mut engine.stream),
            Member::Scheduler => self.scheduler.as_mut().map(|scheduler| &mut scheduler.stream),
            Member::Superseded => None,
        }
    }
}
