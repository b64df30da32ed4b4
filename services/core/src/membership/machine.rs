//! The machine: stimuli in, instructions out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    CloseReason, Config, Endpoint, EngineLoad, EngineState, EngineStatus, Instruction, SchedulerInfo, Stimulus,
    Transition, autoscale::Autoscaler, demand::Review, ids::Ids, keep_alive::KeepAlive, registration::Waiting,
    scheduler::Scheduler, watch::Watcher,
};
use crate::{
    id::{ConnectionId, EngineId},
    mutant::{Mutant, forgets},
    session_link::EngineInfo,
    time::Time,
    transitions::Transitions,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct Membership {
    pub(super) config: Config,
    pub(super) ids: Ids,
    pub(super) engines: BTreeMap<EngineId, Engine>,
    pub(super) scheduler: Option<Scheduler>,
    /// Scheduler processes that were taken over from, oldest first.
    pub(super) superseded: VecDeque<crate::id::Incarnation>,
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) streams: HashMap<ConnectionId, Stream>,
    /// Those of watchers.
    pub(super) watchers: BTreeSet<ConnectionId>,
    /// Members that were there before this machine have had a lease's time to come back: their list is whole.
    pub(super) whole: bool,
    /// When that will be.
    whole_at: Option<Time>,
    /// Streams that have something to say.
    pub(super) due: BTreeSet<ConnectionId>,
    /// Nothing runs out before; it may be that nothing does then either.
    pub(super) earliest: Option<Time>,
    /// How many engines there were to be when somebody said so last.
    pub(super) wanted_engines: u32,
    pub(super) autoscaler: Autoscaler,
    /// Launchers that come later are to hear how many there are to be: nobody else says it.
    pub(super) scaled_itself: bool,
    pub(super) review: Review,
    /// Given at the next flush, before what the streams have to say.
    pub(super) urgent: Vec<Instruction>,
    pub(super) transitions: Transitions<Transition>,
}

/// An engine that holds a lease.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) info: Arc<EngineInfo>,
    pub(super) registered_unix_nanos: u64,
    pub(super) lease_until: Time,
    pub(super) stream: Option<ConnectionId>,
    /// The scheduler lost it, and has not seen it since.
    pub(super) lost: bool,
    /// It is to exit.
    pub(super) exit: bool,
    /// It is to drain.
    pub(super) drain: bool,
    /// Since when it is attached and has had nothing to do.
    pub(super) idle_since: Option<Time>,
    /// Signals that it has yet to be told of.
    pub(super) signals: Vec<Bytes>,
}

/// Signals that may wait for an engine without a stream.
pub(super) const SIGNALS: usize = 64;

/// A stream and its line.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) occupied: bool,
    pub(super) of: StreamOf,
}

#[derive(Debug)]
pub(super) enum StreamOf {
    KeepAlive(KeepAlive),
    Watcher(Watcher),
}

impl Membership {
    /// A machine that knows no member yet. `next_engine_id` is one more than the highest engine id ever given in this
    /// cluster, 0 for a new cluster, `None` if that is not known.
    #[must_use]
    pub fn new(config: Config, next_engine_id: Option<u32>) -> Self {
        let begun = config.autoscale.filter(|_| next_engine_id == Some(0));
        Self {
            config,
            ids: Ids::new(next_engine_id),
            engines: BTreeMap::new(),
            scheduler: None,
            superseded: VecDeque::new(),
            waiting: VecDeque::new(),
            streams: HashMap::new(),
            watchers: BTreeSet::new(),
            whole: next_engine_id == Some(0),
            whole_at: None,
            due: BTreeSet::new(),
            earliest: None,
            wanted_engines: config.autoscale.map_or(0, |policy| policy.begun.clamp(policy.min, policy.max)),
            autoscaler: Autoscaler::new(begun),
            scaled_itself: false,
            review: Review::default(),
            urgent: Vec::new(),
            transitions: Transitions::default(),
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Time, stimulus: Stimulus) {
        match stimulus {
            Stimulus::RegisterEngine { request, engine } => self.register_engine(now, request, engine),
            Stimulus::RegisterScheduler { request, scheduler } => self.register_scheduler(now, request, scheduler),
            Stimulus::KeepAliveOpened { connection, member_id, incarnation, report } => {
                self.keep_alive_opened(now, connection, member_id, incarnation, report);
            }
            Stimulus::KeepAlive { connection, report } => self.keep_alive(now, connection, report),
            Stimulus::WatchOpened { connection, kind } => self.watch_opened(connection, kind),
            Stimulus::LineFree { connection } => {
                if let Some(stream) = self.streams.get_mut(&connection) {
                    stream.occupied = false;
                }
            }
            Stimulus::Broken { connection } => self.broke(connection),
            Stimulus::Deregister { member_id, incarnation } => self.deregister(member_id, incarnation),
            Stimulus::Remove { engine } => self.remove(engine),
            Stimulus::Drain { engine } => self.drain(engine),
            Stimulus::Scale { engines } => self.scale(now, engines),
            Stimulus::Signal { engines, signal } => self.signal(&engines, &signal),
            Stimulus::Shutdown => self.shut_down(),
            Stimulus::Tick => {}
        }
    }

    /// Gives what is to be done now.
    pub fn flush(&mut self, now: Time, out: &mut Vec<Instruction>) {
        if self.whole_at.is_none() && !self.whole {
            self.whole_at = Some(now + self.config.lease);
            self.wake_at(now + self.config.lease);
        }
        if self.earliest.is_some_and(|earliest| earliest <= now) {
            self.expire(now);
        }
        self.review(now);
        out.append(&mut self.urgent);
        for connection in std::mem::take(&mut self.due) {
            self.speak(connection, out);
        }
    }

    /// When to come back with a tick.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Time> {
        self.earliest.into_iter().chain(self.review.at).min()
    }

    /// The engines that hold a lease, in order of id.
    pub fn engines(&self) -> impl Iterator<Item = EngineStatus> + '_ {
        self.engines_from(EngineId(0))
    }

    /// Those of id `first` and above.
    pub fn engines_from(&self, first: EngineId) -> impl Iterator<Item = EngineStatus> + '_ {
        self.engines.range(first..).map(|(_, engine)| self.status(engine))
    }

    /// One engine, if it holds a lease.
    #[must_use]
    pub fn engine(&self, id: EngineId) -> Option<EngineStatus> {
        self.engines.get(&id).map(|engine| self.status(engine))
    }

    /// The scheduler, if one holds a lease.
    #[must_use]
    pub fn scheduler(&self) -> Option<&SchedulerInfo> {
        self.scheduler.as_ref().map(|scheduler| &scheduler.info)
    }

    /// How often each transition was taken.
    #[must_use]
    pub fn transitions(&self) -> &Transitions<Transition> {
        &self.transitions
    }

    pub(super) fn scheduler_endpoints(&self) -> &[Endpoint] {
        self.scheduler.as_ref().map_or(&[], |scheduler| &scheduler.info.endpoints)
    }

    pub(super) fn status(&self, engine: &Engine) -> EngineStatus {
        let load = self.scheduler.as_ref().and_then(|scheduler| scheduler.loads.get(&engine.info.id)).copied();
        EngineStatus {
            info: Arc::clone(&engine.info),
            state: match load {
                _ if engine.drain => EngineState::Draining,
                None => EngineState::Registered,
                Some(EngineLoad { draining: true, .. }) => EngineState::Draining,
                Some(_) => EngineState::Attached,
            },
            registered_unix_nanos: engine.registered_unix_nanos,
            load: load.unwrap_or_default(),
        }
    }

    /// Something runs out at `time`.
    pub(super) fn wake_at(&mut self, time: Time) {
        self.earliest = Some(self.earliest.map_or(time, |earliest| earliest.min(time)));
    }

    /// Ends what has run out, and finds what runs out next.
    fn expire(&mut self, now: Time) {
        let over: Vec<EngineId> =
            self.engines.iter().filter(|(_, engine)| engine.lease_until <= now).map(|(id, _)| *id).collect();
        for id in over {
            self.transitions.took(Transition::EngineLeaseRanOut);
            self.forget_engine(id);
        }
        if self.scheduler.as_ref().is_some_and(|scheduler| scheduler.lease_until <= now) {
            self.transitions.took(Transition::SchedulerLeaseRanOut);
            self.forget_scheduler();
        }
        self.give_up_waiting(now);
        if !self.whole && self.whole_at.is_some_and(|at| at <= now) {
            self.whole = true;
            self.review.due = true;
            self.due.extend(&self.watchers);
        }
        let whole = self.whole_at.filter(|_| !self.whole);
        let engines = self.engines.values().map(|engine| engine.lease_until);
        let scheduler = self.scheduler.iter().map(|scheduler| scheduler.lease_until);
        self.earliest =
            engines.chain(scheduler).chain(self.waiting.iter().map(|waiting| waiting.until)).chain(whole).min();
    }

    /// The engine is gone.
    pub(super) fn forget_engine(&mut self, id: EngineId) {
        let Some(engine) = self.engines.remove(&id) else { return };
        if let Some(connection) = engine.stream {
            self.close(connection, CloseReason::NoLease);
        }
        self.engine_changed(id, true);
    }

    /// Ends a stream.
    pub(super) fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.watchers.remove(&connection);
        if self.streams.remove(&connection).is_some() {
            self.urgent.push(Instruction::Close { connection, reason });
        }
    }

    /// Puts what a stream has to say on its line, if that is free.
    fn speak(&mut self, connection: ConnectionId, out: &mut Vec<Instruction>) {
        let Some(mut stream) = self.streams.remove(&connection) else { return };
        if stream.occupied {
            self.due.insert(connection);
        } else {
            let instruction = match &mut stream.of {
                StreamOf::KeepAlive(keep_alive) => self.answer(connection, keep_alive),
                StreamOf::Watcher(watcher) => self.tell(connection, watcher),
            };
            if let Some(instruction) = instruction {
                stream.occupied = true;
                out.push(instruction);
            }
        }
        self.streams.insert(connection, stream);
    }

    fn broke(&mut self, connection: ConnectionId) {
        let Some(stream) = self.streams.remove(&connection) else { return };
        self.transitions.took(Transition::StreamBroke);
        self.due.remove(&connection);
        self.watchers.remove(&connection);
        if let StreamOf::KeepAlive(keep_alive) = stream.of {
            self.keep_alive_broke(connection, keep_alive);
        }
    }

    fn remove(&mut self, id: EngineId) {
        let Some(engine) = self.engines.get_mut(&id) else { return };
        self.transitions.took(Transition::RemovalOrdered);
        engine.exit = true;
        self.review.due = true;
        self.due.extend(engine.stream);
    }

    fn signal(&mut self, engines: &[EngineId], signal: &Bytes) {
        for id in engines {
            let Some(engine) = self.engines.get_mut(id) else { continue };
            if engine.signals.len() >= SIGNALS && !forgets(Mutant::SignalsUnbounded) {
                continue;
            }
            self.transitions.took(Transition::Signalled);
            engine.signals.push(signal.clone());
            self.due.extend(engine.stream);
        }
    }

    /// Whether another signal can be given to the engine; `None` if there is no such engine.
    #[must_use]
    pub fn takes_signals(&self, id: EngineId) -> Option<bool> {
        self.engines.get(&id).map(|engine| engine.signals.len() < SIGNALS)
    }

    fn shut_down(&mut self) {
        let connections: Vec<ConnectionId> = self.streams.keys().copied().collect();
        for connection in connections {
            self.close(connection, CloseReason::Shutdown);
        }
    }
}
