//! How engines and schedulers hold their lease at the controller: what their shells do.

use paraply_core::{
    id::{ConnectionId, EngineId},
    membership::{Grant, Refusal, SchedulerReport},
    time::Time,
};

use crate::{
    agenda::{Event, Pid, Place},
    network::{Kind, Message, Side},
    setting::LEASE,
    world::World,
};

/// A member's side of it.
#[derive(Debug)]
pub struct Member {
    id: Option<u32>,
    state: State,
    /// When it does the next thing by itself.
    pub wake: Time,
    dial: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// It has asked for a lease, or is about to.
    Registering,
    /// It has asked for a stream.
    Dialling,
    /// It keeps its lease alive on this stream.
    Holding(ConnectionId),
}

impl Member {
    /// One that registers at once.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self { id: None, state: State::Registering, wake: now, dial: 0 }
    }

    /// The id it was given.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.id
    }

    /// Whether this is its keep-alive stream.
    #[must_use]
    pub fn holds(&self, connection: ConnectionId) -> bool {
        self.state == State::Holding(connection)
    }
}

impl World {
    fn member(&mut self, place: Place) -> Option<(Pid, &mut Member)> {
        match place {
            Place::Scheduler => self.scheduler.as_mut().map(|process| (process.pid, &mut process.member)),
            Place::Engine(slot) => self.engines[slot].as_mut().map(|process| (process.pid, &mut process.member)),
            Place::Controller | Place::Client(_) => None,
        }
    }

    /// Does what is due.
    pub fn member_wakes(&mut self, place: Place) {
        let now = self.now;
        let name = self.name();
        let Some((pid, member)) = self.member(place).filter(|(_, member)| member.wake <= now) else { return };
        match member.state {
            State::Registering => {
                // If no answer comes, it calls again.
                member.wake = now + LEASE / 5;
                let repeated = self.setting.faults && self.random.chance(50);
                for _ in 0..=u64::from(repeated) {
                    let at = now + self.random.micros(50, 3000);
                    self.agenda.at(at, Event::Register { from: pid });
                }
            }
            State::Dialling => {
                member.wake = now + LEASE / 5;
                member.dial = name;
                self.dial(pid, Kind::KeepAlive, name);
            }
            State::Holding(connection) => self.keep_alive(place, connection),
        }
    }

    /// Renews the lease, with what a scheduler has to say.
    pub fn keep_alive(&mut self, place: Place, connection: ConnectionId) {
        let now = self.now;
        let Some((_, member)) = self.member(place) else { return };
        member.wake = now + LEASE / 3;
        let Some(member_id) = member.id else { return };
        let (incarnation, report) = match place {
            Place::Engine(slot) => (self.engines[slot].as_ref().map(|engine| engine.incarnation), Default::default()),
            _ => (self.scheduler.as_ref().map(|scheduler| scheduler.incarnation), self.scheduler_report()),
        };
        if let Some(incarnation) = incarnation {
            self.send(connection, Side::Caller, Message::KeepAlive { member_id, incarnation, report });
        }
    }

    fn scheduler_report(&mut self) -> SchedulerReport {
        self.scheduler.as_mut().map(|scheduler| scheduler.report()).unwrap_or_default()
    }

    /// The scheduler has news for the controller.
    pub fn scheduler_has_news(&mut self) {
        if let Some((_, Member { state: State::Holding(connection), .. })) = self.member(Place::Scheduler) {
            let connection = *connection;
            self.keep_alive(Place::Scheduler, connection);
        }
    }

    /// A member that goes in good order says so. The call may get lost.
    pub fn deregister(&mut self, place: Place) {
        let Some(member_id) = self.member(place).and_then(|(_, member)| member.id) else { return };
        let incarnation = match place {
            Place::Engine(slot) => self.engines[slot].as_ref().map(|engine| engine.incarnation),
            _ => self.scheduler.as_ref().map(|scheduler| scheduler.incarnation),
        };
        if let Some(incarnation) = incarnation.filter(|_| !self.random.chance(100)) {
            let at = self.now + self.random.micros(50, 3000);
            self.agenda.at(at, Event::Deregister { member_id, incarnation });
        }
    }

    /// The answer to a registration.
    pub fn registered(&mut self, to: Pid, answer: Result<Grant, Refusal>) {
        let (now, Some(place)) = (self.now, self.place_of(to)) else { return };
        let Some((_, member)) = self.member(place).filter(|(_, member)| member.state == State::Registering) else {
            return;
        };
        match answer {
            Ok(grant) => {
                member.id = Some(grant.member_id);
                member.state = State::Dialling;
                member.wake = now;
                if let Place::Engine(slot) = place {
                    self.engine_registered(slot, EngineId(grant.member_id));
                }
            }
            Err(Refusal::Superseded) => return self.kill(place, crate::network::Ending::Clean),
            // Its id went to another while it was away: it enters as a new engine would.
            Err(Refusal::IdHeld(_)) => (member.id, member.wake) = (None, now + LEASE / 20),
            Err(_) => member.wake = now + LEASE / 20,
        }
        self.wake_process(place);
    }

    /// Its keep-alive stream is there; says whether it is wanted.
    pub fn member_connected(&mut self, place: Place, connection: ConnectionId, dial: u64) -> bool {
        let Some((pid, member)) = self.member(place) else { return false };
        if member.dial != dial || member.state != State::Dialling {
            return false;
        }
        member.state = State::Holding(connection);
        if place == Place::Scheduler {
            if let Some(scheduler) = &mut self.scheduler {
                scheduler.forget_told();
            }
            self.dial(pid, Kind::Watch, 0);
        }
        self.keep_alive(place, connection);
        true
    }

    /// Its keep-alive stream, or the watch beside it, is gone: it registers again, which renews a lease that still runs.
    pub fn member_lost(&mut self, place: Place) {
        let wake = self.now + self.random.micros(1000, 500_000);
        let Some((_, member)) = self.member(place) else { return };
        let held = std::mem::replace(&mut member.state, State::Registering);
        member.wake = wake;
        if let State::Holding(connection) = held {
            self.hang_up(connection, Side::Caller);
        }
        if place == Place::Scheduler
            && let Some(watch) = self.scheduler.as_mut().and_then(|scheduler| scheduler.watch.take())
        {
            self.hang_up(watch, Side::Caller);
        }
        self.wake_process(place);
    }

    fn wake_process(&mut self, place: Place) {
        let Some(pid) = self.pid_of(place) else { return };
        self.flush_later(pid);
    }
}
