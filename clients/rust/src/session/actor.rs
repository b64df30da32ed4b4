//! The task that has the stream: what comes, users' wishes and time become stimuli; instructions become writes.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use paraply_common::{
    clock, heap, peer,
    spawn::{Task, spawn},
    transfer::TransferError,
    wire::session_link,
};
use paraply_core::{
    client_session::{Instruction, Stimulus},
    id::Epoch,
    payload::BlobWant,
    session_link::{CancelMode, ToClient},
    time::Time,
};
use paraply_proto::scheduler::v1::{OpenSessionResponse, SessionWelcome, open_session_response::Message};
use tokio::sync::Semaphore;

use super::{
    Shared,
    arguments::Argument,
    link::{Event, Link},
    way::{Lost, Way},
};
use crate::error::{Error, SessionError};

/// Messages taken in before a flush at the most.
const BATCH: usize = 256;

/// Arguments stored at a time.
const UPLOADS: usize = 4;

/// How long a client that leaves waits for the ends of what it has cancelled.
const CANCELS: Duration = Duration::from_secs(1);

type Uploaded = (Arc<Argument>, Result<(), TransferError>);

pub(super) struct Actor {
    shared: Arc<Shared>,
    link: Link,
    epoch: Option<Epoch>,
    /// Kept for its memory.
    instructions: Vec<Instruction>,
    uploads: FuturesUnordered<Task<Uploaded>>,
    uploading: Arc<Semaphore>,
    outgoing: FuturesUnordered<Task<()>>,
    /// What it keeps of arguments is being stored, because this client leaves.
    leaving: bool,
    closing: bool,
    /// How long what was cancelled is waited for, once the scheduler has all else.
    cancels_end_by: Option<Time>,
}

impl Actor {
    pub(super) fn new(shared: Arc<Shared>, way: Way) -> Self {
        Self {
            shared,
            link: Link::new(way),
            epoch: None,
            instructions: Vec::new(),
            uploads: FuturesUnordered::new(),
            uploading: Arc::new(Semaphore::new(UPLOADS)),
            outgoing: FuturesUnordered::new(),
            leaving: false,
            closing: false,
            cancels_end_by: None,
        }
    }

    /// Serves the session until it is over.
    pub(super) async fn run(mut self) {
        let _spare = spawn(heap::keep_for_a_moment());
        let mut timer = pin!(clock::sleep_until(clock::now()));
        while self.shared.lock().ended.is_none() {
            self.flush();
            let due = {
                let state = self.shared.lock();
                state.machine.next_timeout().into_iter().chain(state.leave_by).min()
            };
            // A timer that fires too early costs one turn; moving it at every turn costs more.
            if due.is_some_and(|due| timer.is_elapsed() || due < clock::time(timer.deadline())) {
                timer.as_mut().reset(clock::instant(due.unwrap_or_default()));
            }
            if self.shared.lock().ended.is_some() {
                break;
            }
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                biased;
                event = self.link.event() => self.on_link(event),
                () = shared.wake.notified() => {}
                Some(uploaded) = self.uploads.next() => self.uploaded(uploaded),
                Some(_) = self.outgoing.next() => {}
                () = timer.as_mut(), if due.is_some() => self.stimulus(Stimulus::Tick),
            }
            // Everything that is there already goes into one flush.
            for _ in 0..BATCH {
                let Some(event) = self.link.event().now_or_never() else { break };
                self.on_link(event);
            }
        }
    }

    fn stimulus(&self, stimulus: Stimulus) {
        self.shared.lock().machine.handle(clock::now(), stimulus);
    }

    fn on_link(&mut self, event: Event) {
        match event {
            Event::Connected => self.stimulus(Stimulus::Connected),
            Event::LineFree => self.stimulus(Stimulus::LineFree),
            Event::Received(message) => self.received(*message),
            Event::Lost(lost) => self.lost(lost),
        }
    }

    /// There is no stream any more.
    fn lost(&self, lost: Lost) {
        let mut state = self.shared.lock();
        match lost {
            Lost::Refused(why) if !self.closing => state.end(SessionError::Refused(why)),
            Lost::Refused(why) | Lost::ForNow(why) => {
                tracing::debug!(why, "no stream to the scheduler");
                state.problem = why;
                state.machine.handle(clock::now(), Stimulus::Broken);
            }
        }
        drop(state);
        self.shared.changed.send_replace(());
    }

    fn received(&mut self, response: OpenSessionResponse) {
        if let Some(Message::Welcome(welcome)) = &response.message
            && self.link.is_unwelcomed()
            && let Err(lost) = self.welcomed(welcome)
        {
            self.link.hang_up();
            return self.lost(lost);
        }
        match session_link::decode_response(response) {
            Ok(message) => self.heard(message),
            Err(error) => {
                let lost = Lost::ForNow(format!("{}: {error}", self.link.name()));
                self.link.hang_up();
                self.lost(lost);
            }
        }
    }

    /// Somebody welcomes us: whether it is the scheduler of this cluster.
    fn welcomed(&mut self, welcome: &SessionWelcome) -> Result<(), Lost> {
        self.link.way.check(&welcome.cluster_id, &self.link.name())?;
        peer::negotiate(welcome.scheduler.as_ref()).map_err(|error| Lost::Refused(error.to_string()))?;
        let endpoint = self.link.welcomed();
        self.shared.lock().limits(&welcome.limits.unwrap_or_default());
        self.shared.bulk.lead_to(endpoint.as_slice(), &self.link.way.place.tls, self.link.token.clone());
        Ok(())
    }

    fn heard(&mut self, message: ToClient) {
        let epoch = if let ToClient::Welcome(welcome) = &message { Some(welcome.epoch) } else { None };
        let mut state = self.shared.lock();
        state.machine.handle(clock::now(), Stimulus::Received(message));
        if let Some(epoch) = epoch {
            let before = self.epoch.replace(epoch);
            if before.is_some_and(|before| before != epoch) {
                // Another scheduler, which may have none of what the last one had.
                state.arguments.store(false);
            }
            drop(state);
            self.shared.changed.send_replace(());
        }
    }

    /// An argument was stored, or refused.
    fn uploaded(&self, uploaded: Result<Uploaded, tokio::task::JoinError>) {
        // What waits for it would wait for ever.
        let (argument, result) = uploaded.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let mut state = self.shared.lock();
        if !state.wants(&argument) {
            // It may have come to the store after the last of its tasks was over, and nobody else releases it then.
            let blobs = argument.blobs.iter().map(|(blob, _)| *blob).collect();
            state.machine.handle(clock::now(), Stimulus::Release { blobs });
            return self.shared.wake.notify_one();
        }
        let Err(error) = result else { return };
        let error = Error::Transfer(format!("an argument could not be stored: {error}"));
        argument.tasks.clone().for_each(|index| state.doom(index, &error));
        let cancel = Stimulus::Cancel { indexes: argument.tasks.clone().collect(), mode: CancelMode::Abort };
        state.machine.handle(clock::now(), cancel);
    }

    /// Lets the machine say what is to be done, and does it.
    fn flush(&mut self) {
        self.leave();
        let mut instructions = std::mem::take(&mut self.instructions);
        let mut state = self.shared.lock();
        state.machine.flush(clock::now(), &mut instructions);
        let to_store = std::mem::take(&mut state.arguments.to_store);
        drop(state);
        to_store.into_iter().for_each(|argument| self.upload(argument));
        for instruction in instructions.drain(..) {
            match instruction {
                Instruction::Dial => self.link.dial(),
                Instruction::Send(message) => self.link.send(message),
                Instruction::HangUp => self.link.hang_up(),
                Instruction::PassOn(want) => self.pass_on(want),
                // Another scheduler may want it again, until its task is over.
                Instruction::BlobTaken { .. } => {}
                Instruction::Deliver(events) => self.deliver(events),
                Instruction::Ended { reason } => self.end(reason.into()),
            }
        }
        self.instructions = instructions;
    }

    /// Where the client leaves: says so once nothing is open, or ends the stream once the scheduler has all that it needs.
    fn leave(&mut self) {
        let mut state = self.shared.lock();
        let Some(by) = state.leave_by else { return };
        let status = state.machine.status();
        let in_time = clock::now() < by;
        if !self.closing && (status.open_tasks == 0 || state.cancels) {
            self.closing = true;
            state.machine.handle(clock::now(), Stimulus::Close);
        } else if !self.closing && !self.leaving {
            self.leaving = true;
            // Nobody can ask this client for it any more.
            state.arguments.store(true);
        } else if !self.closing {
            let arrived = status.all_said && self.uploads.is_empty();
            if arrived {
                // The scheduler does not say when it has heard of a cancel, but the tasks' ends do.
                state.leave_by = Some(by.min(*self.cancels_end_by.get_or_insert(clock::now() + CANCELS)));
            }
            if (arrived && status.cancelled == 0) || !in_time {
                drop(state);
                self.end(SessionError::Closed);
            }
            return;
        }
        drop(state);
        if !in_time {
            self.end(SessionError::Closed);
        }
    }

    fn deliver(&self, events: Vec<paraply_core::session_link::Event>) {
        let mut state = self.shared.lock();
        let mut blobs = Vec::new();
        let mut membership = false;
        for event in events {
            membership |= event.sequence == 0;
            blobs.extend(state.deliver(event.kind));
        }
        if !blobs.is_empty() {
            state.machine.handle(clock::now(), Stimulus::Release { blobs });
            self.shared.wake.notify_one();
        }
        drop(state);
        if membership {
            self.shared.changed.send_replace(());
        }
    }

    fn upload(&self, argument: Arc<Argument>) {
        let (shared, turns) = (Arc::clone(&self.shared), Arc::clone(&self.uploading));
        self.uploads.push(spawn(async move {
            let _turn = turns.acquire().await;
            for (blob, data) in &argument.blobs {
                if !shared.lock().wants(&argument) {
                    break;
                }
                if let Err(error) = shared.bulk.write(*blob, shared.id, data.clone(), false).await {
                    return (argument, Err(error));
                }
            }
            (argument, Ok(()))
        }));
    }

    fn pass_on(&self, want: BlobWant) {
        let mut state = self.shared.lock();
        match state.arguments.bytes(want.blob) {
            Some(data) => {
                let (bulk, session) = (self.shared.bulk.clone(), self.shared.id);
                self.outgoing.push(spawn(async move { bulk.pass_on(want, session, data).await }));
            }
            None => {
                state.machine.handle(clock::now(), Stimulus::Release { blobs: vec![want.blob] });
                self.shared.wake.notify_one();
            }
        }
    }

    fn end(&self, error: SessionError) {
        self.shared.lock().end(error);
        self.shared.changed.send_replace(());
    }
}

impl Drop for Actor {
    /// With the runtime, perhaps: nobody waits for ever.
    fn drop(&mut self) {
        self.end(SessionError::Closed);
    }
}
