//! The engines that a supervisor started, in sets: what one `start` or one `engines -n 2` began is a set.
//!
//! A set is there from its opening until it is closed and its last process is gone. One that scaling has opened is not
//! closed by anybody: it goes with its last process. Who has joined and who is awaited
//! is never counted: it is seen at the processes that there are.

mod set;

use std::{collections::BTreeMap, path::PathBuf};

use paraply_common::clock;
use tokio::sync::oneshot;

use self::set::Set;
pub(super) use self::set::SetNumber;
use super::{process::Process, tail};
use crate::control::{EngineProcess, EngineSetStarted, Reply, Which};

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) process: Process,
    pub(super) log: PathBuf,
    pub(super) set: String,
    /// None until it has joined.
    pub(super) engine_id: Option<u32>,
    /// Its end was asked for, and is no news.
    pub(super) asked_to_end: bool,
}

#[derive(Debug, Default)]
pub(super) struct Engines {
    by_pid: BTreeMap<u32, Engine>,
    sets: BTreeMap<String, Set>,
    sets_opened: u64,
}

impl Engines {
    /// Opens a set under the id wished for, or the first free one from the present second on. None if the id is taken,
    /// be it by a set whose engines are still ending.
    pub(super) fn open_set(&mut self, wished: Option<String>) -> Option<(String, SetNumber)> {
        let id = match wished {
            Some(id) if self.sets.contains_key(&id) => return None,
            Some(id) => id,
            None => {
                (clock::unix_nanos() / 1_000_000_000..).map(|n| n.to_string()).find(|id| !self.sets.contains_key(id))?
            }
        };
        let number = SetNumber(self.sets_opened);
        self.sets_opened += 1;
        self.sets.insert(id.clone(), Set::new(number));
        Some((id, number))
    }

    /// Nobody is to close the set: it goes with its last engine.
    pub(super) fn leaves_nothing(&mut self, set: &str) {
        if let Some(set) = self.sets.get_mut(set) {
            set.leaves_nothing = true;
        }
    }

    /// Names the log of the set's next engine, such as `engine-1732155000-0`. None if the set was stopped.
    pub(super) fn next_log(&mut self, set: &str) -> Option<String> {
        let start = self.sets.get_mut(set).filter(|start| !start.closing)?;
        start.made += 1;
        Some(format!("engine-{set}-{}", start.made - 1))
    }

    pub(super) fn insert(&mut self, engine: Engine) {
        self.by_pid.insert(engine.process.pid(), engine);
    }

    /// Notes that so many engines of the set will be replaced.
    pub(super) fn expect(&mut self, set: &str, engines: u32) {
        if let Some(set) = self.sets.get_mut(set).filter(|set| !set.closing) {
            set.to_come += engines;
        }
    }

    /// Notes that so many were replaced, or will not be.
    pub(super) fn expect_no_more(&mut self, set: &str, engines: u32) {
        if let Some(set) = self.sets.get_mut(set) {
            set.to_come = set.to_come.saturating_sub(engines);
        }
    }

    /// Answers `waiting` once all engines of the set have joined or ended.
    pub(super) fn answer_when_settled(&mut self, set: &str, waiting: oneshot::Sender<Reply>) {
        if let Some(set) = self.sets.get_mut(set) {
            set.waiting = Some(waiting);
        }
        self.settle(set);
    }

    /// Answers at once, with who has joined so far.
    pub(super) fn answer_now(&mut self, set: &str, waiting: oneshot::Sender<Reply>) {
        answer(waiting, self.started(set, Vec::new()));
        if let Some(set) = self.sets.get_mut(set) {
            set.end_start();
        }
    }

    /// Notes that an engine takes tasks. False for a stranger's engine and for one that was known to.
    pub(super) fn joined(&mut self, pid: u32, engine_id: u32) -> bool {
        let Some(engine) = self.by_pid.get_mut(&pid) else { return false };
        if engine.engine_id.replace(engine_id).is_some() {
            return false;
        }
        let set = engine.set.clone();
        self.settle(&set);
        true
    }

    /// Takes an engine whose process has ended out.
    pub(super) fn remove(&mut self, pid: u32) -> Option<Engine> {
        let engine = self.by_pid.remove(&pid)?;
        self.forget_closed();
        Some(engine)
    }

    /// Notes the end of an engine that nobody asked for: whoever waits for the set's start is to hear of it.
    pub(super) fn failed(&mut self, set: &str, failure: String) {
        if let Some(set) = self.sets.get_mut(set).filter(|set| !set.start_is_over) {
            set.failures.push(failure);
        }
    }

    /// Answers who waits for the set, if nothing of it is awaited any more.
    pub(super) fn settle(&mut self, set: &str) {
        if self.awaited(set) > 0 {
            return;
        }
        let Some((waiting, failures)) = self.sets.get_mut(set).and_then(Set::take_waiting) else { return };
        answer(waiting, self.started(set, failures));
    }

    /// The start of a set has had its time: whoever waits is told of those that have not joined.
    pub(super) fn give_up(&mut self, number: SetNumber, seconds: u64) {
        let Some((id, set)) = self.sets.iter_mut().find(|(_, set)| set.number == number) else { return };
        let Some((waiting, mut failures)) = set.take_waiting() else { return };
        let id = id.clone();
        failures.extend(self.late(&id, seconds));
        answer(waiting, self.started(&id, failures));
    }

    /// What to say of each engine of the set that has not joined.
    pub(super) fn late(&self, set: &str, seconds: u64) -> Vec<String> {
        let late = self.of(set).filter(|(_, engine)| engine.engine_id.is_none());
        let text = |(pid, engine): (&u32, &Engine)| {
            format!("the engine process {pid} has not joined within {seconds} s{}", tail(&engine.log))
        };
        late.map(text).collect()
    }

    /// The engines of a set that have joined and live, and why others have not joined; None while some are awaited. A
    /// set that was stopped has none of either.
    pub(super) fn settled(&self, number: SetNumber) -> Option<(Vec<u32>, &[String])> {
        match self.sets.iter().find(|(_, set)| set.number == number) {
            None => Some((Vec::new(), &[])),
            Some((_, set)) if set.closing => Some((Vec::new(), &[])),
            Some((id, set)) if self.awaited(id) == 0 => Some((self.joined_of(id), &set.failures)),
            Some(_) => None,
        }
    }

    /// Nobody is to hear any more how the start of this set went.
    pub(super) fn end_start(&mut self, number: SetNumber) {
        if let Some(set) = self.sets.values_mut().find(|set| set.number == number) {
            set.end_start();
        }
    }

    /// The set's id, unless it is gone.
    pub(super) fn id_of(&self, number: SetNumber) -> Option<&str> {
        self.sets.iter().find(|(_, set)| set.number == number).map(|(id, _)| id.as_str())
    }

    /// The engines of the set that take tasks.
    pub(super) fn joined_of(&self, set: &str) -> Vec<u32> {
        self.of(set).filter_map(|(_, engine)| engine.engine_id).collect()
    }

    /// Engines of the set that have neither joined nor ended, or are not even there.
    fn awaited(&self, set: &str) -> usize {
        let to_come = self.sets.get(set).map_or(0, |set| set.to_come as usize);
        to_come + self.of(set).filter(|(_, engine)| engine.engine_id.is_none()).count()
    }

    fn of<'a>(&'a self, set: &'a str) -> impl Iterator<Item = (&'a u32, &'a Engine)> {
        self.by_pid.iter().filter(move |(_, engine)| engine.set == set)
    }

    fn started(&self, set: &str, failures: Vec<String>) -> Reply {
        Reply::EngineSet(EngineSetStarted { engine_set: set.to_owned(), engine_ids: self.joined_of(set), failures })
    }

    /// Whether an engine of this id, which no process has, may be one (of the set) that has not joined yet.
    pub(super) fn may_join(&self, set: Option<&str>, engine_id: u32) -> bool {
        let unknown = self.by_pid.values().all(|engine| engine.engine_id != Some(engine_id));
        unknown
            && self.by_pid.values().any(|engine| engine.engine_id.is_none() && set.is_none_or(|set| set == engine.set))
    }

    /// The pids of the engines meant, or what is wrong with the question.
    pub(super) fn select(&self, which: &Which) -> Result<Vec<u32>, String> {
        if let Some(set) = &which.engine_set
            && !self.sets.contains_key(set)
        {
            return Err(format!("there is no engine set '{set}'; there are: {}", listed(self.sets.keys())));
        }
        let meant = |engine: &Engine| {
            which.engine_set.as_ref().is_none_or(|set| *set == engine.set)
                && which.engine_id.is_none_or(|id| engine.engine_id == Some(id))
        };
        let pids: Vec<u32> = self.by_pid.iter().filter(|(_, engine)| meant(engine)).map(|(pid, _)| *pid).collect();
        match which.engine_id {
            Some(id) if pids.is_empty() => Err(format!(
                "there is no engine {id}; there are: {}",
                listed(self.by_pid.values().filter_map(|engine| engine.engine_id))
            )),
            _ => Ok(pids),
        }
    }

    /// Closes the sets meant, whose engines were all asked to end; whoever waits for one of them gets this answer.
    pub(super) fn close_sets(&mut self, which: &Which, reason: &Reply) {
        if which.engine_id.is_some() {
            return;
        }
        for (id, set) in &mut self.sets {
            if which.engine_set.as_ref().is_none_or(|meant| meant == id) {
                set.closing = true;
                set.to_come = 0;
                set.end_start();
                if let Some(waiting) = set.waiting.take() {
                    answer(waiting, reason.clone());
                }
            }
        }
        self.forget_closed();
    }

    fn forget_closed(&mut self) {
        let by_pid = &self.by_pid;
        let gone = |set: &Set| set.closing || set.leaves_nothing && set.to_come == 0;
        self.sets.retain(|id, set| !gone(set) || by_pid.values().any(|engine| engine.set == *id));
    }

    pub(super) fn get_mut(&mut self, pid: u32) -> Option<&mut Engine> {
        self.by_pid.get_mut(&pid)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&u32, &Engine)> {
        self.by_pid.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Engine> {
        self.by_pid.values_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.by_pid.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_pid.is_empty()
    }

    pub(super) fn report(&self) -> BTreeMap<String, Vec<EngineProcess>> {
        let mut sets: BTreeMap<String, Vec<EngineProcess>> =
            self.sets.keys().map(|id| (id.clone(), Vec::new())).collect();
        for (pid, engine) in &self.by_pid {
            let process = EngineProcess { pid: *pid, engine_id: engine.engine_id };
            sets.entry(engine.set.clone()).or_default().push(process);
        }
        sets
    }
}

fn answer(waiting: oneshot::Sender<Reply>, reply: Reply) {
    // Who asked may have gone; the engines stay.
    let _ = waiting.send(reply);
}

fn listed(items: impl Iterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

#[cfg(test)]
mod tests;
