//! Blobs that clients and engines keep: who wants to read one has its keeper asked for it, again where that was in vain.

use super::{
    Instruction, Scheduler, Transition,
    blobs::{Holder, Want},
};
use crate::id::{AttemptId, BlobId, EngineId, SessionId, TransferId};

/// What becomes of a reader for now.
enum Answer {
    Ask(Holder),
    Wait,
    Stored,
    Nobody(&'static str),
}

impl Scheduler {
    /// Somebody reads a blob that the store does not have.
    pub(super) fn on_blob_wanted(&mut self, transfer: TransferId, blob: BlobId, session: SessionId, offset: u64) {
        self.blobs.want(transfer, Want { blob, offset, session, told: false });
        self.answer_wants();
    }

    /// Looks at every reader again: something has changed for one of them.
    pub(super) fn answer_wants(&mut self) {
        for (transfer, want) in self.blobs.untold() {
            match self.answer(want) {
                Answer::Ask(Holder::Client(id)) => self.ask_client(id, transfer, want),
                Answer::Ask(Holder::Engine(id, _)) => self.ask_engine(id, transfer, want),
                Answer::Ask(_) | Answer::Wait => {}
                Answer::Stored => {
                    self.transitions.took(Transition::FoundInStore);
                    self.blobs.unwant(transfer);
                    self.out.push(Instruction::BlobIsStored { transfer });
                }
                Answer::Nobody(reason) => {
                    self.transitions.took(Transition::RefusedReader);
                    self.blobs.unwant(transfer);
                    self.out.push(Instruction::NobodyHasBlob { transfer, reason });
                }
            }
        }
    }

    fn answer(&self, want: Want) -> Answer {
        match self.blobs.holder(want.blob) {
            Some(Holder::Store) => Answer::Stored,
            Some(Holder::Coming | Holder::Absent(..)) => Answer::Wait,
            Some(holder @ (Holder::Client(_) | Holder::Engine(..))) => Answer::Ask(holder),
            Some(Holder::Taken) => {
                Answer::Nobody("an engine had all of it before, and its client does not keep it any more")
            }
            Some(Holder::Lost) => Answer::Nobody("the engine that kept this result is gone"),
            None if self.may_come(want.session) => Answer::Wait,
            None => Answer::Nobody("it was dropped, or its session has ended: nobody has it any more"),
        }
    }

    /// After a restart: whoever keeps a blob may not have come back yet.
    fn may_come(&self, session: SessionId) -> bool {
        match self.sessions.get(&session) {
            Some(session) => session.replaying || self.recovery.is_on(),
            None => self.recovery.sessions_may_come_back(),
        }
    }

    fn ask_client(&mut self, id: SessionId, transfer: TransferId, want: Want) {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.connection.is_some()) else { return };
        self.transitions.took(Transition::WantedOfClient);
        session.wanted_blobs.push(want.order(transfer));
        self.dirty_sessions.insert(id);
        self.blobs.told(transfer);
    }

    fn ask_engine(&mut self, id: EngineId, transfer: TransferId, want: Want) {
        let Some(engine) = self.engines.get_mut(&id) else { return };
        self.transitions.took(Transition::WantedOfEngine);
        engine.orders.wanted_blobs.push(want.order(transfer));
        self.dirty_engines.insert(id);
        self.blobs.told(transfer);
    }

    /// An engine has all bytes of a task's arguments.
    pub(super) fn on_fetched(&mut self, engine: EngineId, attempt: AttemptId) {
        if !self.is_on(engine, attempt) {
            return;
        }
        let Some(session) = self.sessions.get_mut(&attempt.task.session) else { return };
        let Some(task) = session.tasks.get(attempt.task.index) else { return };
        for blob in task.arguments.blobs() {
            if self.blobs.taken(blob.id) {
                self.transitions.took(Transition::ToldTaken);
                session.taken_blobs.push(blob.id);
                self.dirty_sessions.insert(attempt.task.session);
            }
        }
    }

    /// A client does not have a part of an argument any more that it was asked for. False if it is not one of those.
    pub(super) fn client_lacks(&mut self, id: SessionId, blob: BlobId) -> bool {
        let lacks = self.blobs.holder(blob) == Some(Holder::Client(id));
        if lacks {
            self.blobs.taken(blob);
            self.blobs.tell_again(|holder| holder == Holder::Taken);
            self.answer_wants();
        }
        lacks
    }
}
