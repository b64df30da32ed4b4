//! When a start is over, and how it went.

use super::{
    Progress, START_PATIENCE,
    cluster::{Cluster, Stage},
    count,
    engines::SetNumber,
    event::Event,
    python, say, tail,
};

impl Cluster<'_> {
    pub(super) fn check_ready(&mut self) {
        let Some(set) = self.starting.filter(|_| self.stage == Stage::Running && self.controller_answers) else {
            return;
        };
        let Some((joined, failures)) = self.engines.settled(set) else { return };
        if !joined.is_empty() || failures.is_empty() {
            return self.announce(set, joined);
        }
        let failure = failures[0].clone();
        self.starting = None;
        let diagnosis = python::diagnose(self.launcher.python().to_owned());
        self.send(async { Event::NoEngineRuns(diagnosis.await.unwrap_or(failure)) });
    }

    /// The start of a set has had its time.
    pub(super) fn set_overdue(&mut self, set: SetNumber) {
        if self.starting == Some(set) {
            return self.start_overdue(set);
        }
        self.engines.give_up(set, START_PATIENCE.as_secs());
    }

    fn start_overdue(&mut self, set: SetNumber) {
        let seconds = START_PATIENCE.as_secs();
        if !self.controller_answers {
            let log = tail(&self.folder.log("controller"));
            return self.fail(format!("the controller does not answer within {seconds} s{log}"));
        }
        let id = self.engines.id_of(set).unwrap_or_default().to_owned();
        let (joined, late) = (self.engines.joined_of(&id), self.engines.late(&id, seconds));
        match late.first() {
            Some(first) if joined.is_empty() => self.fail(format!("no engine joined: {first}")),
            Some(first) => {
                say(format_args!("{} did not join in time; {first}", count(late.len())));
                self.announce(set, joined);
            }
            None => self.announce(set, joined),
        }
    }

    fn announce(&mut self, set: SetNumber, mut engine_ids: Vec<u32>) {
        self.starting = None;
        self.engines.end_start(set);
        engine_ids.sort_unstable();
        say(format_args!("Ready, with {}. In Python: import paraply; rc = paraply.Client()", count(engine_ids.len())));
        if self.ready.tell_last(&Progress::Ready { engine_ids }).is_err() {
            self.fail("whoever started it has gone".to_owned());
        }
    }
}
