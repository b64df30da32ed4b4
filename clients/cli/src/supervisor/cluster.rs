//! The supervisor's loop: what it does at each event.

use std::{io, time::Duration};

use paraply_common::{
    clock,
    spawn::{spawn, spawn_detached},
};
use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot};

use super::{
    Options, Progress, Ready, asked, count,
    engines::{Engine, Engines},
    event::Event,
    launch::Launcher,
    membership,
    process::describe,
    python, say,
    service::{Role, Service},
    setup::{self, Ground},
    signals, tail,
};
use crate::{control::Reply, error::Error, folder::ClusterFolder, lock::Lock, record::ClusterRecord};

/// What was asked to end gets this long, then it is killed.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// Engines that have not joined by then are given up as hanging.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// A service that ends so often in a row, before the cluster was ever ready, is not going to start.
const HOPELESS: u32 = 4;

/// Events that wait while one is handled.
const INBOX: usize = 64;

/// How far the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Running,
    /// Engines first, so that they can take leave of the services.
    EndingEngines,
    EndingServices,
    Over,
}

/// Engines whose end somebody waits for.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) pids: Vec<u32>,
    /// The sets, and how many engines to start in each when all of these are gone.
    pub(super) restart: Vec<(String, u32)>,
    pub(super) reply: oneshot::Sender<Reply>,
}

pub(super) struct Cluster<'a> {
    pub(super) folder: ClusterFolder,
    pub(super) launcher: Launcher,
    pub(super) ground: Ground,
    pub(super) services: Vec<Service>,
    pub(super) engines: Engines,
    pub(super) endings: Vec<Ending>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) stage: Stage,
    /// The set that `start` began, until the cluster is ready.
    starting: Option<String>,
    controller_answers: bool,
    ready: &'a mut Ready,
    failure: Option<String>,
}

/// Runs a cluster until it is stopped. An error means that it did not start, or could not go on.
pub(crate) async fn run(options: Options, ready: &mut Ready) -> Result<(), Error> {
    let folder = ClusterFolder::of(options.name.clone())?;
    folder.create()?;
    let lock = Lock::take(&folder.lock()).map_err(Error::io(format!("cannot lock {}", folder.lock().display())))?;
    let Some(_lock) = lock else { return Err(Error::AlreadyRunning(options.name)) };
    setup::sweep(&folder);
    let ground = Ground::prepare(&folder)?;
    let python = python::find(options.python.as_deref());
    ClusterRecord::new(&folder, &options, &ground.control_path, &python).write(&folder)?;

    // Children have the read end; they see the end of the write end, here and nowhere else, when this process dies.
    let (parent, _held) = io::pipe().map_err(Error::io("cannot make a pipe"))?;
    let launcher = Launcher::new(python, options.work_dir, folder.clone(), parent.into());
    let launcher = launcher.map_err(Error::io("cannot find this program"))?;
    let (events, mut inbox) = mpsc::channel(INBOX);
    let control = ground.control.try_clone().and_then(|listener| asked::listen(listener, events.clone()));
    let _asked = control.map_err(Error::io("cannot listen for requests"))?;
    let _signals = signals::listen(&events).map_err(Error::io("cannot take signals"))?;
    let _membership = spawn(membership::watch(ground.connection.clone(), events.clone()));
    let _parent = options.parent.map(crate::inherited::closed).transpose();
    let _parent = _parent.map_err(Error::io("cannot watch the parent process"))?.map(|closed| {
        let events = events.clone();
        spawn(async move {
            closed.await;
            // The loop is over already, then.
            let _ = events.send(Event::ParentGone).await;
        })
    });

    let mut cluster = Cluster {
        launcher,
        ground,
        services: Vec::new(),
        engines: Engines::default(),
        endings: Vec::new(),
        events,
        stage: Stage::Running,
        starting: None,
        controller_answers: false,
        ready,
        failure: None,
        folder: folder.clone(),
    };
    cluster.start(options.engines);
    while cluster.stage != Stage::Over
        && let Some(event) = inbox.recv().await
    {
        cluster.handle(event);
    }
    setup::clear(&folder, options.ephemeral && cluster.failure.is_none());
    cluster.failure.map_or(Ok(()), |message| Err(Error::Start(message)))
}

impl Cluster<'_> {
    fn start(&mut self, engines: u32) {
        say(format_args!("Starting cluster {} in {}", self.folder.name(), self.folder.path().display()));
        for role in Role::ALL {
            match self.spawn_service(role) {
                Ok(process) => self.services.push(Service::new(role, process, clock::now())),
                Err(error) => return self.fail(format!("cannot run the {}: {error}", role.name())),
            }
        }
        let set = self.engines.open_set(None);
        if let Some(Err(reason)) = set.as_deref().map(|set| self.spawn_engines(set, engines)) {
            return self.fail(reason);
        }
        say(format_args!("  engines     {engines}, each {} -m paraply.engine", self.launcher.python().display()));
        self.after(START_PATIENCE, Event::StartOverdue);
        self.starting.clone_from(&set);
        let starting = Progress::Starting {
            folder: self.folder.path().to_owned(),
            control: self.ground.control_path.clone(),
            engine_set: set,
        };
        if self.ready.tell(&starting).is_err() {
            self.fail("whoever started it has gone".to_owned());
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::ServiceEnded(role) => self.service_ended(role),
            Event::StartService(role) => self.start_service_again(role),
            Event::EngineEnded(pid) => self.engine_ended(pid),
            Event::ControllerAnswers => {
                self.controller_answers = true;
                self.check_ready();
            }
            Event::EngineJoined { engine_id, pid } => {
                if self.engines.joined(pid, engine_id) {
                    say(format_args!("  engine {engine_id:<4} pid {pid}"));
                    self.check_ready();
                }
            }
            Event::StartOverdue => self.start_overdue(),
            Event::Asked(request, reply) => self.answer(request, reply),
            Event::Stop(_) if self.stage > Stage::Running => {
                say(format_args!("Killing what is left"));
                self.kill_engines();
                self.signal_services(Signal::KILL);
            }
            Event::Stop(why) => {
                say(format_args!("{why}: stopping cluster {} (again to kill it)", self.folder.name()));
                self.begin_stop();
            }
            Event::ParentGone => {
                say(format_args!("The process that started this cluster has ended: stopping"));
                self.begin_stop();
            }
            Event::Relay(signal) => self.engines.iter_mut().for_each(|engine| engine.process.signal(signal)),
            Event::Overdue(stage) if stage == self.stage => match stage {
                Stage::EndingEngines => self.kill_engines(),
                _ => self.signal_services(Signal::KILL),
            },
            Event::Overdue(_) => {}
            Event::EnginesOverdue(pids) => {
                for pid in pids {
                    if let Some(engine) = self.engines.get_mut(pid) {
                        engine.process.kill_group();
                    }
                }
            }
        }
    }

    fn spawn_service(&mut self, role: Role) -> io::Result<super::process::Process> {
        let process = self.launcher.service(role, self.ground.listeners(role))?;
        self.when(process.ended()?, Event::ServiceEnded(role));
        say(format_args!("  {:<11} pid {}", role.name(), process.pid()));
        Ok(process)
    }

    fn service_ended(&mut self, role: Role) {
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

    fn start_service_again(&mut self, role: Role) {
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

    /// Starts engines of a set. The error says what to do about it.
    pub(super) fn spawn_engines(&mut self, set: &str, n: u32) -> Result<(), String> {
        let share_of = self.engines.len() + n as usize;
        for _ in 0..n {
            if let Err(error) = self.spawn_engine(set, share_of) {
                let python = self.launcher.python();
                return Err(python::diagnose(python).unwrap_or_else(|| format!("{}: {error}", python.display())));
            }
        }
        Ok(())
    }

    fn spawn_engine(&mut self, set: &str, share_of: usize) -> io::Result<()> {
        let log = self.folder.log(&self.engines.next_log(set));
        let process = self.launcher.engine(&log, share_of)?;
        self.when(process.ended()?, Event::EngineEnded(process.pid()));
        self.engines.insert(Engine { process, log, set: set.to_owned(), engine_id: None, asked_to_end: false });
        Ok(())
    }

    fn engine_ended(&mut self, pid: u32) {
        let Some(engine) = self.engines.remove(pid) else { return };
        let how = engine.process.reap().map_or_else(|error| error.to_string(), describe);
        if engine.engine_id.is_none() {
            let failure = format!("the engine process {pid} ended before it joined, {how}{}", tail(&engine.log));
            if self.stage == Stage::Running && !engine.asked_to_end {
                say(format_args!("{failure}"));
            }
            self.engines.failed(&engine.set, failure);
        } else if self.stage == Stage::Running && !engine.asked_to_end {
            let id = engine.engine_id.unwrap_or_default();
            say(format_args!("Engine {id} (pid {pid}) ended, {how}; its log is {}", engine.log.display()));
        }
        self.note_ending(pid);
        self.check_ready();
        self.advance();
    }

    fn check_ready(&mut self) {
        let Some((joined, failures)) = self.starting.as_ref().and_then(|set| self.engines.settled(set)) else { return };
        if self.stage != Stage::Running || !self.controller_answers {
            return;
        }
        if joined.is_empty() && !failures.is_empty() {
            let reason = python::diagnose(self.launcher.python());
            let reason = reason.unwrap_or_else(|| failures[0].clone());
            return self.fail(format!("no engine runs: {reason}"));
        }
        let joined = joined.to_vec();
        self.announce(joined);
    }

    fn start_overdue(&mut self) {
        let Some(set) = self.starting.clone() else { return };
        let (joined, awaited) = self.engines.progress(&set);
        let seconds = START_PATIENCE.as_secs();
        if joined.is_empty() {
            return self.fail(format!("no engine joined within {seconds} s; see {}", self.folder.logs().display()));
        }
        say(format_args!("{awaited} engines have not joined within {seconds} s; see {}", self.folder.logs().display()));
        self.announce(joined);
    }

    fn announce(&mut self, mut engine_ids: Vec<u32>) {
        self.starting = None;
        engine_ids.sort_unstable();
        say(format_args!("Ready, with {}. In Python: import paraply; rc = paraply.Client()", count(engine_ids.len())));
        if self.ready.tell_last(&Progress::Ready { engine_ids }).is_err() {
            self.fail("whoever started it has gone".to_owned());
        }
    }

    fn fail(&mut self, message: String) {
        self.failure.get_or_insert(message);
        self.begin_stop();
    }

    pub(super) fn begin_stop(&mut self) {
        if self.stage > Stage::Running {
            return;
        }
        self.stage = Stage::EndingEngines;
        self.engines.iter_mut().for_each(|engine| engine.process.signal(Signal::TERM));
        self.after(GRACE, Event::Overdue(self.stage));
        self.advance();
    }

    /// Goes on with the end when what it waited for is gone.
    fn advance(&mut self) {
        if self.stage == Stage::EndingEngines && self.engines.is_empty() {
            self.stage = Stage::EndingServices;
            self.signal_services(Signal::TERM);
            self.after(GRACE, Event::Overdue(self.stage));
        }
        if self.stage == Stage::EndingServices && self.services.iter().all(|service| service.process.is_none()) {
            self.stage = Stage::Over;
        }
    }

    fn kill_engines(&mut self) {
        self.engines.iter_mut().for_each(|engine| engine.process.kill_group());
    }

    fn signal_services(&self, signal: Signal) {
        for process in self.services.iter().filter_map(|service| service.process.as_ref()) {
            process.signal(signal);
        }
    }

    pub(super) fn after(&self, pause: Duration, event: Event) {
        let due = clock::now() + pause;
        self.when(clock::sleep_until(due), event);
    }

    /// Sends the event when the future is done.
    fn when(&self, done: impl Future<Output = ()> + Send + 'static, event: Event) {
        let events = self.events.clone();
        spawn_detached(async move {
            done.await;
            // The loop is over already, then.
            let _ = events.send(event).await;
        });
    }
}
