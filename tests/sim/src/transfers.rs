//! Large bytes on their way: into the store, out of it, or from whoever keeps them to who reads them. Readers and writers
//! try again when the way breaks, as the shells do.

use std::time::Duration;

use paraply_core::{
    engine_session,
    id::{AttemptId, BlobId, EngineId, SessionId, TransferId},
    outcome::{FailureKind, Outcome},
    payload::{BlobWant, Buffer, Payload},
    scheduler::Stimulus,
    time::Time,
};

use crate::{
    agenda::{Event, Pid, Place},
    oracle::Violation,
    world::World,
};

/// What a task comes to whose arguments nobody has any more. No client ever hears of it.
pub const ARGUMENTS_LOST: &str = "ArgumentsLost";

/// Somebody who reads a blob.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Which process.
    pub reader: Pid,
    /// The task whose argument it is; none: a person reads a result.
    pub task: Option<AttemptId>,
    /// What.
    pub blob: BlobId,
    /// Of the task that it belongs to.
    pub session: SessionId,
}

/// What an engine fetches for a task: the payload, and what of it is still on its way.
#[derive(Debug)]
pub struct Fetch {
    /// With blobs.
    pub arguments: Payload,
    /// Not here yet.
    pub missing: Vec<BlobId>,
}

impl World {
    /// An engine fetches what a task needs.
    pub fn fetch(&mut self, slot: usize, attempt: AttemptId, arguments: Payload) {
        let delay = self.random.micros(5, 2000);
        let Some(process) = &mut self.engines[slot] else { return };
        let missing: Vec<BlobId> = arguments.blobs().map(|blob| blob.id).collect();
        let reader = process.pid;
        process.fetches.insert(attempt, Fetch { arguments, missing: missing.clone() });
        for blob in missing {
            let reading = Reading { reader, task: Some(attempt), blob, session: attempt.task.session };
            self.agenda.at(self.now + delay, Event::Read(reading));
        }
    }

    /// Nobody needs it any more.
    pub fn give_up_fetch(&mut self, slot: usize, attempt: AttemptId) {
        if let Some(process) = &mut self.engines[slot] {
            process.fetches.remove(&attempt);
        }
        self.leave_unwanted();
    }

    /// Readers that have gone leave their transfers.
    pub fn leave_unwanted(&mut self) {
        let left: Vec<TransferId> =
            self.readings.iter().filter(|(_, reading)| !self.wants(reading)).map(|(transfer, _)| *transfer).collect();
        for transfer in left {
            self.readings.remove(&transfer);
            self.to_scheduler(Stimulus::TransferSettled { transfer });
        }
    }

    fn wants(&self, reading: &Reading) -> bool {
        match (self.place_of(reading.reader), reading.task) {
            (Some(Place::Engine(slot)), Some(attempt)) => self.engines[slot].as_ref().is_some_and(|process| {
                process.fetches.get(&attempt).is_some_and(|fetch| fetch.missing.contains(&reading.blob))
            }),
            (Some(Place::Client(slot)), None) => {
                self.clients[slot].as_ref().is_some_and(|process| process.reading.contains(&reading.blob))
            }
            _ => false,
        }
    }

    /// Somebody asks for a blob.
    pub fn read(&mut self, reading: Reading) {
        if !self.wants(&reading) {
            return;
        }
        let soon = self.now + self.random.micros(1000, 50_000);
        let place = self.place_of(reading.reader);
        let Some(process) = self.scheduler.as_ref().filter(|_| place.is_some_and(|place| !self.is_cut_off(place)))
        else {
            return self.agenda.at(soon, Event::Read(reading));
        };
        if process.blobs.get(&reading.blob).is_some_and(|stored| stored.complete) {
            let at = self.now + self.random.micros(10, 20_000);
            return self.agenda.at(at, Event::ReadDone { reading, whole: true });
        }
        let transfer = TransferId(self.name());
        self.readings.insert(transfer, reading);
        self.story.tell(self.now, || format!("{transfer:?} is {reading:?}"));
        let Reading { blob, session, .. } = reading;
        self.to_scheduler(Stimulus::BlobWanted { transfer, blob, session, offset: 0 });
    }

    /// The scheduler has told a reader what becomes of it.
    pub fn reader_hears(&mut self, transfer: TransferId, stored: bool) {
        let Some(reading) = self.readings.remove(&transfer) else { return };
        self.to_scheduler(Stimulus::TransferSettled { transfer });
        let at = self.now + self.random.micros(10, 2000);
        let event = if stored { Event::Read(reading) } else { Event::ReadDone { reading, whole: false } };
        self.agenda.at(at, event);
    }

    /// Whoever keeps a blob writes it to its reader.
    pub fn pass_on(&mut self, from: Pid, want: BlobWant) {
        let at = self.now + self.random.micros(10, 5000);
        self.agenda.at(at, Event::Passed { from, want });
    }

    /// It arrives, or the way breaks and the reader asks again.
    pub fn passed(&mut self, from: Pid, want: BlobWant) {
        let Some(place) = self.place_of(from) else { return };
        if self.scheduler.is_none() || self.is_cut_off(place) {
            return self.pass_on(from, want);
        }
        let Some(reading) = self.readings.remove(&want.transfer) else { return };
        self.to_scheduler(Stimulus::TransferSettled { transfer: want.transfer });
        let kept = match place {
            Place::Engine(slot) => self.engines[slot].as_ref().is_some_and(|it| it.kept.contains_key(&want.blob)),
            Place::Client(slot) => self.clients[slot].as_ref().is_some_and(|it| it.kept.contains_key(&want.blob)),
            Place::Controller | Place::Scheduler => false,
        };
        let breaks = self.actions > 0 && self.setting.faults && self.random.chance(150);
        let at = self.now + self.random.micros(10, 20_000);
        let event = if kept && !breaks { Event::ReadDone { reading, whole: true } } else { Event::Read(reading) };
        self.agenda.at(at, event);
    }

    /// A reader has all of it, or knows that it will not.
    pub fn read_done(&mut self, reading: Reading, whole: bool) {
        if !self.wants(&reading) {
            return;
        }
        self.story.tell(self.now, || format!("{reading:?} is over, whole: {whole}"));
        match (self.place_of(reading.reader), reading.task) {
            (Some(Place::Engine(slot)), Some(attempt)) if whole => self.part_fetched(slot, attempt, reading.blob),
            (Some(Place::Engine(slot)), Some(attempt)) => {
                let outcome = Outcome::failed(FailureKind::Refused, ARGUMENTS_LOST, String::new(), None);
                self.give_up_fetch(slot, attempt);
                self.to_engine(slot, engine_session::Stimulus::NotFetched { attempt, outcome });
            }
            (Some(Place::Client(slot)), None) => {
                if !whole && !self.may_be_lost(reading.blob, reading.session) {
                    let what = format!("blob {:?} is lost, and the engine that kept it lives", reading.blob);
                    self.check(Err(Violation::general(what)));
                }
                self.release(slot, reading.blob);
            }
            _ => {}
        }
    }

    fn part_fetched(&mut self, slot: usize, attempt: AttemptId, blob: BlobId) {
        let Some(process) = &mut self.engines[slot] else { return };
        let Some(fetch) = process.fetches.get_mut(&attempt) else { return };
        fetch.missing.retain(|missing| *missing != blob);
        if !fetch.missing.is_empty() {
            return;
        }
        let Some(Fetch { mut arguments, .. }) = process.fetches.remove(&attempt) else { return };
        for buffer in &mut arguments.buffers {
            if let Buffer::Blob(blob) = buffer {
                *buffer = Buffer::Inline(blob.id.to_bytes().to_vec().into());
            }
        }
        self.to_engine(slot, engine_session::Stimulus::Fetched { attempt, arguments });
    }

    /// The engine that kept a part of a result is gone, or has not been there for long.
    fn may_be_lost(&self, blob: BlobId, session: SessionId) -> bool {
        if !self.knows_session(session) || self.refused.contains(&blob) {
            return true; // It was away for longer than its grace; or the store did not take it from an engine that left.
        }
        let Some(keeper) = self.keepers.get(&blob) else { return false };
        let Some(Place::Engine(slot)) = self.place_of(*keeper) else { return true };
        let id = self.engines[slot].as_ref().and_then(|engine| engine.machine.info()).map(|info| info.id);
        let Some(process) = &self.scheduler else { return true };
        let back = id.and_then(|id: EngineId| process.attached_since.get(&id).copied());
        back.is_none_or(|back| self.now.since(back) < Duration::from_secs(1))
    }

    /// An engine puts a part of a result into the store.
    pub fn store_blob(&mut self, slot: usize, blob: BlobId) {
        let Some(engine) = self.engines[slot].as_ref().map(|process| process.pid) else { return };
        let at = self.now + self.random.micros(10, 30_000);
        self.agenda.at(at, Event::Stored { engine, blob });
    }

    /// It is there; or the store has refused it.
    pub fn stored(&mut self, engine: Pid, blob: BlobId) {
        let Some(place @ Place::Engine(slot)) = self.place_of(engine) else { return };
        if self.scheduler.is_none() || self.is_cut_off(place) {
            return self.store_blob(slot, blob);
        }
        let kept = self.engines[slot].as_ref().and_then(|process| process.kept.get(&blob));
        let Some((session, _)) = kept.copied() else { return };
        if self.actions > 0 && self.random.chance(100) {
            self.refused.insert(blob);
            return self.to_engine(slot, engine_session::Stimulus::BlobNotStored { blob });
        }
        self.upload(blob, session, Duration::ZERO, true);
        self.disk.insert(blob, session);
        self.to_engine(slot, engine_session::Stimulus::BlobStored { blob });
    }

    /// An engine dies: clients that were away for long must not lose by it.
    pub fn engine_died(&mut self, slot: usize) {
        let Some(process) = &self.engines[slot] else { return };
        let attached = process.machine.is_attached();
        let Some(id) = process.machine.info().map(|info| info.id) else { return };
        let Some(scheduler) = &self.scheduler else { return };
        let back = scheduler.attached_since.get(&id).copied();
        let long = |since: Time| self.now.since(since) > Duration::from_secs(20);
        if !attached || !back.is_some_and(long) {
            return;
        }
        let away = |session: SessionId| scheduler.away.get(&session).copied().is_some_and(long);
        let kept = process.kept.iter().filter(|(blob, _)| !self.refused.contains(blob));
        let left = kept.into_iter().find(|(_, (session, since))| away(*session) && long(*since));
        if let Some((blob, (session, _))) = left {
            let what = format!("blob {blob:?} goes with its engine, and its client {session:?} was away for long");
            self.check(Err(Violation::general(what)));
        }
    }
}
