//! The controller: the membership machine and the thinnest of shells.

use std::collections::{BTreeMap, BTreeSet};

use paraply_core::{
    id::{ConnectionId, EngineId, Incarnation},
    membership::{
        self, EngineLoad, EngineState, Instruction, Membership, NewEngine, NewScheduler, RequestId, SchedulerInfo,
        SchedulerReport, Stimulus, WatchKind,
    },
    time::Time,
};

use crate::{
    agenda::{Event, Pid, Place},
    labels,
    network::{Ending, Kind, Message, Side},
    setting::LEASE,
    world::{Clock, World},
};

/// One process.
#[derive(Debug)]
pub struct ControllerProcess {
    /// Which.
    pub pid: Pid,
    /// When it acts by itself.
    pub clock: Clock,
    /// From when on everyone has had the time to come back to it.
    pub whole_from: Time,
    /// The machine.
    pub machine: Membership,
    requests: BTreeMap<RequestId, Pid>,
    /// What it was last told of engines, and when that was news.
    loads: BTreeMap<EngineId, (EngineLoad, Time)>,
}

impl ControllerProcess {
    fn heard(&mut self, now: Time, report: &SchedulerReport) {
        for (id, load) in &report.loads {
            let known = self.loads.entry(*id).or_insert((*load, now));
            if known.0 != *load {
                *known = (*load, now);
            }
        }
    }

    /// Engines that stay, as others see it.
    fn staying(&self) -> BTreeSet<EngineId> {
        let staying = self.machine.engines().filter(|engine| engine.state != EngineState::Draining);
        staying.map(|engine| engine.info.id).collect()
    }

    /// Of those that stayed `before`, only such leave by themselves that have not worked for as long as it takes, and
    /// enough stay.
    fn check_scale(&self, now: Time, setting: &membership::Config, before: &BTreeSet<EngineId>) -> Result<(), String> {
        let Some(policy) = setting.autoscale else { return Ok(()) };
        let drained = before.iter().filter_map(|id| self.machine.engine(*id));
        for engine in drained.filter(|engine| engine.state == EngineState::Draining) {
            let (load, since) = self.loads.get(&engine.info.id).copied().unwrap_or_default();
            if load.queued_tasks + load.claimed_tasks > 0 || since + setting.idle > now {
                return Err(format!("{engine:?} is to leave, and has worked at {since:?}: it is {now:?}"));
            }
            if self.machine.staying() < policy.min as usize {
                return Err(format!("{} engines stay, at least {} are to", self.machine.staying(), policy.min));
            }
        }
        Ok(())
    }
}

impl World {
    /// From here on the number of engines is what people say.
    pub fn scale_no_more(&mut self) {
        if self.setting.membership.autoscale.take().is_some() {
            self.kill(Place::Controller, Ending::Abrupt);
        }
    }

    /// A controller starts, with what its disk says.
    pub fn start_controller(&mut self, pid: Pid) {
        let known = self.ids_given.filter(|ids| self.setting.ids_persist || *ids == 0);
        let machine = Membership::new(self.setting.membership, known);
        self.controller = Some(ControllerProcess {
            pid,
            clock: Clock::default(),
            whole_from: if known == Some(0) { self.now } else { self.now + LEASE },
            machine,
            requests: BTreeMap::new(),
            loads: BTreeMap::new(),
        });
    }

    fn to_controller(&mut self, stimulus: Stimulus) {
        let now = self.now;
        let Some(process) = &mut self.controller else { return };
        if let Stimulus::KeepAliveOpened { report, .. } | Stimulus::KeepAlive { report, .. } = &stimulus {
            process.heard(now, report);
        }
        process.machine.handle(now, stimulus);
        self.stimuli += 1;
        let pid = process.pid;
        self.flush_later(pid);
    }

    /// A call to register arrives, perhaps not for the first time.
    pub fn register_arrives(&mut self, from: Pid) {
        let request = RequestId(self.name());
        let (now, place) = (self.now, self.place_of(from));
        let stimulus = match place {
            Some(Place::Engine(slot)) => self.engines[slot].as_ref().map(|engine| {
                let held = engine.member.id();
                Stimulus::RegisterEngine {
                    request,
                    engine: NewEngine {
                        incarnation: engine.incarnation,
                        peer: bytes::Bytes::new(),
                        labels: labels::of_slot(slot),
                        id: held.map(EngineId).or(engine.wish),
                        proven: held.is_some(),
                        registered_unix_nanos: now.0,
                    },
                }
            }),
            Some(Place::Scheduler) => self.scheduler.as_ref().map(|scheduler| {
                let peer = bytes::Bytes::new();
                let info = SchedulerInfo { incarnation: scheduler.incarnation, peer, endpoints: Vec::new() };
                let next_engine_id = scheduler.machine.next_engine_id();
                Stimulus::RegisterScheduler { request, scheduler: NewScheduler { info, next_engine_id } }
            }),
            _ => None,
        };
        if let (Some(stimulus), Some(controller)) = (stimulus, &mut self.controller) {
            controller.requests.insert(request, from);
            self.to_controller(stimulus);
        }
    }

    /// A member said that it goes.
    pub fn deregister_arrives(&mut self, member_id: u32, incarnation: Incarnation) {
        self.to_controller(Stimulus::Deregister { member_id, incarnation });
    }

    /// A process that was never given a lease opens a stream to keep it alive.
    pub fn pretend_to_hold_a_lease(&mut self, member_id: u32, incarnation: Incarnation) {
        if let Some(service) = self.pid_of(Place::Controller) {
            let connection = self.network.open(Kind::KeepAlive, Pid(0), service);
            let report = Default::default();
            self.to_controller(Stimulus::KeepAliveOpened { connection, member_id, incarnation, report });
        }
    }

    /// A message of a stream.
    pub fn controller_hears(&mut self, connection: ConnectionId, message: Message) {
        let Some(stream) = self.network.get_mut(connection) else { return };
        let first = !std::mem::replace(&mut stream.opened, true);
        match message {
            Message::KeepAlive { member_id, incarnation, report } if first => {
                self.oracle.engine_heard(self.now, EngineId(member_id));
                self.to_controller(Stimulus::KeepAliveOpened { connection, member_id, incarnation, report });
            }
            Message::KeepAlive { member_id, report, .. } => {
                self.oracle.engine_heard(self.now, EngineId(member_id));
                self.to_controller(Stimulus::KeepAlive { connection, report });
            }
            Message::Watch => self.to_controller(Stimulus::WatchOpened { connection, kind: WatchKind::Members }),
            _ => {}
        }
    }

    /// The line is free.
    pub fn controller_line_free(&mut self, connection: ConnectionId) {
        self.to_controller(Stimulus::LineFree { connection });
    }

    /// A stream ended.
    pub fn controller_lost(&mut self, connection: ConnectionId) {
        self.to_controller(Stimulus::Broken { connection });
    }

    /// An operator removes an engine.
    pub fn remove_engine(&mut self, engine: EngineId) {
        self.to_controller(Stimulus::Remove { engine });
    }

    /// An operator has an engine drained.
    pub fn drain_engine(&mut self, engine: EngineId) {
        self.to_controller(Stimulus::Drain { engine });
    }

    /// An operator wants so many engines.
    pub fn scale_engines(&mut self, engines: u32) {
        self.to_controller(Stimulus::Scale { engines });
    }

    /// Someone sends an engine a signal.
    pub fn signal_engine(&mut self, engine: EngineId) {
        self.to_controller(Stimulus::Signal { engines: vec![engine], signal: "SIGUSR1".into() });
    }

    /// Time passed.
    pub fn controller_wakes(&mut self) {
        if let Some(process) = &mut self.controller {
            process.clock.armed = None;
        }
        self.to_controller(Stimulus::Tick);
    }

    /// Carries out what the machine says.
    pub fn flush_controller(&mut self) {
        let now = self.now;
        let Some(process) = &mut self.controller else { return };
        process.clock.flush_due = false;
        let before = process.staying();
        let mut out = Vec::new();
        process.machine.flush(now, &mut out);
        let checked = process.machine.check();
        let checked = checked.and_then(|()| process.check_scale(now, &self.setting.membership, &before));
        let due = process.machine.next_timeout();
        Self::rearm(&mut self.agenda, now, process.pid, &mut process.clock, due);
        self.check_machine(checked);
        for instruction in out {
            match instruction {
                Instruction::Persist { next_engine_id } => self.ids_given = Some(next_engine_id),
                Instruction::Answer { request, answer } => {
                    let to = self.controller.as_mut().and_then(|process| process.requests.remove(&request));
                    let lost = self.setting.faults && self.random.chance(30);
                    if let Some(to) = to.filter(|_| !lost) {
                        let at = now + self.random.micros(50, 2000);
                        self.agenda.at(at, Event::Registered { to, answer });
                    }
                }
                Instruction::ToMember { connection, answer } => {
                    self.send(connection, Side::Service, Message::KeepAliveAnswer(answer));
                }
                Instruction::ToWatcher { connection, event } => {
                    self.send(connection, Side::Service, Message::Watched(event));
                }
                Instruction::Close { connection, .. } => self.hang_up(connection, Side::Service),
                Instruction::SchedulerAt { .. } => {}
            }
        }
    }
}
