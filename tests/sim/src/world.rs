//! A cluster: every process, the network between them, and what happens next.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use paraply_core::{
    id::{BlobId, ConnectionId, EngineId, Epoch, Incarnation, SessionId, TransferId},
    time::Time,
};

use crate::{
    agenda::{Agenda, Event, Pid, Place},
    client::ClientProcess,
    controller::ControllerProcess,
    engine::EngineProcess,
    network::{Ending, Kind, Message, Network, Side},
    oracle::{Oracle, Violation},
    random::Random,
    record::Recorder,
    scheduler::SchedulerProcess,
    setting::Setting,
    story::Story,
    tally::Tally,
    transfers::Reading,
};

/// Everything there is.
#[derive(Debug)]
pub struct World {
    /// Virtual time.
    pub now: Time,
    /// All choices are drawn here.
    pub random: Random,
    /// What happens when.
    pub agenda: Agenda,
    /// Streams.
    pub network: Network,
    /// This run's settings.
    pub setting: Setting,
    /// What happened.
    pub story: Story,
    /// What happens to one client.
    pub recorder: Recorder,
    /// What has to be true.
    pub oracle: Oracle,
    /// What the machines did.
    pub tally: Tally,
    /// The process, unless it is dead.
    pub controller: Option<ControllerProcess>,
    /// The process, unless it is dead.
    pub scheduler: Option<SchedulerProcess>,
    /// By slot; a new process in a slot is a new engine.
    pub engines: Vec<Option<EngineProcess>>,
    /// By slot; a new process in a slot has a new session.
    pub clients: Vec<Option<ClientProcess>>,
    /// What the controller's disk says of ids given.
    pub ids_given: Option<u32>,
    /// Driver's actions left.
    pub actions: u64,
    /// What was found wrong first.
    pub violation: Option<Violation>,
    /// Stimuli that machines were given.
    pub stimuli: u64,
    /// Processes that die are started again.
    pub supervised: bool,
    /// How long all tasks take together, one after the other, with their retries.
    pub work: Duration,
    /// Signals that were sent to engines and have not arrived.
    pub signals: BTreeMap<EngineId, u64>,
    /// Who waits for a blob that the store does not have.
    pub readings: BTreeMap<TransferId, Reading>,
    /// What the scheduler's disk has: the only copies of parts of results.
    pub disk: BTreeMap<BlobId, SessionId>,
    /// Parts of results that the store did not take.
    pub refused: BTreeSet<BlobId>,
    /// Which process kept a part of a result.
    pub keepers: BTreeMap<BlobId, Pid>,
    /// Nobody reaches anyone from here until then.
    cut_off: BTreeMap<Place, Time>,
    next_name: u64,
}

impl World {
    /// A cluster whose processes are about to start.
    #[must_use]
    pub fn new(seed: u64, setting: Setting, story: Story) -> Self {
        let mut agenda = Agenda::default();
        let mut random = Random::new(seed);
        let engines = (0..setting.engines).map(Place::Engine);
        let clients = (0..setting.clients).map(Place::Client);
        for place in [Place::Controller, Place::Scheduler].into_iter().chain(engines).chain(clients) {
            agenda.at(Time(0) + random.micros(0, 3000), Event::Start(place));
        }
        agenda.at(Time(0) + Duration::from_millis(20), Event::Act);
        Self {
            now: Time(0),
            random,
            agenda,
            network: Network::default(),
            story,
            recorder: Recorder::default(),
            oracle: Oracle::new(&setting),
            tally: Tally::default(),
            controller: None,
            scheduler: None,
            engines: (0..setting.engines).map(|_| None).collect(),
            clients: (0..setting.clients).map(|_| None).collect(),
            ids_given: Some(0),
            actions: setting.actions,
            violation: None,
            stimuli: 0,
            supervised: true,
            work: Duration::ZERO,
            signals: BTreeMap::new(),
            readings: BTreeMap::new(),
            disk: BTreeMap::new(),
            refused: BTreeSet::new(),
            keepers: BTreeMap::new(),
            cut_off: BTreeMap::new(),
            next_name: 0,
            setting,
        }
    }

    /// Lets the next thing happen.
    pub fn step(&mut self) {
        let Some((time, event)) = self.agenda.pop() else { return };
        self.now = time;
        self.happen(event);
        self.check_scheduler();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival { connection, at } => {
                let message = self.network.arrive(connection, at);
                if let (Some(message), Some(pid)) = (message, self.pid_at(connection, at)) {
                    self.arrived(pid, connection, message);
                }
            }
            Event::LineFree { connection, at } => {
                if let Some(pid) = self.pid_at(connection, at).filter(|_| self.network.is_open(connection, at)) {
                    self.line_free(pid, connection);
                }
            }
            Event::Ended { connection, at } => {
                let pid = self.pid_at(connection, at);
                if let Some(pid) = pid.filter(|_| self.network.ended(connection, at)) {
                    self.story.tell(self.now, || format!("* {connection:?} ended for {pid:?}"));
                    self.broken(pid, connection);
                }
            }
            Event::Dial { from, kind, dial } => self.dial_arrives(from, kind, dial),
            Event::Connected { to, connection, dial } => self.connected(to, connection, dial),
            Event::Refused { to, kind, dial } => self.refused(to, kind, dial),
            Event::Wake(pid) => self.wake(pid),
            Event::Flush(pid) => self.flush(pid),
            Event::Register { from } => self.register_arrives(from),
            Event::Registered { to, answer } => self.registered(to, answer),
            Event::Deregister { member_id, incarnation } => self.deregister_arrives(member_id, incarnation),
            Event::Cut { connection, endings } => self.cut(connection, endings),
            Event::TaskEnds { engine, attempt } => self.task_ends(engine, attempt),
            Event::Persisted { scheduler, up_to } => self.persisted(scheduler, up_to),
            Event::Blob { scheduler, blob, ready } => self.blob_moves(scheduler, blob, ready),
            Event::Read(reading) => self.read(reading),
            Event::ReadDone { reading, whole } => self.read_done(reading, whole),
            Event::Passed { from, want } => self.passed(from, want),
            Event::Stored { engine, blob } => self.stored(engine, blob),
            Event::Start(place) => self.start(place),
            Event::Act => self.act(),
        }
    }

    /// A number that no other has.
    pub fn name(&mut self) -> u64 {
        self.next_name += 1;
        self.next_name
    }

    /// Starts a process where there is none.
    pub fn start(&mut self, place: Place) {
        let pid = Pid(self.name());
        let name = self.name();
        match place {
            Place::Controller if self.controller.is_none() => self.start_controller(pid),
            Place::Scheduler if self.scheduler.is_none() => {
                let epoch = Epoch(self.random.any() | 1);
                self.start_scheduler(pid, epoch, Incarnation(u128::from(name)));
            }
            Place::Engine(slot) if self.engines[slot].is_none() => {
                self.start_engine(pid, slot, Incarnation(u128::from(name)));
            }
            Place::Client(slot) if self.clients[slot].is_none() => {
                self.start_client(pid, slot, SessionId(u128::from(name)));
            }
            _ => return,
        }
        self.story.tell(self.now, || format!("* {place:?} starts as {pid:?} named {name:x}"));
        self.flush_later(pid);
    }

    /// Ends a process, as `kill -9` does, or as the machine that it runs on.
    pub fn kill(&mut self, place: Place, ending: Ending) {
        let Some(pid) = self.pid_of(place) else { return };
        self.story.tell(self.now, || format!("* {place:?} {pid:?} dies, {ending:?}"));
        self.tally_of(place);
        match place {
            Place::Controller => self.controller = None,
            Place::Scheduler => {
                self.scheduler = None;
                self.oracle.scheduler_died();
                for reading in std::mem::take(&mut self.readings).into_values() {
                    self.agenda.at(self.now + Duration::from_millis(1), Event::Read(reading));
                }
            }
            Place::Engine(slot) => {
                if ending != Ending::Clean {
                    self.engine_died(slot);
                }
                self.engines[slot] = None;
            }
            Place::Client(slot) => {
                if let Some(client) = self.clients[slot].take() {
                    self.oracle.client_died(client.session);
                }
            }
        }
        self.leave_unwanted();
        for (connection, side) in self.network.of(pid) {
            let Self { now, random, agenda, .. } = self;
            self.network.close(*now, random, agenda, connection, side, ending);
        }
        if self.supervised {
            self.supervise(place);
        }
    }

    /// The process at a place, if it lives.
    #[must_use]
    pub fn pid_of(&self, place: Place) -> Option<Pid> {
        match place {
            Place::Controller => self.controller.as_ref().map(|process| process.pid),
            Place::Scheduler => self.scheduler.as_ref().map(|process| process.pid),
            Place::Engine(slot) => self.engines[slot].as_ref().map(|process| process.pid),
            Place::Client(slot) => self.clients[slot].as_ref().map(|process| process.pid),
        }
    }

    /// All places.
    pub fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let engines = (0..self.engines.len()).map(Place::Engine);
        let clients = (0..self.clients.len()).map(Place::Client);
        [Place::Controller, Place::Scheduler].into_iter().chain(engines).chain(clients)
    }

    /// Where a process is, while it lives.
    #[must_use]
    pub fn place_of(&self, pid: Pid) -> Option<Place> {
        self.places().find(|place| self.pid_of(*place) == Some(pid))
    }

    fn pid_at(&self, connection: ConnectionId, side: Side) -> Option<Pid> {
        let stream = self.network.get(connection)?;
        Some(if side == Side::Caller { stream.caller } else { stream.service })
    }

    fn arrived(&mut self, pid: Pid, connection: ConnectionId, message: Message) {
        match self.place_of(pid) {
            Some(Place::Controller) => self.controller_hears(connection, message),
            Some(Place::Scheduler) => self.scheduler_hears(connection, message),
            Some(Place::Engine(slot)) => self.engine_hears(slot, message),
            Some(Place::Client(slot)) => self.client_hears(slot, message),
            None => {}
        }
    }

    fn line_free(&mut self, pid: Pid, connection: ConnectionId) {
        match self.place_of(pid) {
            Some(Place::Controller) => self.controller_line_free(connection),
            Some(Place::Scheduler) => self.scheduler_line_free(connection),
            Some(Place::Engine(slot)) => self.engine_line_free(slot, connection),
            Some(Place::Client(slot)) => self.client_line_free(slot),
            None => {}
        }
    }

    fn broken(&mut self, pid: Pid, connection: ConnectionId) {
        match self.place_of(pid) {
            Some(Place::Controller) => self.controller_lost(connection),
            Some(Place::Scheduler) => self.scheduler_lost(connection),
            Some(Place::Engine(slot)) => self.engine_lost(slot, connection),
            Some(Place::Client(slot)) => self.client_lost(slot),
            None => {}
        }
    }

    fn wake(&mut self, pid: Pid) {
        match self.place_of(pid) {
            Some(Place::Controller) => self.controller_wakes(),
            Some(Place::Scheduler) => self.scheduler_wakes(),
            Some(Place::Engine(slot)) => self.engine_wakes(slot),
            Some(Place::Client(slot)) => self.client_wakes(slot),
            None => {}
        }
    }

    fn flush(&mut self, pid: Pid) {
        match self.place_of(pid) {
            Some(Place::Controller) => self.flush_controller(),
            Some(Place::Scheduler) => self.flush_scheduler(),
            Some(Place::Engine(slot)) => self.flush_engine(slot),
            Some(Place::Client(slot)) => self.flush_client(slot),
            None => {}
        }
    }

    /// The shell flushes once it has drained its inbox: soon, and once for all that came meanwhile.
    pub fn flush_later(&mut self, pid: Pid) {
        let due = match self.place_of(pid) {
            Some(Place::Controller) => self.controller.as_mut().map(|process| &mut process.clock),
            Some(Place::Scheduler) => self.scheduler.as_mut().map(|process| &mut process.clock),
            Some(Place::Engine(slot)) => self.engines[slot].as_mut().map(|process| &mut process.clock),
            Some(Place::Client(slot)) => self.clients[slot].as_mut().map(|process| &mut process.clock),
            None => None,
        };
        if let Some(clock) = due
            && !std::mem::replace(&mut clock.flush_due, true)
        {
            let delay = match self.random.below(100) {
                0..=59 => Duration::ZERO,
                60..=97 => self.random.micros(1, 200),
                _ => self.random.micros(200, 5000),
            };
            self.agenda.at(self.now + delay, Event::Flush(pid));
        }
    }

    /// Sees to it that a process wakes at a time, if it does not wake before.
    pub fn rearm(agenda: &mut Agenda, now: Time, pid: Pid, clock: &mut Clock, at: Option<Time>) {
        let Some(at) = at.map(|at| at.max(now)) else { return };
        if clock.armed.is_none_or(|armed| at < armed || armed < now) {
            clock.armed = Some(at);
            agenda.at(at, Event::Wake(pid));
        }
    }

    /// All streams of a process end, and it opens no other until a time.
    pub fn cut_off(&mut self, place: Place, until: Time) {
        self.cut_off.insert(place, until);
        let Some(pid) = self.pid_of(place) else { return };
        for (connection, _) in self.network.of(pid) {
            self.cut(connection, [Ending::Abrupt, Ending::Abrupt]);
        }
    }

    /// Whether it is cut off.
    #[must_use]
    pub fn is_cut_off(&self, place: Place) -> bool {
        self.cut_off.get(&place).is_some_and(|until| *until > self.now)
    }

    /// Asks for a stream. It may take a while, and there may be no answer.
    pub fn dial(&mut self, from: Pid, kind: Kind, dial: u64) {
        let cut_off = self.place_of(from).is_some_and(|place| self.is_cut_off(place));
        if cut_off || (self.actions > 0 && self.setting.faults && self.random.chance(10)) {
            return; // Neither an answer nor a refusal: the machine gives up by itself.
        }
        self.agenda.at(self.now + self.random.micros(50, 1500), Event::Dial { from, kind, dial });
    }

    fn dial_arrives(&mut self, from: Pid, kind: Kind, dial: u64) {
        let service = match kind {
            Kind::Session | Kind::Link => self.pid_of(Place::Scheduler),
            Kind::KeepAlive | Kind::Watch => self.pid_of(Place::Controller),
        };
        let back = self.now + self.random.micros(50, 1500);
        let event = match service {
            Some(service) if self.place_of(from).is_some() => {
                let connection = self.network.open(kind, from, service);
                Event::Connected { to: from, connection, dial }
            }
            _ => Event::Refused { to: from, kind, dial },
        };
        self.agenda.at(back, event);
    }

    fn connected(&mut self, to: Pid, connection: ConnectionId, dial: u64) {
        let kind = self.network.get(connection).map(|stream| stream.kind);
        let wanted = match (self.place_of(to), kind) {
            (Some(Place::Engine(slot)), Some(Kind::Link)) => self.engine_connected(slot, connection, dial),
            (Some(Place::Client(slot)), Some(Kind::Session)) => self.client_connected(slot, connection, dial),
            (Some(place), Some(Kind::KeepAlive)) => self.member_connected(place, connection, dial),
            (Some(Place::Scheduler), Some(Kind::Watch)) => self.scheduler_watches(connection),
            _ => false,
        };
        if !wanted {
            self.hang_up(connection, Side::Caller);
        } else if self.actions > 0 && self.setting.faults && self.random.chance(10) {
            self.hold_up(connection);
        }
    }

    /// What the caller says first is long under way, and the caller sees the stream end before it arrives.
    fn hold_up(&mut self, connection: ConnectionId) {
        self.network.delay(connection, self.now + self.random.micros(50_000, 300_000));
        let endings = [Ending::Abrupt, Ending::Late(self.random.micros(300_000, 3_000_000))];
        self.agenda.at(self.now + self.random.micros(200, 3000), Event::Cut { connection, endings });
    }

    /// A stream breaks in between.
    pub fn cut(&mut self, connection: ConnectionId, endings: [Ending; 2]) {
        self.story.tell(self.now, || format!("* {connection:?} is cut, {endings:?}"));
        let Self { now, random, agenda, .. } = self;
        self.network.cut(*now, random, agenda, connection, endings);
    }

    fn refused(&mut self, to: Pid, kind: Kind, dial: u64) {
        match (self.place_of(to), kind) {
            (Some(Place::Engine(slot)), Kind::Link) => self.engine_refused(slot, dial),
            (Some(Place::Client(slot)), Kind::Session) => self.client_refused(slot, dial),
            (Some(place), Kind::KeepAlive) => self.member_lost(place),
            (Some(Place::Scheduler), Kind::Watch) => self.member_lost(Place::Scheduler),
            _ => {}
        }
    }

    /// One side ends a stream, after what it has sent.
    pub fn hang_up(&mut self, connection: ConnectionId, side: Side) {
        let Self { now, random, agenda, .. } = self;
        self.network.close(*now, random, agenda, connection, side, Ending::Clean);
    }

    /// Sends a message from one side of a stream.
    pub fn send(&mut self, connection: ConnectionId, from: Side, message: Message) {
        let Self { now, random, agenda, .. } = self;
        self.network.send(*now, random, agenda, connection, from, message);
    }

    /// Notes what is wrong, if it is the first.
    pub fn check(&mut self, result: Result<(), Violation>) {
        if let Err(violation) = result {
            self.violation.get_or_insert(violation);
        }
    }

    /// Notes what a machine says is wrong with it, if that is the first.
    pub fn check_machine(&mut self, result: Result<(), String>) {
        self.check(result.map_err(Violation::general));
    }

    fn check_scheduler(&mut self) {
        if let Some(scheduler) = &self.scheduler {
            let result = scheduler.machine.check();
            self.check_machine(result);
        }
    }
}

/// When a process acts by itself.
#[derive(Debug, Default)]
pub struct Clock {
    /// A flush is on the agenda.
    pub flush_due: bool,
    /// The earliest wake-up on the agenda.
    pub armed: Option<Time>,
}
