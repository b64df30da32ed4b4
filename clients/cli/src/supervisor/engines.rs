//! The engines that a supervisor started, in sets: what one `start` or one `engines -n 2` began is a set.

use std::{collections::BTreeMap, path::PathBuf};

use paraply_common::clock;
use tokio::sync::oneshot;

use super::process::Process;
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

/// How the start of a set goes.
#[derive(Debug, Default)]
struct Start {
    /// Processes made for it, ever: each has a log of its own.
    made: u32,
    joined: Vec<u32>,
    failures: Vec<String>,
    /// Engines that have neither joined nor ended.
    awaited: u32,
    waiting: Option<oneshot::Sender<Reply>>,
}

impl Start {
    fn answer(&self, set: &str, waiting: oneshot::Sender<Reply>) {
        let started = EngineSetStarted {
            engine_set: set.to_owned(),
            engine_ids: self.joined.clone(),
            failures: self.failures.clone(),
        };
        // Who asked may have gone; the engines stay.
        let _ = waiting.send(Reply::EngineSet(started));
    }
}

#[derive(Debug, Default)]
pub(super) struct Engines {
    by_pid: BTreeMap<u32, Engine>,
    sets: BTreeMap<String, Start>,
}

impl Engines {
    /// Opens a set under the id wished for, or the first free one from the present second on. None if the id is taken.
    pub(super) fn open_set(&mut self, wished: Option<String>) -> Option<String> {
        let id = match wished {
            Some(id) if self.sets.contains_key(&id) => return None,
            Some(id) => id,
            None => {
                (clock::unix_nanos() / 1_000_000_000..).map(|n| n.to_string()).find(|id| !self.sets.contains_key(id))?
            }
        };
        self.sets.insert(id.clone(), Start::default());
        Some(id)
    }

    /// Names the log of the set's next engine, such as `engine-1732155000-0`.
    pub(super) fn next_log(&mut self, set: &str) -> String {
        let start = self.sets.entry(set.to_owned()).or_default();
        start.made += 1;
        format!("engine-{set}-{}", start.made - 1)
    }

    pub(super) fn insert(&mut self, engine: Engine) {
        self.sets.entry(engine.set.clone()).or_default().awaited += 1;
        self.by_pid.insert(engine.process.pid(), engine);
    }

    /// Answers `waiting` once all engines of the set have joined or ended.
    pub(super) fn answer_when_settled(&mut self, set: &str, waiting: oneshot::Sender<Reply>) {
        if let Some(start) = self.sets.get_mut(set) {
            start.waiting = Some(waiting);
        }
        self.settle(set);
    }

    /// Notes that an engine takes tasks. False for a stranger's engine and for one that was known to.
    pub(super) fn joined(&mut self, pid: u32, engine_id: u32) -> bool {
        let Some(engine) = self.by_pid.get_mut(&pid) else { return false };
        if engine.engine_id.replace(engine_id).is_some() {
            return false;
        }
        let set = engine.set.clone();
        if let Some(start) = self.sets.get_mut(&set) {
            start.joined.push(engine_id);
            start.awaited -= 1;
        }
        self.settle(&set);
        true
    }

    /// Takes an engine whose process has ended out.
    pub(super) fn remove(&mut self, pid: u32) -> Option<Engine> {
        self.by_pid.remove(&pid)
    }

    /// Notes why an engine that had not joined never will.
    pub(super) fn failed(&mut self, set: &str, failure: String) {
        if let Some(start) = self.sets.get_mut(set) {
            start.failures.push(failure);
            start.awaited -= 1;
        }
        self.settle(set);
    }

    /// Answers at once, with who has joined so far.
    pub(super) fn answer_now(&self, set: &str, waiting: oneshot::Sender<Reply>) {
        if let Some(start) = self.sets.get(set) {
            start.answer(set, waiting);
        }
    }

    /// Who of the set has joined, and how many may still.
    pub(super) fn progress(&self, set: &str) -> (Vec<u32>, u32) {
        self.sets.get(set).map(|start| (start.joined.clone(), start.awaited)).unwrap_or_default()
    }

    fn settle(&mut self, set: &str) {
        let Some(start) = self.sets.get_mut(set).filter(|start| start.awaited == 0) else { return };
        if let Some(waiting) = start.waiting.take() {
            start.answer(set, waiting);
        }
    }

    /// The ids and failures of a set of which no engine is awaited any more.
    pub(super) fn settled(&self, set: &str) -> Option<(&[u32], &[String])> {
        let start = self.sets.get(set).filter(|start| start.awaited == 0)?;
        Some((&start.joined, &start.failures))
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

    /// Forgets the sets meant, whose engines were all asked to end.
    pub(super) fn close_sets(&mut self, which: &Which) {
        if which.engine_id.is_none() {
            self.sets.retain(|id, _| which.engine_set.as_ref().is_some_and(|set| set != id));
        }
    }

    pub(super) fn get_mut(&mut self, pid: u32) -> Option<&mut Engine> {
        self.by_pid.get_mut(&pid)
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

fn listed(items: impl Iterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
