//! Every free line gets its next message: all that is due to that peer, up to the size of a message.

use std::mem;

use super::{CloseStatus, Instruction, Peer, Scheduler, Transition, engine::Engine};
use crate::{
    engine_link::{AssignedCall, Orders, ToEngine},
    id::{ConnectionId, EngineId, SessionId},
    session_link::{SubmitCredit, ToClient, Update, Welcome},
    time::Time,
};

/// Blobs named in one message, of each sort: 20 bytes or so each.
const MOST_NAMES: usize = 8192;

impl Scheduler {
    pub(super) fn on_line_free(&mut self, connection: ConnectionId) {
        match self.connections.get(&connection) {
            Some(Peer::Session(id)) => {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.line_free = true;
                    self.dirty_sessions.insert(*id);
                }
            }
            Some(Peer::Engine(id)) => {
                if let Some(engine) = self.engines.get_mut(id) {
                    engine.line_free = true;
                    self.dirty_engines.insert(*id);
                }
            }
            None => {}
        }
    }

    pub(super) fn write_lines(&mut self, now: Time) {
        for id in mem::take(&mut self.dirty_engines) {
            self.write_engine(now, id);
        }
        for id in mem::take(&mut self.dirty_sessions) {
            self.write_session(now, id);
        }
    }

    pub(super) fn write_records(&mut self) {
        if !self.records.is_empty() {
            self.sequence += 1;
            self.out.push(Instruction::Persist { sequence: self.sequence, records: mem::take(&mut self.records) });
        }
    }

    pub(super) fn write_engine(&mut self, now: Time, id: EngineId) {
        let Some(engine) = self.engines.get_mut(&id).filter(|_| !self.shutting_down) else { return };
        if !engine.line_free || !engine.has_due() {
            return;
        }
        let message = match engine.welcome.take() {
            Some(welcome) => ToEngine::Welcome(welcome),
            None => match next_orders(engine, self.config.message_bytes) {
                Some(orders) => ToEngine::Orders(orders),
                None => {
                    self.transitions.took(Transition::SentHeartbeat);
                    ToEngine::Heartbeat
                }
            },
        };
        if !engine.assigned.is_empty() {
            self.transitions.took(Transition::CutOrders);
        }
        engine.line_free = false;
        engine.heartbeat_due = false;
        engine.last_sent = now;
        self.out.push(Instruction::ToEngine { connection: engine.connection, message });
    }

    pub(super) fn write_session(&mut self, now: Time, id: SessionId) {
        let engines = &self.engines;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(connection) = session.connection.filter(|_| session.line_free) else { return };
        if session.welcome_due {
            session.welcome_due = false;
            session.line_free = false;
            // While it replays the client submits nothing: credit comes when the replay is complete.
            session.told_credit =
                if session.replaying { SubmitCredit::default() } else { session.credit(&self.config) };
            session.told_accepted = session.persisted;
            let welcome = Welcome {
                epoch: self.epoch,
                accepted_up_to: session.persisted,
                replay: session.replaying,
                engines: engines.values().map(|engine| engine.info.clone()).collect(),
                credit: session.told_credit,
                session_grace: self.config.session_grace,
            };
            self.out.push(Instruction::ToSession { connection, message: ToClient::Welcome(welcome) });
            return;
        }
        if let Some((reason, message, expected_index)) = session.closing.take() {
            session.connection = None;
            session.outbox.rewind();
            let message = ToClient::Closed { reason, message, expected_index };
            self.out.push(Instruction::ToSession { connection, message });
            self.close(connection, CloseStatus::Ok);
            self.timers.insert((now + self.config.session_grace, super::timers::Timer::SessionGrace(id)));
            self.watch_absence(now, id);
            return;
        }
        let room = session.event_credit.map_or(u64::MAX, |credit| credit.saturating_sub(session.event_bytes));
        let most = self.config.message_bytes.min(room);
        let events = if most > 0 { session.outbox.next(most) } else { Vec::new() };
        let need_functions: Vec<_> = mem::take(&mut session.need_functions).into_iter().collect();
        let credit = session.credit(&self.config);
        let told = session.told_credit;
        // Half of what was given is used up: time to say how much more there is.
        let low_tasks = credit.total_tasks - told.total_tasks >= self.config.session_tasks / 2;
        let low_bytes = credit.total_bytes - told.total_bytes >= self.config.session_bytes / 2;
        // A call of up to a quarter of the whole never waits for credit that is there and was not told.
        let starving = told.total_tasks - session.accepted.min(told.total_tasks) < self.config.session_tasks / 4
            || told.total_bytes - session.accepted_bytes.min(told.total_bytes) < self.config.session_bytes / 4
            || (session.tasks.is_empty() && session.undelivered == 0);
        let grown = credit != told;
        let blobs_due = !session.wanted_blobs.is_empty() || !session.taken_blobs.is_empty();
        let due = !events.is_empty() || !need_functions.is_empty() || blobs_due;
        // What may be submitted beside a replay is known when the replay is complete.
        let tell_credit = grown && !session.replaying && (due || low_tasks || low_bytes || starving);
        // A client keeps what is not accepted: it is told in time, and otherwise along with what is due anyway.
        let unaccepted = session.persisted - session.told_accepted;
        let tell_accepted = unaccepted > 0 && (due || unaccepted >= 1024 || session.accept_notice);
        if !due && !tell_credit && !tell_accepted {
            return;
        }
        session.event_bytes += events.iter().map(super::outbox::size_of).sum::<u64>();
        if tell_credit {
            session.told_credit = credit;
        }
        if tell_accepted {
            session.told_accepted = session.persisted;
        }
        if tell_accepted && !due {
            self.transitions.took(Transition::SaidAcceptedAlone);
        }
        session.accept_notice &= !tell_accepted;
        session.line_free = false;
        let update = Update {
            accepted_up_to: tell_accepted.then_some(session.persisted),
            credit: tell_credit.then_some(credit),
            need_functions,
            events,
            wanted_blobs: some_of(&mut session.wanted_blobs),
            taken_blobs: some_of(&mut session.taken_blobs),
        };
        self.out.push(Instruction::ToSession { connection, message: ToClient::Update(update) });
    }
}

/// As much of a list of names as goes into one message together with others.
fn some_of<T>(list: &mut Vec<T>) -> Vec<T> {
    let rest = list.split_off(list.len().min(MOST_NAMES));
    mem::replace(list, rest)
}

/// All orders that are due, with as many tasks as a message holds. What must not pass a task that was left for the next
/// message (taking it back, cancelling it) waits for it.
fn next_orders(engine: &mut Engine, most: u64) -> Option<Orders> {
    let mut orders = mem::take(&mut engine.orders);
    let mut room = most;
    while let Some(mut call) = engine.assigned.pop_front() {
        let fitting = call.tasks.iter().take_while(|task| {
            let size = task.arguments.inline_size() + 64;
            let fits = size <= room || room == most;
            room = room.saturating_sub(size);
            fits
        });
        let rest = call.tasks.split_off(fitting.count());
        if !rest.is_empty() {
            engine.assigned.push_front(AssignedCall { head: call.head.clone(), tasks: rest, ..call });
        }
        if !call.tasks.is_empty() {
            orders.assigned.push(call);
        }
        if room == 0 || engine.assigned.front().is_some_and(|next| next.tasks.is_empty()) {
            break;
        }
    }
    engine.orders.wanted_blobs = orders.wanted_blobs.split_off(orders.wanted_blobs.len().min(MOST_NAMES));
    engine.orders.store_blobs = orders.store_blobs.split_off(orders.store_blobs.len().min(MOST_NAMES));
    engine.orders.release_blobs = orders.release_blobs.split_off(orders.release_blobs.len().min(MOST_NAMES));
    if !engine.assigned.is_empty() {
        engine.orders.retract = mem::take(&mut orders.retract);
        engine.orders.cancel = mem::take(&mut orders.cancel);
    }
    (!orders.is_empty()).then_some(orders)
}
