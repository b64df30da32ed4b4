//! What people and fate do to a cluster: one action after the other, drawn from the seed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use paraply_core::{
    client_session,
    engine_link::{self, Held, HeldState, Reports},
    engine_session,
    id::{AttemptId, Digest, EngineId, Incarnation},
    outcome::{FailureKind, Outcome},
    payload::{Function, Payload},
    scheduler::Stimulus,
    session_link::{self, CancelMode, EngineInfo, EventKind, KnownClaim, ToClient, Update},
};

use crate::{
    agenda::{Event, Pid, Place},
    network::{Ending, Kind},
    world::World,
};

impl World {
    /// The next action, and when the one after it is.
    pub fn act(&mut self) {
        self.actions -= 1;
        let pause = match self.random.below(100) {
            0..=69 => self.random.micros(0, 3000),
            70..=96 => self.random.micros(3000, 40_000),
            97..=98 => self.random.micros(500_000, 4_000_000),
            _ => self.random.micros(4_000_000, 14_000_000),
        };
        if self.actions > 0 {
            self.agenda.at(self.now + pause, Event::Act);
        }
        let client = self.random.index(self.clients.len());
        let draw = self.random.below(1000);
        if draw < 700 || !self.setting.faults {
            return self.submit_something(client);
        }
        let engine = self.random.index(self.engines.len());
        match draw {
            700..=759 => self.cancel_something(client),
            760..=829 => self.cut_a_stream(),
            830..=869 => self.kill_and_restart(Place::Engine(engine)),
            // A controller without its disk learns from the scheduler which ids were given.
            870..=904 if !self.setting.ids_persist => self.cut_a_stream(),
            870..=894 => self.kill_and_restart(Place::Scheduler),
            895..=904 => self.scheduler_goes(),
            905..=919 => self.kill_and_restart(Place::Controller),
            920..=929 => self.close_client(client),
            930..=936 => self.kill_and_restart(Place::Client(client)),
            937..=942 => self.to_engine(engine, engine_session::Stimulus::Drain),
            943..=946 => self.drain_an_engine(engine),
            947..=949 => self.scale(),
            950..=953 => self.remove_an_engine(engine),
            954..=956 => self.signal_an_engine(engine),
            957..=979 => self.lie(engine),
            980..=989 => self.pretend_to_be(engine),
            990..=991 => self.isolate(Place::Scheduler),
            992..=993 => self.send_to_sleep(client),
            994..=995 => self.lie_to_a_client(client),
            _ => self.isolate(Place::Engine(engine)),
        }
    }

    /// A function that programs run under.
    #[must_use]
    pub fn function(number: u8) -> Arc<Function> {
        let payload = Payload { data: Bytes::from(vec![number; 40]), ..Payload::default() };
        Arc::new(Function { digest: Digest([number; 32]), payload, name: Bytes::new() })
    }

    fn cancel_something(&mut self, slot: usize) {
        let Some(client) = &self.clients[slot] else { return };
        let open: Vec<u64> = client.open.iter().copied().collect();
        let count = self.random.between(1, 4);
        let some: Vec<u64> = (0..count).filter_map(|_| self.random.pick(&open)).collect();
        let kill_after = self.random.chance(600).then(|| self.random.micros(0, 200_000));
        let mode = if self.random.chance(500) { CancelMode::Abort } else { CancelMode::Interrupt { kill_after } };
        self.cancel(slot, some, mode);
    }

    fn ending(&mut self) -> Ending {
        match self.random.below(10) {
            0 => Ending::Clean,
            1..=7 => Ending::Abrupt,
            _ => Ending::Late(self.random.micros(500_000, 25_000_000)),
        }
    }

    fn cut_a_stream(&mut self) {
        let streams = self.network.working();
        let Some(connection) = self.random.pick(&streams) else { return };
        let endings = [self.ending(), self.ending()];
        self.cut(connection, endings);
    }

    /// All streams of a process are cut, and neither end sees it for a while.
    fn isolate(&mut self, place: Place) {
        let Some(pid) = self.pid_of(place) else { return };
        self.story.tell(self.now, || format!("* {place:?} is cut off"));
        for (connection, _) in self.network.of(pid) {
            let late = [0; 2].map(|_: u64| Ending::Late(self.random.micros(100_000, 25_000_000)));
            self.cut(connection, late);
        }
    }

    /// A laptop sleeps, for longer than its session is kept or not.
    fn send_to_sleep(&mut self, slot: usize) {
        let long = self.now + self.random.micros(1_000_000, 90_000_000);
        self.cut_off(Place::Client(slot), long);
    }

    fn kill_and_restart(&mut self, place: Place) {
        let ending = if self.random.chance(150) {
            Ending::Late(self.random.micros(1_000_000, 25_000_000))
        } else {
            Ending::Abrupt
        };
        self.kill(place, ending);
    }

    fn scheduler_goes(&mut self) {
        self.scheduler_leaves();
        self.deregister(Place::Scheduler);
        self.kill(Place::Scheduler, Ending::Clean);
    }

    fn remove_an_engine(&mut self, slot: usize) {
        let id = self.engines[slot].as_ref().and_then(|engine| engine.machine.info()).map(|info| info.id);
        if let Some(id) = id {
            self.remove_engine(id);
        }
    }

    fn drain_an_engine(&mut self, slot: usize) {
        let id = self.engines[slot].as_ref().and_then(|engine| engine.machine.info()).map(|info| info.id);
        if let Some(id) = id {
            self.drain_engine(id);
        }
    }

    /// Nobody starts engines that are missing: processes that ended come back as they always do.
    fn scale(&mut self) {
        let most = self.engines.len() as u64;
        let engines = self.random.between(1, most) as u32;
        self.scale_engines(engines);
    }

    fn signal_an_engine(&mut self, slot: usize) {
        let id = self.engines[slot].as_ref().and_then(|engine| engine.machine.info()).map(|info| info.id);
        if let Some(id) = id {
            *self.signals.entry(id).or_default() += 1;
            self.signal_engine(id);
        }
    }

    /// An engine reports of a run that another has: what a stale report would say if streams had no order.
    fn lie(&mut self, slot: usize) {
        let Some(info) = self.engines[slot].as_ref().and_then(|engine| engine.machine.info().cloned()) else { return };
        let liable = self.oracle.runs_under_way(info.id);
        let Some(attempt) = self.random.pick(&liable) else { return };
        let mut outcome = Outcome::failed(FailureKind::Exception, "E", "a lie".to_owned(), Some(info.id));
        outcome.started_unix_nanos = 1;
        let reports = match self.random.below(3) {
            0 => Reports { claimed: vec![attempt], ..Reports::default() },
            1 => Reports { retracted: vec![(attempt, true)], ..Reports::default() },
            _ => Reports { finished: vec![(attempt, outcome.into())], ..Reports::default() },
        };
        self.story.tell(self.now, || format!("engine {slot} lies: {reports:?}"));
        self.engine_lies(slot, engine_link::ToScheduler::Reports(reports));
    }

    /// A client is told something again, or something before its time.
    fn lie_to_a_client(&mut self, slot: usize) {
        let Some(client) = &self.clients[slot] else { return };
        let (link, heard) = (client.link, client.heard);
        if let Some(link) = link.filter(|_| client.machine.is_attached() && heard > 0) {
            let sequence = if self.random.chance(500) { heard } else { heard + 2 };
            let claim = KnownClaim { index: 0, attempt: 1, engine: EngineId(0), incarnation: Incarnation(0) };
            let events = vec![session_link::Event { sequence, kind: EventKind::Claimed(claim) }];
            let message = ToClient::Update(Update { events, ..Update::default() });
            self.story.tell(self.now, || format!("* {link:?} lies: {message:?}"));
            self.to_client(slot, client_session::Stimulus::Received(message));
        }
    }

    /// Another process comes with the id of an engine.
    fn pretend_to_be(&mut self, slot: usize) {
        let Some(info) = self.engines[slot].as_ref().and_then(|engine| engine.machine.info().cloned()) else { return };
        let (Some(service), name) = (self.pid_of(Place::Scheduler), self.name()) else { return };
        if !self.oracle.knows_engine(info.id) {
            return; // The first process to come with an id is who it says it is, to a scheduler that knows none.
        }
        let attempts = self.oracle.runs_under_way(info.id);
        let held = attempts.iter().map(|attempt: &AttemptId| Held { attempt: *attempt, state: HeldState::Claimed });
        let info_id = info.id;
        let info = EngineInfo { incarnation: Incarnation(u128::from(name)), ..(*info).clone() };
        let hello = engine_link::Hello {
            info: Arc::new(info),
            last_epoch: None,
            held: held.collect(),
            credit: engine_link::Credit { total_tasks: 10, total_bytes: 1000 },
            stream: 0,
            kept_blobs: Vec::new(),
        };
        let connection = self.network.open(Kind::Link, Pid(0), service);
        self.story.tell(self.now, || format!("* {connection:?} pretends: {hello:?}"));
        self.to_scheduler(Stimulus::EngineOpened { connection, hello });
        self.pretend_to_hold_a_lease(info_id.0, Incarnation(u128::from(name)));
    }

    /// A supervisor starts processes again that have died, while it is on duty.
    pub fn supervise(&mut self, place: Place) {
        let delay = match place {
            Place::Controller | Place::Scheduler => self.random.micros(5000, 3_000_000),
            Place::Engine(_) => self.random.micros(1000, 4_000_000),
            Place::Client(_) => Duration::from_millis(100),
        };
        self.agenda.at(self.now + delay, Event::Start(place));
    }
}
