//! The scheduler: the machine, its store with a delay, its blob store, and the thinnest of shells.

use std::{collections::BTreeMap, time::Duration};

use paraply_core::{
    engine_link,
    id::{BlobId, ConnectionId, EngineId, Epoch, Incarnation, SessionId},
    membership::{EngineLoad, SchedulerReport, WatchEvent},
    scheduler::{CloseStatus, Instruction, Scheduler, Stimulus},
    session_link,
    time::Time,
};

use crate::{
    agenda::{Event, Pid, Place},
    member::Member,
    network::{Ending, Message, Side},
    world::{Clock, World},
};

/// One process.
#[derive(Debug)]
pub struct SchedulerProcess {
    /// Which.
    pub pid: Pid,
    /// Which.
    pub epoch: Epoch,
    /// Which.
    pub incarnation: Incarnation,
    /// When it acts by itself.
    pub clock: Clock,
    /// The machine.
    pub machine: Scheduler,
    /// Its lease.
    pub member: Member,
    /// Where it hears of engines.
    pub watch: Option<ConnectionId>,
    /// What the blob store has.
    pub blobs: BTreeMap<BlobId, StoredBlob>,
    /// Engines that are attached, and since when.
    pub attached_since: BTreeMap<EngineId, Time>,
    /// Since when sessions have no stream.
    pub away: BTreeMap<SessionId, Time>,
    /// It takes no new streams.
    pub leaving: bool,
    /// When the store has written the last batch.
    written: Time,
    told: BTreeMap<EngineId, EngineLoad>,
    starved: bool,
}

/// A blob in the store.
#[derive(Clone, Copy, Debug)]
pub struct StoredBlob {
    /// For whom.
    pub session: SessionId,
    /// All of it is there.
    pub complete: bool,
}

impl SchedulerProcess {
    /// What changed since the last report.
    pub fn report(&mut self) -> SchedulerReport {
        let load = |engine: &paraply_core::scheduler::EngineStatus| EngineLoad {
            queued_tasks: u32::try_from(engine.queued).unwrap_or(u32::MAX),
            claimed_tasks: u32::try_from(engine.claimed).unwrap_or(u32::MAX),
            completed_tasks: engine.completed,
            draining: engine.draining,
        };
        let status = self.machine.status();
        let now: BTreeMap<_, _> = status.engines.iter().map(|engine| (engine.info.id, load(engine))).collect();
        let lost = self.told.keys().filter(|id| !now.contains_key(id)).copied().collect();
        let loads = now.iter().filter(|(id, load)| self.told.get(id) != Some(load));
        let loads = loads.map(|(id, load)| (*id, *load)).collect();
        self.told = now;
        SchedulerReport { loads, lost, waiting: status.waiting_for_any }
    }

    /// The controller may be another: it is to hear of all engines.
    pub fn forget_told(&mut self) {
        self.told.clear();
    }
}

impl World {
    /// A scheduler starts, knowing nothing.
    pub fn start_scheduler(&mut self, pid: Pid, epoch: Epoch, incarnation: Incarnation) {
        let machine = Scheduler::new(self.setting.scheduler.clone(), epoch, self.now);
        self.oracle.scheduler_started(self.now, epoch);
        self.scheduler = Some(SchedulerProcess {
            pid,
            epoch,
            incarnation,
            clock: Clock::default(),
            machine,
            member: Member::new(self.now),
            watch: None,
            blobs: self
                .disk
                .iter()
                .map(|(blob, session)| (*blob, StoredBlob { session: *session, complete: true }))
                .collect(),
            attached_since: BTreeMap::new(),
            away: BTreeMap::new(),
            leaving: false,
            written: self.now,
            told: BTreeMap::new(),
            starved: false,
        });
        for blob in self.disk.keys().copied().collect::<Vec<_>>() {
            self.to_scheduler(Stimulus::BlobReady { blob });
        }
    }

    /// Gives the machine a stimulus.
    pub fn to_scheduler(&mut self, stimulus: Stimulus) {
        let now = self.now;
        let Some(process) = &mut self.scheduler else { return };
        self.story.tell(now, || format!("scheduler <- {stimulus:?}"));
        self.oracle.scheduler_hears(&stimulus);
        process.machine.handle(now, stimulus);
        let sessions = process.machine.status().sessions;
        process.away.retain(|id, _| sessions.iter().any(|session| session.id == *id && !session.connected));
        for session in sessions.iter().filter(|session| !session.connected) {
            process.away.entry(session.id).or_insert(now);
        }
        self.stimuli += 1;
        let pid = process.pid;
        self.flush_later(pid);
    }

    /// A message of a stream.
    pub fn scheduler_hears(&mut self, connection: ConnectionId, message: Message) {
        let Some(stream) = self.network.get_mut(connection) else { return };
        let first = !std::mem::replace(&mut stream.opened, true);
        match message {
            Message::SessionUp(session_link::ToScheduler::Hello(hello)) if first => {
                self.to_scheduler(Stimulus::SessionOpened { connection, hello });
            }
            Message::SessionUp(message) => self.to_scheduler(Stimulus::SessionMessage { connection, message }),
            Message::LinkUp(engine_link::ToScheduler::Hello(hello)) if first => {
                self.to_scheduler(Stimulus::EngineOpened { connection, hello });
            }
            Message::LinkUp(message) => self.to_scheduler(Stimulus::EngineMessage { connection, message }),
            Message::Watched(event) => self.member_event(event),
            _ => {}
        }
    }

    fn member_event(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Snapshot(engines) => {
                let engines: Vec<_> = engines.iter().map(|engine| (engine.info.id, engine.info.incarnation)).collect();
                // A controller that has been there for a lease knows who has one: an engine whose streams have both
                // ended counts as gone.
                let knows = self.controller.as_ref().is_none_or(|process| self.now >= process.whole_from);
                let since = self.scheduler.as_ref().filter(|_| !knows).map(|scheduler| scheduler.pid);
                let older = self.engines.iter().flatten().filter(|engine| Some(engine.pid) < since);
                let older = older.filter_map(|engine| engine.machine.info()).map(|info| info.id).collect();
                self.oracle.engines_from_before(self.now, &older);
                self.to_scheduler(Stimulus::MembersKnown { engines });
            }
            WatchEvent::Removed(engine) => self.to_scheduler(Stimulus::MemberRemoved { engine }),
            WatchEvent::Changed(_) | WatchEvent::Scale(_) => {}
        }
    }

    /// The stream on which it hears of engines is there; says whether it is wanted.
    pub fn scheduler_watches(&mut self, connection: ConnectionId) -> bool {
        let Some(process) = &mut self.scheduler else { return false };
        if process.watch.is_some() {
            return false;
        }
        process.watch = Some(connection);
        self.send(connection, Side::Caller, Message::Watch);
        true
    }

    /// The line is free.
    pub fn scheduler_line_free(&mut self, connection: ConnectionId) {
        let Some(process) = &self.scheduler else { return };
        if process.watch != Some(connection) && !process.member.holds(connection) {
            self.to_scheduler(Stimulus::LineFree { connection });
        }
    }

    /// A stream ended.
    pub fn scheduler_lost(&mut self, connection: ConnectionId) {
        let Some(process) = &self.scheduler else { return };
        if process.watch == Some(connection) || process.member.holds(connection) {
            self.member_lost(Place::Scheduler);
        } else if self.network.get(connection).is_none_or(|stream| stream.opened) {
            self.to_scheduler(Stimulus::Broken { connection });
        }
    }

    /// Time passed.
    pub fn scheduler_wakes(&mut self) {
        let now = self.now;
        let Some(process) = &mut self.scheduler else { return };
        process.clock.armed = None;
        let due = process.machine.next_timeout().is_some_and(|at| at <= now);
        let pid = process.pid;
        self.member_wakes(Place::Scheduler);
        if due {
            self.to_scheduler(Stimulus::Tick);
        }
        self.flush_later(pid);
    }

    /// The store has written a batch.
    pub fn persisted(&mut self, scheduler: Pid, up_to: u64) {
        if self.pid_of(Place::Scheduler) == Some(scheduler) {
            self.to_scheduler(Stimulus::Persisted { up_to });
        }
    }

    /// An upload came to its end.
    pub fn blob_moves(&mut self, scheduler: Pid, blob: BlobId, ready: bool) {
        if self.pid_of(Place::Scheduler) != Some(scheduler) {
            return;
        }
        let stored = self.scheduler.as_mut().and_then(|process| process.blobs.get_mut(&blob));
        if let Some(stored) = stored.filter(|_| ready) {
            stored.complete = true;
            self.to_scheduler(Stimulus::BlobReady { blob });
        } else if !ready {
            if let Some(process) = &mut self.scheduler {
                process.blobs.remove(&blob);
            }
            self.to_scheduler(Stimulus::BlobGone { blob });
            self.upload_failed(blob);
        }
    }

    /// What nobody who is there will fetch is dropped, as the store does when sessions have had the time to come back.
    pub fn sweep_blobs(&mut self) {
        let Some(process) = &self.scheduler else { return };
        let stored = process.blobs.iter().map(|(blob, stored)| (*blob, stored.session));
        let unwanted: Vec<_> = stored.filter(|(_, session)| !self.knows_session(*session)).collect();
        for (blob, _) in unwanted {
            self.drop_stored(blob);
            self.to_scheduler(Stimulus::BlobGone { blob });
        }
    }

    fn drop_stored(&mut self, blob: BlobId) {
        self.disk.remove(&blob);
        if let Some(process) = &mut self.scheduler {
            process.blobs.remove(&blob);
        }
    }

    /// The scheduler is asked to leave: it says so to everyone and goes.
    pub fn scheduler_leaves(&mut self) {
        self.to_scheduler(Stimulus::Shutdown);
        self.flush_scheduler();
        if let Some(process) = &mut self.scheduler {
            process.leaving = true;
        }
    }

    /// Carries out what the machine says.
    pub fn flush_scheduler(&mut self) {
        let now = self.now;
        let Some(process) = &mut self.scheduler else { return };
        process.clock.flush_due = false;
        let mut out = Vec::new();
        process.machine.flush(now, &mut out);
        let due = process.machine.next_timeout().into_iter().chain([process.member.wake]).min();
        Self::rearm(&mut self.agenda, now, process.pid, &mut process.clock, due);
        let starved = process.machine.is_starved();
        let mut news = starved && !process.starved;
        process.starved = starved;
        for instruction in out {
            self.story.tell(now, || format!("scheduler -> {instruction:?}"));
            let result = self.oracle.scheduler_says(now, &instruction);
            self.check(result);
            news |= matches!(instruction, Instruction::EngineAttached { .. } | Instruction::EngineLost { .. });
            self.carry_out(instruction);
        }
        if news {
            self.scheduler_has_news();
        }
    }

    fn carry_out(&mut self, instruction: Instruction) {
        let now = self.now;
        match instruction {
            Instruction::ToSession { connection, message } => {
                self.send(connection, Side::Service, Message::SessionDown(message));
            }
            Instruction::ToEngine { connection, message } => {
                self.send(connection, Side::Service, Message::LinkDown(message));
            }
            Instruction::Close { connection, status } => {
                let caller = self.network.get(connection).map(|stream| stream.caller);
                self.hang_up(connection, Side::Service);
                // Another process has its id: it leaves, and whoever started it starts another.
                let place = caller.and_then(|caller| self.place_of(caller));
                if let (CloseStatus::AlreadyExists(_), Some(place @ Place::Engine(_))) = (status, place) {
                    self.kill(place, Ending::Clean);
                }
            }
            Instruction::Persist { sequence, .. } => {
                let delay = if self.random.chance(50) {
                    self.random.micros(5000, 60_000)
                } else {
                    self.random.micros(10, 3000)
                };
                let Some(process) = &mut self.scheduler else { return };
                // One batch after the other.
                process.written = process.written.max(now + delay);
                self.agenda.at(process.written, Event::Persisted { scheduler: process.pid, up_to: sequence });
            }
            Instruction::DropBlob { blob } => {
                self.drop_stored(blob);
                self.to_scheduler(Stimulus::BlobGone { blob });
            }
            Instruction::BlobIsStored { transfer } => self.reader_hears(transfer, true),
            Instruction::NobodyHasBlob { transfer, .. } => self.reader_hears(transfer, false),
            Instruction::SessionForgotten { session } => {
                let Some(process) = &self.scheduler else { return };
                let theirs = process.blobs.iter().filter(|(_, stored)| stored.session == session);
                for blob in theirs.map(|(blob, _)| *blob).collect::<Vec<_>>() {
                    self.drop_stored(blob);
                    self.to_scheduler(Stimulus::BlobGone { blob });
                }
            }
            Instruction::EngineAttached { info } => {
                if let Some(process) = &mut self.scheduler {
                    process.attached_since.insert(info.id, now);
                }
            }
            Instruction::EngineLost { engine, .. } => {
                if let Some(process) = &mut self.scheduler {
                    process.attached_since.remove(&engine);
                }
            }
        }
    }

    /// Whether the scheduler has this session: it takes no uploads for others.
    pub fn knows_session(&self, session: SessionId) -> bool {
        let status = self.scheduler.as_ref().map(|process| process.machine.status());
        status.is_some_and(|status| status.sessions.iter().any(|known| known.id == session))
    }

    /// Someone uploads a blob. It is complete, or lost, after a while.
    pub fn upload(&mut self, blob: BlobId, owner: SessionId, delay: Duration, arrives: bool) {
        let now = self.now;
        let Some(process) = &mut self.scheduler else { return };
        process.blobs.insert(blob, StoredBlob { session: owner, complete: false });
        self.agenda.at(now + delay, Event::Blob { scheduler: process.pid, blob, ready: arrives });
    }
}
