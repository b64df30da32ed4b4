//! Who keeps blobs for whom, and until when: engines that come and go, clients that are away, names that end.

use std::collections::BTreeSet;

use super::{Instruction, Scheduler, Transition, blobs::Holder, timers::Timer};
use crate::{
    id::{AttemptId, BlobId, EngineId, SessionId, TaskId},
    mutant::{Mutant, forgets},
    outcome::{FailureKind, Outcome},
    time::Time,
};

impl Scheduler {
    /// An attaching engine keeps these: for clients that know of them or may come back, and for outcomes that it has yet
    /// to report.
    pub(super) fn adopt_blobs(
        &mut self,
        engine: EngineId,
        kept: Vec<(AttemptId, BlobId)>,
        reported_later: &BTreeSet<AttemptId>,
    ) {
        let mut back = BTreeSet::new();
        for (attempt, blob) in kept {
            let session = attempt.task.session;
            let wanted = match self.sessions.get(&session) {
                // Which results of an earlier epoch it has read already, nobody has said.
                Some(owner) => attempt.task.index < owner.resume_index || owner.result_blobs.contains(&blob),
                None => self.recovery.sessions_may_come_back(),
            };
            let stored = self.blobs.holder(blob) == Some(Holder::Store);
            if (wanted || reported_later.contains(&attempt)) && !stored {
                self.transitions.took(Transition::AdoptedBlob);
                self.blobs.is_with(blob, engine, session);
                if self.sessions.get(&session).is_some_and(|owner| owner.away) {
                    self.order_store(engine, blob);
                }
            } else {
                self.order_release(engine, blob);
            }
            if self.sessions.get(&session).is_some_and(|owner| !owner.replaying) && !reported_later.contains(&attempt) {
                back.insert(session);
            }
        }
        back.into_iter().for_each(|session| self.name_blobs_of(session));
        // What it kept before and does not speak of, it does not have.
        self.blobs.lose_engine(engine);
    }

    /// A session is back with all it misses: parts of results that engines keep for it are its own again.
    pub(super) fn name_blobs_of(&mut self, id: SessionId) {
        let unnamed = self.blobs.unnamed_at_engines().filter(|(_, owner)| *owner == id).map(|(blob, _)| blob);
        for blob in unnamed.collect::<Vec<_>>() {
            if self.sessions.get_mut(&id).is_some_and(|session| session.result_blobs.insert(blob)) {
                self.blobs.name(blob);
            }
        }
    }

    /// Sessions are gone for good: engines need not keep for them what nothing names.
    pub(super) fn drop_unnamed_blobs(&mut self, is_gone: impl Fn(&Self, SessionId) -> bool) {
        let unnamed: Vec<_> = self.blobs.unnamed_at_engines().collect();
        for (blob, session) in unnamed {
            if is_gone(self, session) {
                self.discard_blob(blob);
            }
        }
    }

    /// The client was away for long: its results are not left with engines, which may go.
    pub(super) fn on_session_away(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.connection.is_none()) else { return };
        session.away = !forgets(Mutant::AwayNotNoticed);
        if session.away {
            let kept: Vec<_> = self.blobs.at_engines(id).collect();
            kept.into_iter().for_each(|(blob, engine)| self.order_store(engine, blob));
        }
    }

    /// An engine is not attached any more; what it keeps for clients is waited for as long as its lease.
    pub(super) fn miss_blobs_of(&mut self, now: Time, engine: EngineId) {
        if self.blobs.miss_engine(engine) {
            self.transitions.took(Transition::MissedKeeper);
            self.timers.retain(|(_, timer)| *timer != Timer::KeeperAway(engine));
            self.timers.insert((now + self.config.lease, Timer::KeeperAway(engine)));
        }
    }

    /// An engine will not come back.
    pub(super) fn lose_blobs_of(&mut self, engine: EngineId) {
        if !self.engines.contains_key(&engine) {
            self.blobs.lose_engine(engine);
            self.answer_wants();
        }
    }

    pub(super) fn watch_absence(&mut self, now: Time, id: SessionId) {
        self.timers.insert((now + self.config.away_after, Timer::SessionAway(id)));
    }

    pub(super) fn order_store(&mut self, engine: EngineId, blob: BlobId) {
        if let Some(keeper) = self.engines.get_mut(&engine) {
            self.transitions.took(Transition::OrderedStore);
            keeper.orders.store_blobs.push(blob);
            self.dirty_engines.insert(engine);
        }
    }

    fn order_release(&mut self, engine: EngineId, blob: BlobId) {
        if let Some(keeper) = self.engines.get_mut(&engine).filter(|_| !forgets(Mutant::ReleaseForgotten)) {
            self.transitions.took(Transition::OrderedRelease);
            keeper.orders.release_blobs.push(blob);
            self.dirty_engines.insert(engine);
        }
    }

    pub(super) fn release_blob(&mut self, blob: BlobId) {
        if let Some(holder) = self.blobs.release(blob) {
            self.drop_at(holder, blob);
        }
    }

    /// Nobody will ask for it, if nothing names it.
    pub(super) fn discard_blob(&mut self, blob: BlobId) {
        if let Some(holder) = self.blobs.discard(blob) {
            self.drop_at(holder, blob);
        }
    }

    fn drop_at(&mut self, holder: Holder, blob: BlobId) {
        match holder {
            Holder::Store | Holder::Coming => self.out.push(Instruction::DropBlob { blob }),
            Holder::Engine(engine, _) => self.order_release(engine, blob),
            Holder::Client(_) | Holder::Taken | Holder::Absent(..) | Holder::Lost => {}
        }
        self.answer_wants();
    }

    /// Where a part of a result is that an engine has reported, perhaps a while ago.
    pub(super) fn keeper(&self, engine: EngineId, session: SessionId) -> Holder {
        if self.engines.contains_key(&engine) { Holder::Engine(engine, session) } else { Holder::Lost }
    }

    /// An outcome that is known already, or that nobody waits for: what it names goes, unless its session may read it. One
    /// that came back after a restart may have had the outcome before.
    pub(super) fn discard_blobs(&mut self, engine: EngineId, task: TaskId, outcome: &Outcome) {
        let keeper = self.keeper(engine, task.session);
        for blob in outcome.blobs() {
            if blob.kept && self.blobs.is_named(blob.id) {
                self.blobs.is_with(blob.id, engine, task.session);
                continue;
            }
            match self.sessions.get_mut(&task.session) {
                Some(owner) if task.index < owner.resume_index => {
                    if owner.result_blobs.insert(blob.id) {
                        self.blobs.hold(blob, keeper);
                    }
                }
                None if self.recovery.sessions_may_come_back() => {
                    if blob.kept {
                        self.blobs.is_with(blob.id, engine, task.session);
                    }
                }
                _ if blob.kept && self.blobs.holder(blob.id).is_none() => self.order_release(engine, blob.id),
                _ => self.discard_blob(blob.id),
            }
        }
        self.answer_wants();
    }

    pub(super) fn on_blob_ready(&mut self, blob: BlobId) {
        self.blobs.ready(blob);
        // Whoever kept it may have let it go before it heard of a reader.
        self.blobs.tell_again(|holder| holder == Holder::Store);
        self.answer_wants();
        self.queue_what_is_ready();
    }

    pub(super) fn on_blob_gone(&mut self, blob: BlobId) {
        if !self.blobs.gone(blob) {
            return;
        }
        let mut lost = Vec::new();
        for (session, tasks) in self.sessions.iter().map(|(id, session)| (*id, &session.tasks)) {
            for (index, task) in tasks.iter().filter(|(_, task)| task.engine().is_none()) {
                if task.arguments.blobs().any(|named| named.id == blob) {
                    lost.push(TaskId { session, index });
                }
            }
        }
        for id in lost {
            self.transitions.took(Transition::LostBlob);
            let message = "bytes of its arguments were lost or did not fit; see the setting `blob_bytes`".to_owned();
            self.finish(id, None, Outcome::failed(FailureKind::Refused, "PayloadLost", message, None));
        }
        self.answer_wants();
        self.queue_what_is_ready();
    }
}
