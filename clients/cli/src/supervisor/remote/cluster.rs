//! The supervisor's loop: what it does at each event.

use std::path::PathBuf;

use paraply_common::{
    clock,
    connection::ConnectionFile,
    spawn::{Task, spawn, spawn_detached},
};
use paraply_proto::controller::v1::{EngineState, watch_engines_response::Event};
use tokio::sync::{mpsc, oneshot};

use super::{
    orders::Order,
    place::{Place, Up},
    waiting::{Until, Waiting},
};
use crate::{
    control::Reply,
    error::Error,
    fleet::Fleet,
    folder::ClusterFolder,
    lock::Lock,
    record::ClusterRecord,
    supervisor::{Options, Progress, Ready, asked, count, event::Outside, parent, say, setup, signals, watch},
};

/// Events that wait while one is handled.
const INBOX: usize = 64;

/// What the loop reacts to.
#[derive(Debug)]
pub(super) enum Happening {
    Outside(Outside),
    /// The cluster has come up, or could not.
    Up(Box<Result<Up, Error>>),
    /// The controller tells of engines.
    Engines(Event),
    /// What the controller was asked to do it does.
    Ordered(Until, Reply, oneshot::Sender<Reply>),
    /// The engines that were launched are on their way, or cannot be.
    Scaled(Result<(), Error>),
    /// Engines that have not come by now may not come.
    Overdue,
}

impl From<Outside> for Happening {
    fn from(outside: Outside) -> Self {
        Self::Outside(outside)
    }
}

impl From<Event> for Happening {
    fn from(event: Event) -> Self {
        Self::Engines(event)
    }
}

/// How far the cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Starting,
    Running,
    Over,
}

pub(super) struct Remote<'a> {
    pub(super) folder: ClusterFolder,
    pub(super) place: Place,
    pub(super) events: mpsc::Sender<Happening>,
    pub(super) fleet: Fleet,
    /// Engines that there are to be.
    pub(super) wanted: u32,
    pub(super) up: Option<Up>,
    /// What clients get, until the controller answers.
    connection: Option<ConnectionFile>,
    waiting: Waiting,
    stage: Stage,
    /// Whether engines are just being launched, and how many are to be there after that.
    launching: bool,
    then: Option<u32>,
    watching: Option<Task<()>>,
    ready: Option<&'a mut Ready>,
    control: PathBuf,
    failure: Option<String>,
}

/// Makes the place of a cluster, when it is known that no other of its name runs.
pub(crate) type Make = dyn FnOnce(&ClusterFolder) -> Result<Place, Error>;

/// Runs a cluster elsewhere until it is stopped. An error means that it did not start, or was not taken away.
pub(crate) async fn run(options: Options, make: Box<Make>, ready: &mut Ready) -> Result<(), Error> {
    let folder = ClusterFolder::of(options.name.clone())?;
    folder.create()?;
    let lock = Lock::take(&folder.lock()).map_err(Error::io(format!("cannot lock {}", folder.lock().display())))?;
    let Some(_lock) = lock else { return Err(Error::AlreadyRunning(options.name)) };
    let mut traces = setup::Traces::sweep(&folder);
    let place = make(&folder)?;
    let control = setup::ControlSocket::bind()?;
    ClusterRecord::new(&folder, &options, &control.path, "python".as_ref(), place.launcher(), None).write(&folder)?;
    let (events, mut inbox) = mpsc::channel(INBOX);
    let _asked = asked::listen(control.listener()?, events.clone()).map_err(Error::io("cannot listen for requests"))?;
    let _signals = signals::listen(&events).map_err(Error::io("cannot take signals"))?;
    let _parent = options.parent.map(|parent| parent::watch(parent, &events)).transpose()?;

    say(format_args!("Starting cluster {} in {}", folder.name(), place.describe()));
    let (starting, told) = (place.clone(), events.clone());
    spawn_detached(async move {
        let up = starting.up(options.engines).await;
        // It is stopped as it was started: by the loop.
        let _ = told.send(Happening::Up(Box::new(up))).await;
    });
    let mut remote = Remote {
        folder,
        place,
        events,
        fleet: Fleet::default(),
        wanted: options.engines,
        up: None,
        connection: None,
        waiting: Waiting::default(),
        stage: Stage::Starting,
        launching: false,
        then: None,
        watching: None,
        ready: Some(ready),
        control: control.path.clone(),
        failure: None,
    };
    while remote.goes_on()
        && let Some(happening) = inbox.recv().await
    {
        remote.handle(happening);
    }
    let Remote { place, watching, mut waiting, mut failure, .. } = remote;
    drop(watching);
    waiting.give_up(&Reply::error("stopping", "the cluster is being stopped"));
    say(format_args!("Taking down {}", place.describe()));
    if let Err(error) = place.down().await {
        failure.get_or_insert(error.to_string());
    }
    traces.keep_nothing = options.ephemeral && failure.is_none();
    failure.map_or(Ok(()), |message| Err(Error::Start(message)))
}

impl Remote<'_> {
    /// What is still being started cannot be taken down, nor what is being launched.
    fn goes_on(&self) -> bool {
        self.stage != Stage::Over || (self.up.is_none() && self.failure.is_none()) || self.launching
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Outside(outside) => self.heard(outside),
            Happening::Up(up) => match *up {
                Ok(up) => self.came_up(up),
                Err(error) => self.fail(error.to_string()),
            },
            Happening::Engines(event) => {
                self.fleet.take(&event);
                self.answers();
                if let Event::WantedEngines(wanted) = event {
                    self.wanted = wanted;
                    self.launch(wanted);
                }
                self.check_ready();
                self.waiting.look(&self.fleet);
            }
            Happening::Ordered(until, done, reply) => {
                self.waiting.add(until, done, reply);
                self.waiting.look(&self.fleet);
            }
            Happening::Scaled(scaled) => {
                self.launching = false;
                if let Err(error) = scaled {
                    say(format_args!("Engines were not scaled: {error}"));
                    self.waiting.give_up(&Reply::error("failed", error.to_string()));
                }
                if let Some(wanted) = self.then.take() {
                    self.launch(wanted);
                }
            }
            Happening::Overdue => self.overdue(),
        }
    }

    fn heard(&mut self, outside: Outside) {
        match outside {
            Outside::Asked(request, reply) => self.answer(request, reply),
            Outside::Stop(why) => {
                say(format_args!("{why}: stopping cluster {}", self.folder.name()));
                self.stop();
            }
            Outside::ParentGone => {
                say(format_args!("The process that started this cluster has ended: stopping"));
                self.stop();
            }
            Outside::Relay(signal) => {
                let Some(up) = &self.up else { return };
                let (connection, engines) = (up.connection.clone(), self.fleet.ids().collect());
                let order = Order::Signal { engines, number: signal.as_raw() };
                spawn_detached(async move {
                    if let Err(error) = order.give(&connection).await {
                        say(format_args!("{error:?}"));
                    }
                });
            }
        }
    }

    pub(super) fn stop(&mut self) {
        self.stage = Stage::Over;
        self.then = None;
    }

    fn fail(&mut self, message: String) {
        self.failure.get_or_insert(message);
        self.stop();
    }

    fn came_up(&mut self, up: Up) {
        let mut connection = up.connection.clone();
        self.up = Some(up);
        if self.stage == Stage::Over {
            return;
        }
        connection.profile = self.folder.name().profile().to_owned();
        // This launches engines for as long as the cluster lives.
        connection.launcher = None;
        let (launcher, events) = (!self.place.launches(), self.events.clone());
        self.watching = Some(spawn(watch::watch(connection.clone(), launcher, events)));
        self.connection = Some(connection);
        let (due, events) = (clock::now() + self.place.patience(), self.events.clone());
        spawn_detached(async move {
            clock::sleep_until(due).await;
            // The loop is over already, then.
            let _ = events.send(Happening::Overdue).await;
        });
    }

    /// The controller answers for the first time: now the cluster can be found.
    fn answers(&mut self) {
        let Some(connection) = self.connection.take().filter(|_| self.stage == Stage::Starting) else { return };
        self.stage = Stage::Running;
        if let Err(error) = connection.write(&self.folder.connection()) {
            return self.fail(error.to_string());
        }
        let starting = Progress::Starting {
            folder: self.folder.path().to_owned(),
            control: self.control.clone(),
            engine_set: Some(self.place.launcher().to_owned()),
        };
        if self.ready.as_mut().is_some_and(|ready| ready.tell(&starting).is_err()) {
            self.fail("whoever started it has gone".to_owned());
        }
    }

    /// Launches engines, or ends them; one such thing at a time.
    fn launch(&mut self, wanted: u32) {
        if self.place.launches() || self.stage != Stage::Running {
            return;
        }
        if self.launching {
            self.then = Some(wanted);
            return;
        }
        self.launching = true;
        say(format_args!("Scaling to {}", count(wanted as usize)));
        let (scaling, events) = (self.place.clone().scale(wanted, self.fleet.clone()), self.events.clone());
        spawn_detached(async move {
            // The loop waits for it.
            let _ = events.send(Happening::Scaled(scaling.await)).await;
        });
    }

    fn check_ready(&mut self) {
        if self.stage == Stage::Running && self.fleet.count(EngineState::Attached) >= self.wanted as usize {
            self.announce();
        }
    }

    /// The start has had its time.
    fn overdue(&mut self) {
        let (there, seconds) = (self.fleet.count(EngineState::Attached), self.place.patience().as_secs());
        if self.ready.is_none() || self.stage == Stage::Over {
            return;
        }
        if self.stage == Stage::Starting {
            return self
                .fail(format!("the controller does not answer within {seconds} s; look at {}", self.place.describe()));
        }
        if there == 0 {
            return self.fail(format!("no engine has joined within {seconds} s; look at {}", self.place.describe()));
        }
        say(format_args!(
            "{} of {} did not join in {seconds} s",
            (self.wanted as usize).saturating_sub(there),
            self.wanted
        ));
        self.announce();
    }

    fn announce(&mut self) {
        let Some(ready) = self.ready.take() else { return };
        let engine_ids: Vec<u32> = self.fleet.attached().map(|(id, _)| id).collect();
        say(format_args!("Ready, with {}. In Python: import paraply; rc = paraply.Client()", count(engine_ids.len())));
        if ready.tell_last(&Progress::Ready { engine_ids }).is_err() {
            self.fail("whoever started it has gone".to_owned());
        }
    }
}
