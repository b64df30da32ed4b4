//! What the supervisor does when it is asked.

use std::time::Duration;

use paraply_common::clock;
use paraply_core::time::Time;
use rustix::process::Signal;
use tokio::sync::oneshot;

use super::{
    MOST_ENGINES, START_PATIENCE,
    cluster::{Cluster, Ending, GRACE, Stage},
    event::Event,
    say,
};
use crate::{
    control::{Reply, Report, Request, ServiceProcess, Which},
    folder::ClusterName,
};

/// Between looks whether an engine that was asked for has joined.
const LOOK: Duration = Duration::from_millis(20);

impl Cluster<'_> {
    /// Answers, later if the request is for an engine that may be about to join.
    pub(super) fn answer_or_wait(&mut self, request: Request, reply: oneshot::Sender<Reply>, until: Time) {
        let early = request.engine().is_some_and(|(set, id)| self.engines.may_join(set, id));
        if early && self.stage == Stage::Running && clock::now() < until {
            self.after(LOOK, Event::AskedAgain { request, reply, until });
        } else {
            self.answer(request, reply);
        }
    }

    fn answer(&mut self, request: Request, reply: oneshot::Sender<Reply>) {
        if self.stage != Stage::Running && !matches!(request, Request::Status {} | Request::Stop {}) {
            return send(reply, Reply::error("stopping", "the cluster is being stopped"));
        }
        match request {
            Request::Status {} => send(reply, Reply::Report(self.report())),
            Request::Stop {} => {
                say(format_args!("Asked to stop cluster {}", self.folder.name()));
                send(reply, Reply::Done {});
                self.begin_stop();
            }
            Request::StartEngines { n, engine_set, wait } => self.start_engines(n, engine_set, wait, reply),
            Request::StopEngines(which) => self.end_engines(&which, false, reply),
            Request::RestartEngines(which) => self.end_engines(&which, true, reply),
            Request::SignalEngines { signal, engine_set, engine_id } => {
                self.signal_engines(signal, &Which { engine_set, engine_id }, reply);
            }
        }
    }

    fn report(&self) -> Report {
        let services = self.services.iter().map(|service| ServiceProcess {
            name: service.role.name().to_owned(),
            pid: service.process.as_ref().map(super::process::Process::pid),
            restarts: service.restarts,
        });
        Report { pid: std::process::id(), services: services.collect(), engine_sets: self.engines.report() }
    }

    fn start_engines(&mut self, n: u32, wished: Option<String>, wait: bool, reply: oneshot::Sender<Reply>) {
        if !(1..=MOST_ENGINES).contains(&n) {
            return send(reply, Reply::error("invalid", format!("n is {n}; it can be 1 to {MOST_ENGINES}")));
        }
        // The set's id becomes a part of file names, as a cluster's does.
        if let Some(error) = wished.as_ref().and_then(|id| ClusterName::new(self.folder.name().profile(), id).err()) {
            return send(reply, Reply::error("invalid", format!("engine set: {error}")));
        }
        let Some((set, number)) = self.engines.open_set(wished) else {
            return send(reply, Reply::error("invalid", "an engine set of this id is there already, or is ending"));
        };
        if let Err(reason) = self.spawn_engines(&set, n) {
            let error = Reply::error("failed", format!("{reason}; what was started of the set is stopped again"));
            let which = Which { engine_set: Some(set), engine_id: None };
            return self.end_engines_and_answer(&which, false, error, reply);
        }
        say(format_args!("Starting {n} more engines, set {set}"));
        self.after(START_PATIENCE, Event::SetOverdue(number));
        if wait {
            self.engines.answer_when_settled(&set, reply);
        } else {
            self.engines.answer_now(&set, reply);
        }
    }

    fn end_engines(&mut self, which: &Which, again: bool, reply: oneshot::Sender<Reply>) {
        self.end_engines_and_answer(which, again, Reply::Done {}, reply);
    }

    /// Answers when they are gone: with `done`, unless something goes wrong.
    fn end_engines_and_answer(&mut self, which: &Which, again: bool, done: Reply, reply: oneshot::Sender<Reply>) {
        let pids = match self.engines.select(which) {
            Ok(pids) => pids,
            Err(message) => return send(reply, Reply::error("not_found", message)),
        };
        let mut restart: Vec<(String, u32)> = Vec::new();
        for pid in &pids {
            let Some(engine) = self.engines.get_mut(*pid) else { continue };
            engine.asked_to_end = true;
            engine.process.signal(Signal::TERM);
            match restart.iter_mut().find(|(set, _)| *set == engine.set) {
                _ if !again => {}
                Some((_, n)) => *n += 1,
                None => restart.push((engine.set.clone(), 1)),
            }
        }
        for (set, n) in &restart {
            self.engines.expect(set, *n);
        }
        if !again {
            let stopped = Reply::error("failed", "the engine set was stopped before all its engines had joined");
            self.engines.close_sets(which, &stopped);
            self.check_ready();
        }
        if pids.is_empty() {
            return send(reply, done);
        }
        self.after(GRACE, Event::EnginesOverdue(pids.clone()));
        self.endings.push(Ending { pids, restart, done, reply });
    }

    /// Answers those who waited for this engine's end and for no other's any more.
    pub(super) fn note_ending(&mut self, pid: u32) {
        for ending in &mut self.endings {
            ending.pids.retain(|awaited| *awaited != pid);
        }
        let ended: Vec<Ending> = self.endings.extract_if(.., |ending| ending.pids.is_empty()).collect();
        for ending in ended {
            let restarted = self.restart(&ending.restart);
            send(ending.reply, restarted.map_or_else(|reason| Reply::error("failed", reason), |()| ending.done));
        }
    }

    fn restart(&mut self, sets: &[(String, u32)]) -> Result<(), String> {
        if self.stage != Stage::Running {
            return Ok(());
        }
        let mut outcome = Ok(());
        for (set, n) in sets {
            let started = self.spawn_engines(set, *n);
            self.engines.expect_no_more(set, *n);
            self.engines.settle(set);
            // The other sets are to be restarted all the same.
            outcome = outcome.and(started);
        }
        outcome
    }

    fn signal_engines(&mut self, number: i32, which: &Which, reply: oneshot::Sender<Reply>) {
        let Some(signal) = Signal::from_named_raw(number) else {
            return send(reply, Reply::error("invalid", format!("{number} is not the number of a signal")));
        };
        match self.engines.select(which) {
            Err(message) => send(reply, Reply::error("not_found", message)),
            Ok(pids) => {
                for pid in pids {
                    if let Some(engine) = self.engines.get_mut(pid) {
                        engine.process.signal(signal);
                    }
                }
                send(reply, Reply::Done {});
            }
        }
    }
}

pub(super) fn send(reply: oneshot::Sender<Reply>, text: Reply) {
    // Who asked has hung up; what it asked for is done all the same.
    let _ = reply.send(text);
}
