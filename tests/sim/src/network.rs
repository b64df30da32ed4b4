//! Streams as TCP gives them: each keeps its order and loses nothing until it breaks. A break loses any suffix each way
//! and is seen by each side at a time of its own, after what still arrived.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use paraply_core::{
    engine_link,
    id::{ConnectionId, Incarnation},
    membership::{KeepAliveAnswer, SchedulerReport, WatchEvent},
    session_link,
    time::Time,
};

use crate::{
    agenda::{Agenda, Event, Pid},
    random::Random,
};

/// Which end of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The one that dialled.
    Caller,
    /// The service.
    Service,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Caller => Self::Service,
            Self::Service => Self::Caller,
        }
    }
}

/// What a stream is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Client to scheduler.
    Session,
    /// Engine to scheduler.
    Link,
    /// Engine or scheduler to controller.
    KeepAlive,
    /// Scheduler to controller.
    Watch,
}

/// What travels.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Message {
    SessionUp(session_link::ToScheduler),
    SessionDown(session_link::ToClient),
    LinkUp(engine_link::ToScheduler),
    LinkDown(engine_link::ToEngine),
    KeepAlive { member_id: u32, incarnation: Incarnation, report: SchedulerReport },
    KeepAliveAnswer(KeepAliveAnswer),
    Watch,
    Watched(WatchEvent),
}

/// One stream.
#[derive(Debug)]
pub struct Stream {
    /// What it is for.
    pub kind: Kind,
    /// Who dialled.
    pub caller: Pid,
    /// Whom.
    pub service: Pid,
    /// The service was given the first message.
    pub opened: bool,
    up: Pipe,
    down: Pipe,
    /// What is sent from now on is lost.
    broken: bool,
}

#[derive(Debug, Default)]
struct Pipe {
    on_its_way: VecDeque<Message>,
    last_arrival: Time,
    /// The receiver still listens.
    open: bool,
}

/// How a stream ends for the side that did not end it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// After all that was sent.
    Clean,
    /// After any part of it.
    Abrupt,
    /// As before, and seen only after this long: the machine at the other end is gone, not the process.
    Late(Duration),
}

/// All streams.
#[derive(Debug, Default)]
pub struct Network {
    streams: BTreeMap<ConnectionId, Stream>,
    next: u64,
}

impl Network {
    /// Opens a stream between two processes.
    pub fn open(&mut self, kind: Kind, caller: Pid, service: Pid) -> ConnectionId {
        self.next += 1;
        let connection = ConnectionId(self.next);
        let pipe = || Pipe { open: true, ..Pipe::default() };
        let stream = Stream { kind, caller, service, opened: false, up: pipe(), down: pipe(), broken: false };
        self.streams.insert(connection, stream);
        connection
    }

    /// The stream, while one of its ends is open.
    #[must_use]
    pub fn get(&self, connection: ConnectionId) -> Option<&Stream> {
        self.streams.get(&connection)
    }

    /// The stream, to mark it as opened.
    pub fn get_mut(&mut self, connection: ConnectionId) -> Option<&mut Stream> {
        self.streams.get_mut(&connection)
    }

    /// Streams that work.
    #[must_use]
    pub fn working(&self) -> Vec<ConnectionId> {
        self.streams.iter().filter(|(_, stream)| !stream.broken).map(|(connection, _)| *connection).collect()
    }

    /// All streams with this process at one end.
    #[must_use]
    pub fn of(&self, pid: Pid) -> Vec<(ConnectionId, Side)> {
        let side = |stream: &Stream| if stream.caller == pid { Side::Caller } else { Side::Service };
        let ours = self.streams.iter().filter(|(_, stream)| stream.caller == pid || stream.service == pid);
        ours.map(|(connection, stream)| (*connection, side(stream))).collect()
    }

    /// Sends a message from one side. The line is free again a little later.
    pub fn send(
        &mut self,
        now: Time,
        random: &mut Random,
        agenda: &mut Agenda,
        connection: ConnectionId,
        from: Side,
        message: Message,
    ) {
        let Some(stream) = self.streams.get_mut(&connection) else { return };
        // A transport whose peer is gone takes a little more before its buffers are full.
        if !stream.broken || random.chance(300) {
            let slow = random.chance(20);
            let taken = if slow { random.micros(1000, 50_000) } else { random.micros(5, 300) };
            agenda.at(now + taken, Event::LineFree { connection, at: from });
        }
        if stream.broken {
            return;
        }
        let latency = if random.chance(20) { random.micros(1000, 80_000) } else { random.micros(30, 600) };
        let pipe = stream.towards(from.other());
        pipe.last_arrival = pipe.last_arrival.max(now + latency);
        pipe.on_its_way.push_back(message);
        agenda.at(pipe.last_arrival, Event::Arrival { connection, at: from.other() });
    }

    /// What the caller sends arrives at this time at the earliest.
    pub fn delay(&mut self, connection: ConnectionId, until: Time) {
        if let Some(stream) = self.streams.get_mut(&connection) {
            stream.up.last_arrival = stream.up.last_arrival.max(until);
        }
    }

    /// Takes the next message that arrives at one side, if that side listens.
    pub fn arrive(&mut self, connection: ConnectionId, at: Side) -> Option<Message> {
        let pipe = self.streams.get_mut(&connection)?.towards(at);
        let message = pipe.on_its_way.pop_front();
        message.filter(|_| pipe.open)
    }

    /// Whether this side still listens.
    #[must_use]
    pub fn is_open(&self, connection: ConnectionId, at: Side) -> bool {
        self.streams.get(&connection).is_some_and(|stream| match at {
            Side::Caller => stream.down.open,
            Side::Service => stream.up.open,
        })
    }

    /// One side ends the stream and listens no more; says whether it did until now.
    pub fn close(
        &mut self,
        now: Time,
        random: &mut Random,
        agenda: &mut Agenda,
        connection: ConnectionId,
        side: Side,
        ending: Ending,
    ) {
        let Some(stream) = self.streams.get_mut(&connection) else { return };
        stream.towards(side).open = false;
        if !stream.broken {
            stream.broken = true;
            stream.end(now, random, agenda, connection, side.other(), ending);
        }
        self.forget_if_over(connection);
    }

    /// The stream breaks in between. Each side sees it when it does.
    pub fn cut(
        &mut self,
        now: Time,
        random: &mut Random,
        agenda: &mut Agenda,
        connection: ConnectionId,
        endings: [Ending; 2],
    ) {
        let Some(stream) = self.streams.get_mut(&connection).filter(|stream| !stream.broken) else { return };
        stream.broken = true;
        for (side, ending) in [Side::Caller, Side::Service].into_iter().zip(endings) {
            stream.end(now, random, agenda, connection, side, ending);
        }
    }

    /// A side saw the end; says whether it listened until now.
    pub fn ended(&mut self, connection: ConnectionId, at: Side) -> bool {
        let Some(stream) = self.streams.get_mut(&connection) else { return false };
        let listened = std::mem::replace(&mut stream.towards(at).open, false);
        self.forget_if_over(connection);
        listened
    }

    fn forget_if_over(&mut self, connection: ConnectionId) {
        if self.streams.get(&connection).is_some_and(|stream| !stream.up.open && !stream.down.open) {
            self.streams.remove(&connection);
        }
    }
}

impl Stream {
    fn towards(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Caller => &mut self.down,
            Side::Service => &mut self.up,
        }
    }

    fn end(
        &mut self,
        now: Time,
        random: &mut Random,
        agenda: &mut Agenda,
        connection: ConnectionId,
        at: Side,
        ending: Ending,
    ) {
        let pipe = self.towards(at);
        if ending != Ending::Clean {
            let kept = random.index(pipe.on_its_way.len() + 1);
            pipe.on_its_way.truncate(kept);
        }
        let soon = pipe.last_arrival.max(now + random.micros(20, 2000));
        let seen = if let Ending::Late(late) = ending { soon + late } else { soon };
        agenda.at(seen, Event::Ended { connection, at });
    }
}
