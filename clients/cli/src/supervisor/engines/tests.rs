//! The books that are kept of sets.

use std::process::Command;

use tempfile::TempDir;

use super::*;

/// Sets whose engines are processes that do nothing.
struct World {
    folder: TempDir,
    engines: Engines,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), engines: Engines::default() }
    }

    /// A set of that id with so many engines, and their pids.
    fn open(&mut self, id: &str, engines: usize) -> (SetNumber, Vec<u32>) {
        let (_, number) = self.engines.open_set(Some(id.to_owned())).unwrap();
        (number, (0..engines).map(|_| self.spawn(id)).collect())
    }

    fn spawn(&mut self, set: &str) -> u32 {
        let log = self.folder.path().join(self.engines.next_log(set).unwrap());
        let mut command = Command::new("sleep");
        command.arg("1000");
        let process = Process::spawn(command, &log).unwrap();
        let pid = process.pid();
        self.engines.insert(Engine { process, log, set: set.to_owned(), engine_id: None, asked_to_end: false });
        pid
    }

    fn end(&mut self, pid: u32) {
        let engine = self.engines.remove(pid).unwrap();
        if !engine.asked_to_end {
            self.engines.failed(&engine.set, format!("{pid} ended"));
        }
        let set = engine.set.clone();
        engine.process.reap().unwrap();
        self.engines.settle(&set);
    }

    fn stop(&mut self, set: &str) {
        let which = Which { engine_set: Some(set.to_owned()), engine_id: None };
        for pid in self.engines.select(&which).unwrap() {
            self.engines.get_mut(pid).unwrap().asked_to_end = true;
        }
        self.engines.close_sets(&which, &Reply::error("failed", "stopped"));
    }

    fn wait(&mut self, set: &str) -> oneshot::Receiver<Reply> {
        let (waiting, reply) = oneshot::channel();
        self.engines.answer_when_settled(set, waiting);
        reply
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for (_, engine) in std::mem::take(&mut self.engines.by_pid) {
            let _ = engine.process.reap();
        }
    }
}

#[test]
fn a_set_that_is_stopped_stays_until_its_engines_are_gone_and_counts_as_settled() {
    let mut world = World::new();
    let (number, pids) = world.open("a", 2);
    assert_eq!(world.engines.settled(number), None);
    world.stop("a");
    assert_eq!(world.engines.settled(number), Some((vec![], &[][..])), "stopped is no failure");
    assert_eq!(world.engines.open_set(Some("a".to_owned())), None, "its engines are still there");
    assert!(world.engines.next_log("a").is_none(), "nothing is started in it any more");
    world.end(pids[0]);
    assert!(world.engines.report().contains_key("a"));
    world.end(pids[1]);
    assert!(world.engines.report().is_empty());
    let (again, _) = world.open("a", 1);
    assert_ne!(again, number);
    assert_eq!(world.engines.settled(number), Some((vec![], &[][..])));
    assert_eq!(world.engines.settled(again), None, "the ends of the old engines are not those of the new");
}

#[test]
fn a_set_of_scaling_goes_with_its_last_engine_and_not_while_one_is_replaced() {
    let mut world = World::new();
    let (_, pids) = world.open("a", 2);
    world.engines.leaves_nothing("a");
    world.end(pids[0]);
    assert!(world.engines.report().contains_key("a"));
    world.engines.expect("a", 1);
    world.end(pids[1]);
    let pid = world.spawn("a");
    world.engines.expect_no_more("a", 1);
    world.end(pid);
    assert!(world.engines.report().is_empty());
}

#[test]
fn whoever_waits_for_a_set_that_is_stopped_is_told_so() {
    let mut world = World::new();
    world.open("a", 1);
    let mut reply = world.wait("a");
    assert!(reply.try_recv().is_err(), "an engine is awaited");
    world.stop("a");
    assert_eq!(reply.try_recv().unwrap(), Reply::error("failed", "stopped"));
}

#[test]
fn an_engine_that_joined_and_has_died_is_not_announced() {
    let mut world = World::new();
    let (number, pids) = world.open("a", 2);
    assert!(world.engines.joined(pids[0], 0));
    world.end(pids[0]);
    assert!(world.engines.joined(pids[1], 1));
    let (joined, failures) = world.engines.settled(number).unwrap();
    assert_eq!((joined, failures.len()), (vec![1], 1));
}

#[test]
fn a_restart_is_awaited_though_no_process_is_there() {
    let mut world = World::new();
    let (number, pids) = world.open("a", 1);
    world.engines.expect("a", 1);
    world.engines.get_mut(pids[0]).unwrap().asked_to_end = true;
    let mut reply = world.wait("a");
    world.end(pids[0]);
    assert_eq!(world.engines.settled(number), None);
    let pid = world.spawn("a");
    world.engines.expect_no_more("a", 1);
    assert!(world.engines.joined(pid, 1));
    let Reply::EngineSet(set) = reply.try_recv().unwrap() else { panic!() };
    assert_eq!((set.engine_ids, set.failures), (vec![1], vec![]));
}

#[test]
fn engines_that_are_late_are_told_with_the_end_of_their_log() {
    let mut world = World::new();
    let (number, pids) = world.open("a", 2);
    let mut reply = world.wait("a");
    world.engines.joined(pids[0], 0);
    std::fs::write(&world.engines.by_pid[&pids[1]].log, "still thinking\n").unwrap();
    world.engines.give_up(number, 60);
    let Reply::EngineSet(set) = reply.try_recv().unwrap() else { panic!() };
    assert_eq!(set.engine_ids, [0]);
    assert_eq!(set.failures.len(), 1);
    assert!(set.failures[0].contains("has not joined within 60 s") && set.failures[0].contains("still thinking"));
}
