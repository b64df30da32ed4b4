//! The supervisor's loop: what it does at each event.

use std::{io, time::Duration};

use paraply_common::{
    clock,
    spawn::{spawn, spawn_detached},
};
use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot};

use super::{
    Options, Progress, Ready, START_PATIENCE, asked,
    engines::{Engines, SetNumber},
    event::{Event, Outside},
    launch::Launcher,
    membership, parent, python, say,
    service::Service,
    setup::{Ground, Scaling, Traces},
    signals,
};
use crate::{
    control::Reply,
    error::Error,
    folder::ClusterFolder,
    lock::Lock,
    open_files,
    record::{AdminAddresses, ClusterRecord},
};

/// What was asked to end gets this long, then it is killed.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// A client may hear of an engine before the supervisor does. What it asks for such a one waits so long for the news.
const NEWS_PATIENCE: Duration = Duration::from_secs(5);

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
    /// The answer if all goes well.
    pub(super) done: Reply,
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
    pub(super) starting: Option<SetNumber>,
    pub(super) controller_answers: bool,
    pub(super) ready: &'a mut Ready,
    pub(super) failure: Option<String>,
}

/// Runs a cluster until it is stopped. An error means that it did not start, or could not go on.
pub(crate) async fn run(options: Options, ready: &mut Ready) -> Result<(), Error> {
    let folder = ClusterFolder::of(options.name.clone())?;
    folder.create()?;
    let lock = Lock::take(&folder.lock()).map_err(Error::io(format!("cannot lock {}", folder.lock().display())))?;
    let Some(_lock) = lock else { return Err(Error::AlreadyRunning(options.name)) };
    let open_files = open_files::raise();
    // Dropped before the lock is let go of, however this function ends.
    let mut traces = Traces::sweep(&folder);
    let scaling = options.autoscale.map(|autoscale| Scaling::new(&autoscale, options.engines));
    let ground = Ground::prepare(&folder, options.admin, scaling)?;
    let python = python::find(options.python.as_deref());
    let admin = ground.admin();
    ClusterRecord::new(&folder, &options, &ground.control.path, &python, "local", admin).write(&folder)?;

    // Children have the read end; they see the end of the write end, here and nowhere else, when this process dies.
    let (parent, _held) = io::pipe().map_err(Error::io("cannot make a pipe"))?;
    let launcher = Launcher::new(python, options.work_dir, folder.clone(), parent.into(), open_files);
    let launcher = launcher.map_err(Error::io("cannot find this program"))?;
    let (events, mut inbox) = mpsc::channel(INBOX);
    let _asked = asked::listen(ground.control.listener()?, events.clone());
    let _asked = _asked.map_err(Error::io("cannot listen for requests"))?;
    let _signals = signals::listen(&events).map_err(Error::io("cannot take signals"))?;
    let _membership = spawn(membership::watch(ground.connection.clone(), events.clone()));
    let _parent = options.parent.map(|parent| parent::watch(parent, &events)).transpose()?;

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
        folder,
    };
    cluster.start(options.engines);
    while cluster.stage != Stage::Over
        && let Some(event) = inbox.recv().await
    {
        cluster.handle(event);
    }
    traces.keep_nothing = options.ephemeral && cluster.failure.is_none();
    cluster.failure.map_or(Ok(()), |message| Err(Error::Start(message)))
}

impl Cluster<'_> {
    fn start(&mut self, engines: u32) {
        say(format_args!("Starting cluster {} in {}", self.folder.name(), self.folder.path().display()));
        if let Err(reason) = self.start_services() {
            return self.fail(reason);
        }
        if let Some(AdminAddresses { controller, scheduler }) = self.ground.admin() {
            say(format_args!("  metrics     http://{controller}/metrics, http://{scheduler}/metrics"));
        }
        // There is no set yet whose id it could clash with.
        let Some((set, number)) = self.engines.open_set(None) else { return };
        if let Err(reason) = self.spawn_engines(&set, engines) {
            return self.fail(reason);
        }
        say(format_args!("  engines     {engines}, each {} -m paraply.engine", self.launcher.python().display()));
        self.after(START_PATIENCE, Event::SetOverdue(number));
        self.starting = Some(number);
        let starting = Progress::Starting {
            folder: self.folder.path().to_owned(),
            control: self.ground.control.path.clone(),
            engine_set: Some(set),
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
            Event::EngineDrains { pid } => {
                if let Some(engine) = self.engines.get_mut(pid) {
                    engine.asked_to_end = true;
                }
            }
            Event::Scale { engines, here, elsewhere } => self.scale(engines, &here, elsewhere),
            Event::SetOverdue(set) => self.set_overdue(set),
            Event::NoEngineRuns(reason) if self.stage == Stage::Running => {
                self.fail(format!("no engine runs: {reason}"));
            }
            Event::NoEngineRuns(_) => {}
            Event::Outside(outside) => self.heard(outside),
            Event::AskedAgain { request, reply, until } => self.answer_or_wait(request, reply, until),
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

    fn heard(&mut self, outside: Outside) {
        match outside {
            Outside::Asked(request, reply) => self.answer_or_wait(request, reply, clock::now() + NEWS_PATIENCE),
            Outside::Stop(_) if self.stage > Stage::Running => {
                say(format_args!("Killing what is left"));
                self.kill_engines();
                self.signal_services(Signal::KILL);
            }
            Outside::Stop(why) => {
                say(format_args!("{why}: stopping cluster {} (again to kill it)", self.folder.name()));
                self.begin_stop();
            }
            Outside::ParentGone => {
                say(format_args!("The process that started this cluster has ended: stopping"));
                self.begin_stop();
            }
            Outside::Relay(signal) => self.engines.iter_mut().for_each(|engine| engine.process.signal(signal)),
        }
    }

    pub(super) fn after(&self, pause: Duration, event: Event) {
        let due = clock::now() + pause;
        self.when(clock::sleep_until(due), event);
    }

    /// Sends the event when the future is done.
    pub(super) fn when(&self, done: impl Future<Output = ()> + Send + 'static, event: Event) {
        self.send(async {
            done.await;
            event
        });
    }

    /// Sends the event that the future ends with.
    pub(super) fn send(&self, event: impl Future<Output = Event> + Send + 'static) {
        let events = self.events.clone();
        spawn_detached(async move {
            // The loop is over already, then.
            let _ = events.send(event.await).await;
        });
    }
}
