//! What must hold after every step, in words a failing test can print.

use std::collections::BTreeMap;

use super::{
    Peer, Scheduler,
    task::{State, Takers},
};
use crate::id::{BlobId, Digest, TaskId};

impl Scheduler {
    /// Checks every cross-reference. Meant for tests: it costs as much as everything it looks at.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn check(&self) -> Result<(), String> {
        self.check_tasks()?;
        self.check_engines()?;
        self.check_names()?;
        self.check_connections()
    }

    fn check_tasks(&self) -> Result<(), String> {
        let (mut queued, mut for_any) = (0, 0);
        let mut selectors = BTreeMap::new();
        for (session, owner) in &self.sessions {
            let mut bytes = 0;
            for (index, task) in owner.tasks.iter() {
                let id = TaskId { session: *session, index };
                bytes += task.size();
                let balanced = task.state == State::Queued && !task.is_direct();
                queued += u64::from(balanced);
                for_any += u64::from(balanced && task.takers() != Takers::Listed);
                if let Some(selector) = task.selector {
                    let (tasks, queued) = selectors.entry(selector).or_insert((0, 0));
                    *tasks += 1;
                    *queued += u64::from(balanced && matches!(task.takers(), Takers::Carriers(_)));
                }
                if let Some(engine) = task.engine() {
                    let held = self.engines.get(&engine).is_some_and(|engine| engine.held.contains_key(&id));
                    ensure(held, || format!("task {id:?} is {:?}, and the engine does not hold it", task.state))?;
                    ensure(task.attempt > 0, || format!("task {id:?} is with an engine in attempt 0"))?;
                }
                if matches!(task.state, State::Unsure(_)) {
                    let listed = self.recovery.unsure.contains(&id) && self.recovery.is_on();
                    ensure(listed, || format!("task {id:?} is unsure, and nothing will settle it"))?;
                }
                if task.state == State::Waiting {
                    let waited = owner
                        .pending
                        .iter()
                        .any(|call| (call.first_index..call.first_index + call.tasks).contains(&index));
                    ensure(waited, || format!("task {id:?} waits, and no pending call has it"))?;
                }
            }
            ensure(bytes == owner.task_bytes, || {
                format!("session {session:?} counts {} bytes, not {bytes}", owner.task_bytes)
            })?;
            ensure(owner.told_accepted <= owner.persisted && owner.persisted <= owner.accepted, || {
                format!(
                    "session {session:?} was told {} of {} of {}",
                    owner.told_accepted, owner.persisted, owner.accepted
                )
            })?;
        }
        ensure(queued == self.balanced.waiting(), || {
            format!("{queued} balanced tasks are queued, {} counted", self.balanced.waiting())
        })?;
        self.selectors.check(&selectors, self.engines.values().map(|engine| &engine.info))?;
        ensure(for_any == self.balanced.waiting_for_any(), || {
            format!("any engine may run {for_any} queued tasks, {} counted", self.balanced.waiting_for_any())
        })
    }

    fn check_engines(&self) -> Result<(), String> {
        for (id, engine) in &self.engines {
            for (task, held) in &engine.held {
                let record = self.task(*task);
                let with = record.is_some_and(|record| record.engine() == Some(*id));
                ensure(with, || {
                    format!("engine {id} holds {task:?}, which is {:?}", record.map(|record| record.state))
                })?;
                let claimed = record.is_some_and(|record| matches!(record.state, State::Claimed(_)));
                ensure(claimed == held.claimed.is_some(), || {
                    format!("engine {id} and task {task:?} differ on its claim")
                })?;
            }
            let cost: u64 = engine.held.values().map(|held| held.cost).sum();
            ensure(cost == engine.held_cost, || format!("engine {id} weighs {cost}, not {}", engine.held_cost))?;
            let labelled = engine.held.values().filter(|held| held.selector.is_some()).count();
            ensure(labelled == engine.held_labelled.values().sum(), || format!("engine {id} miscounts labels"))?;
            let balanced = engine.held.values().filter(|held| held.balanced).count();
            ensure(balanced == engine.held_balanced, || format!("engine {id} has {balanced} balanced tasks"))?;
            let retracting = engine
                .held
                .keys()
                .filter(|task| self.task(**task).is_some_and(|record| matches!(record.state, State::Retracting(_))));
            ensure(retracting.count() == engine.retracting, || format!("engine {id} miscounts retracts"))?;
            ensure(engine.used.total_tasks <= engine.credit.total_tasks, || {
                format!(
                    "engine {id} was sent {} tasks on credit for {}",
                    engine.used.total_tasks, engine.credit.total_tasks
                )
            })?;
            let open = engine.open_at.is_some_and(|load| self.room.contains(&(load, *id)));
            ensure(open == engine.open_at.is_some(), || format!("engine {id} is not where it was put in `room`"))?;
        }
        ensure(self.room.iter().all(|(_, id)| self.engines.contains_key(id)), || {
            "`room` has an engine that is gone".into()
        })
    }

    /// Functions and blobs are held exactly as often as something names them: nothing leaks.
    fn check_names(&self) -> Result<(), String> {
        let mut functions: BTreeMap<Digest, u64> = BTreeMap::new();
        let mut blobs: BTreeMap<BlobId, u64> = BTreeMap::new();
        for owner in self.sessions.values() {
            for (_, task) in owner.tasks.iter() {
                task.digest().into_iter().for_each(|digest| *functions.entry(digest).or_default() += 1);
                task.arguments.blobs().for_each(|blob| *blobs.entry(blob.id).or_default() += 1);
            }
            owner.result_blobs.iter().for_each(|blob| *blobs.entry(*blob).or_default() += 1);
            let finished: u64 = owner.undelivered;
            let events = owner.outbox.finished();
            ensure(finished == events, || format!("{finished} undelivered tasks, {events} finished events"))?;
        }
        let held: BTreeMap<Digest, u64> = self.functions.holds().collect();
        ensure(held == functions, || format!("functions are held {held:?}, named {functions:?}"))?;
        let held: BTreeMap<BlobId, u64> = self.blobs.names().collect();
        ensure(held == blobs, || format!("blobs are held {held:?}, named {blobs:?}"))
    }

    fn check_connections(&self) -> Result<(), String> {
        for (connection, peer) in &self.connections {
            let theirs = match peer {
                Peer::Session(id) => self.sessions.get(id).and_then(|session| session.connection),
                Peer::Engine(id) => self.engines.get(id).map(|engine| engine.connection),
            };
            ensure(theirs == Some(*connection), || format!("{connection:?} is {peer:?}, which does not know it"))?;
        }
        Ok(())
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}
