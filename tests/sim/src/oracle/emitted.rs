//! What the scheduler says: checked against what it was told.

use paraply_core::{
    engine_link::{Orders, ToEngine},
    id::{AttemptId, ConnectionId, SessionId, TaskId},
    scheduler::{Instruction, Record},
    session_link::{Event, EventKind, ToClient, Update},
    time::Time,
};

use super::{Oracle, Violation, credit::assigned, epoch::Finished, facts::Run};
use crate::setting::LEASE;

impl Oracle {
    /// The scheduler says something.
    ///
    /// # Errors
    /// It may not, or not now.
    pub fn scheduler_says(&mut self, now: Time, instruction: &Instruction) -> Result<(), Violation> {
        match instruction {
            Instruction::ToEngine { connection, message } => match message {
                ToEngine::Welcome(welcome) => self.welcomes_engine(*connection, &welcome.dropped),
                ToEngine::Orders(orders) => self.orders(now, *connection, orders),
                ToEngine::Heartbeat => Ok(()),
            },
            Instruction::ToSession { connection, message } => {
                let Some(facts) = &self.epoch else { return Ok(()) };
                let Some(session) = facts.sessions.get(connection).copied() else { return Ok(()) };
                match message {
                    ToClient::Welcome(welcome) if !welcome.replay => {
                        self.tells_accepted(session, welcome.accepted_up_to)
                    }
                    ToClient::Update(update) => self.updates(session, update),
                    ToClient::Welcome(_) | ToClient::Closed { .. } => Ok(()),
                }
            }
            Instruction::Persist { sequence, records } => {
                records.iter().try_for_each(|record| self.records(now, *sequence, record))
            }
            Instruction::EngineAttached { info } => {
                if let Some(facts) = &mut self.epoch {
                    facts.seen.insert(info.id, now);
                }
                Ok(())
            }
            Instruction::Close { connection, .. } => {
                if let Some(facts) = &mut self.epoch {
                    facts.lost(*connection);
                    facts.sessions.remove(connection);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn welcomes_engine(&mut self, connection: ConnectionId, dropped: &[AttemptId]) -> Result<(), Violation> {
        let Some(facts) = &mut self.epoch else { return Ok(()) };
        let Some(hello) = facts.welcomed(connection, dropped) else { return Ok(()) };
        let (id, incarnation) = (hello.info.id, hello.info.incarnation);
        facts.dropped.extend(dropped.iter().map(|attempt| (id, *attempt)));
        self.welcomed.insert(id);
        // A controller that has lost its disk may have given the id again before the scheduler saw who had it.
        let given = self.ids.get(&id).filter(|_| self.ids_persist).copied().unwrap_or(incarnation);
        let first = *facts.holders.entry(id).or_insert(incarnation);
        match [given, first].into_iter().find(|known| *known != incarnation) {
            Some(known) => {
                Err(Violation::general(format!("{incarnation:?} was welcomed as engine {id}, which is {known:?}")))
            }
            None => Ok(()),
        }
    }

    fn orders(&mut self, now: Time, connection: ConnectionId, orders: &Orders) -> Result<(), Violation> {
        for (attempt, _, claimed) in assigned(orders) {
            self.assigns(now, connection, attempt)?;
            if let Some(facts) = self.epoch.as_mut().filter(|_| claimed) {
                facts.knows_start(attempt);
            }
        }
        let Some(facts) = self.epoch.as_ref().filter(|_| self.durable) else { return Ok(()) };
        for attempt in &orders.acked {
            let ran = |run: &Run| (run.attempt, Some(&run.engine)) == (attempt.attempt, facts.links.get(&connection));
            // An engine that says it ran it is told to forget it; a run that failed and is tried again is no outcome yet.
            if !self.task(attempt.task).is_some_and(|task| task.retries() == 0 && task.runs.iter().any(ran)) {
                continue;
            }
            if let Some(finished) = facts.finished.get(&attempt.task)
                && finished.attempt == *attempt
                && finished.batch > facts.persisted
            {
                return Err(Violation::of(attempt.task, "its outcome was acknowledged before it was persisted"));
            }
        }
        Ok(())
    }

    /// A task goes to an engine. One that is known to have started goes again only as often as it may be retried.
    fn assigns(&mut self, now: Time, connection: ConnectionId, attempt: AttemptId) -> Result<(), Violation> {
        let id = attempt.task;
        let Some(facts) = &self.epoch else { return Ok(()) };
        let Some(engine) = facts.links.get(&connection).copied() else {
            return Err(Violation::of(id, "was sent to an engine that is not attached"));
        };
        if facts.finished.contains_key(&id) {
            return Err(Violation::of(id, "was sent to an engine after it had finished"));
        }
        if facts.unwanted.contains(&id) {
            return Err(Violation::of(id, "was cancelled while an engine had it, and is sent out again"));
        }
        let task = self.sessions.get(&id.session).and_then(|session| session.tasks.get(&id.index));
        let Some(task) = task else { return Err(Violation::of(id, "was assigned, and was never submitted")) };
        let started = facts.started.get(&id).map_or(0, |attempts| attempts.len());
        if started > task.retries() {
            let what = format!(
                "is known to have started {started} times, may be retried {}, and is sent again",
                task.retries()
            );
            return Err(Violation::of(id, what));
        }
        if task.result.is_some() {
            return Err(Violation::of(id, "is sent again, and its client has its result"));
        }
        let old = facts.old_below.get(&id.session).is_some_and(|below| id.index < *below);
        let all_back = facts.members.as_ref().is_some_and(|all| all.iter().all(|id| facts.seen.contains_key(id)));
        let awaited = now.since(facts.since) >= LEASE || all_back;
        if old && task.target.is_none() && !awaited && started == 0 && !facts.held.contains(&id) {
            return Err(Violation::of(id, "was sent out while an engine of the earlier epoch might still have it"));
        }
        self.order.assigned(attempt, engine, facts.epoch);
        if let Some(facts) = &mut self.epoch {
            facts.sent(attempt, engine);
        }
        Ok(())
    }

    fn updates(&mut self, session: SessionId, update: &Update) -> Result<(), Violation> {
        for Event { sequence, kind } in update.events.iter().filter(|event| event.sequence > 0) {
            let Some(facts) = &mut self.epoch else { return Ok(()) };
            let due = facts.next_event.entry(session).or_insert(1);
            if sequence != due {
                let index = match kind {
                    EventKind::Finished { index, .. } | EventKind::Output { index, .. } => *index,
                    EventKind::Claimed(claim) => claim.index,
                    EventKind::EngineJoined(_) | EventKind::EngineLeft { .. } | EventKind::Unknown => 0,
                };
                let what = format!("session {session:?} was sent event {sequence} where {due} was due");
                return Err(Violation::of(TaskId { session, index }, what));
            }
            *due += 1;
        }
        update.accepted_up_to.map_or(Ok(()), |up_to| self.tells_accepted(session, up_to))
    }

    /// What was accepted is in the store, but for what an earlier epoch had accepted.
    fn tells_accepted(&self, session: SessionId, up_to: u64) -> Result<(), Violation> {
        let Some(facts) = &self.epoch else { return Ok(()) };
        let old = facts.old_below.get(&session).copied().unwrap_or(0);
        let accepted = facts.accepted.get(&session).map_or(&[][..], Vec::as_slice);
        let unwritten = accepted.iter().find(|(end, batch)| *end <= up_to && *batch > facts.persisted);
        let known = accepted.last().map_or(old, |(end, _)| *end);
        if up_to > known {
            return Err(Violation::general(format!("session {session:?} was told {up_to} of {known} are accepted")));
        }
        match unwritten {
            Some((end, batch)) => Err(Violation::of(
                TaskId { session, index: end - 1 },
                format!("was said to be accepted before batch {batch} was persisted"),
            )),
            None => Ok(()),
        }
    }

    fn records(&mut self, now: Time, sequence: u64, record: &Record) -> Result<(), Violation> {
        let Some(facts) = &mut self.epoch else { return Ok(()) };
        match record {
            Record::Accepted { session, call } => {
                let old = facts.old_below.get(session).copied().unwrap_or(0);
                let accepted = facts.accepted.entry(*session).or_default();
                let next = accepted.last().map_or(old, |(end, _)| *end);
                if call.first_index != next {
                    let what = format!("was accepted where {next} was due");
                    return Err(Violation::of(TaskId { session: *session, index: call.first_index }, what));
                }
                accepted.push((call.first_index + call.tasks(), sequence));
            }
            Record::Finished { attempt, outcome, .. } => {
                let engine = outcome.value.as_ref().err().and_then(|failure| failure.engine);
                let engine_is_back = engine.is_some_and(|engine| facts.links.values().any(|id| *id == engine));
                let finished = Finished { attempt: *attempt, batch: sequence, at: now, engine_is_back };
                if facts.finished.insert(attempt.task, finished).is_some() {
                    return Err(Violation::of(attempt.task, "finished twice"));
                }
            }
            Record::Forgotten { session } => {
                facts.accepted.remove(session);
                facts.old_below.remove(session);
                facts.next_event.remove(session);
            }
            Record::Claimed { .. } | Record::Delivered { .. } => {}
        }
        Ok(())
    }
}
