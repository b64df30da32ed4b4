//! What the loop does about processes: starts them, and hears of their ends.

use std::io;

use paraply_common::clock;

use super::{
    cluster::{Cluster, GRACE, Stage},
    engines::Engine,
    event::Event,
    process::{Process, describe},
    say,
    service::{Role, Service},
    tail,
};

/// A service that ends so often in a row, before the cluster was ever ready, is not going to start.
const HOPELESS: u32 = 4;

impl Cluster<'_> {
    pub(super) fn start_services(&mut self) -> Result<(), String> {
        for role in Role::ALL {
            let process = self.spawn_service(role);
            let process = process.map_err(|error| format!("cannot run the {}: {error}", role.name()))?;
            self.services.push(Service::new(role, process, clock::now()));
        }
        Ok(())
    }

    fn spawn_service(&mut self, role: Role) -> io::Result<Process> {
        let process = self.launcher.service(role, self.ground.listeners(role))?;
        let process = self.watch(process, Event::ServiceEnded(role))?;
        say(format_args!("  {:<11} pid {}", role.name(), process.pid()));
        Ok(process)
    }

    pub(super) fn service_ended(&mut self, role: Role) {
        let Some(service) = self.services.iter_mut().find(|service| service.role == role) else { return };
        let Some((pid, status, pause)) = service.ended(clock::now()) else { return };
        if self.stage != Stage::Running {
            return self.advance();
        }
        let name = role.name();
        let how = status.map_or_else(|error| error.to_string(), describe);
        let hopeless = self.starting.is_some() && service.failures >= HOPELESS;
        if hopeless {
            return self.fail(format!("the {name} keeps ending ({how}){}", tail(&self.folder.log(name))));
        }
        say(format_args!("The {name} (pid {pid}) ended, {how}: starting it again in {} ms", pause.as_millis()));
        self.after(pause, Event::StartService(role));
    }

    pub(super) fn start_service_again(&mut self, role: Role) {
        if self.stage != Stage::Running {
            return;
        }
        match self.spawn_service(role) {
            Ok(process) => {
                if let Some(service) = self.services.iter_mut().find(|service| service.role == role) {
                    service.started_again(process, clock::now());
                }
            }
            Err(error) => {
                say(format_args!("Cannot run the {} ({error}): trying again", role.name()));
                self.after(GRACE, Event::StartService(role));
            }
        }
    }

    /// Starts engines of a set. The error says how far it came, and what to do about it.
    pub(super) fn spawn_engines(&mut self, set: &str, n: u32) -> Result<(), String> {
        let share_of = self.engines.len() + n as usize;
        for started in 0..n {
            if let Err(error) = self.spawn_engine(set, share_of) {
                let so_far = if started == 0 { String::new() } else { format!(" ({started} of {n} were started)") };
                return Err(format!("{error}{so_far}"));
            }
        }
        Ok(())
    }

    fn spawn_engine(&mut self, set: &str, share_of: usize) -> Result<(), String> {
        let Some(log) = self.engines.next_log(set) else { return Err(format!("engine set {set} was stopped")) };
        let log = self.folder.log(&log);
        let process = self.launcher.engine(&log, share_of)?;
        let pid = process.pid();
        let process = self.watch(process, Event::EngineEnded(pid));
        let process = process.map_err(|error| format!("cannot watch the engine process {pid}: {error}"))?;
        self.engines.insert(Engine { process, log, set: set.to_owned(), engine_id: None, asked_to_end: false });
        Ok(())
    }

    /// A process whose end cannot be seen must not run on.
    fn watch(&self, process: Process, event: Event) -> io::Result<Process> {
        match process.ended() {
            Ok(ended) => {
                self.when(ended, event);
                Ok(process)
            }
            Err(error) => {
                // It was killed with its group; how it ended is no news.
                let _ = process.reap();
                Err(error)
            }
        }
    }

    pub(super) fn engine_ended(&mut self, pid: u32) {
        let Some(engine) = self.engines.remove(pid) else { return };
        let how = engine.process.reap().map_or_else(|error| error.to_string(), describe);
        if self.stage == Stage::Running && !engine.asked_to_end {
            let failure = match engine.engine_id {
                None => format!("the engine process {pid} ended before it joined, {how}{}", tail(&engine.log)),
                Some(id) => format!("Engine {id} (pid {pid}) ended, {how}; its log is {}", engine.log.display()),
            };
            say(format_args!("{failure}"));
            self.engines.failed(&engine.set, failure);
        }
        self.note_ending(pid);
        self.engines.settle(&engine.set);
        self.check_ready();
        self.advance();
    }
}
