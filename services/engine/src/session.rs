//! The shell of the engine-session machine: streams, the runtime, signals and time become stimuli; instructions become
//! writes, batches and exits.

mod received;

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use paraply_common::{
    admin::AdminListener,
    clock, heap,
    spawn::{Task, spawn},
};
use paraply_core::{
    engine_session::{EngineSession, ExitReason, Instruction, Stimulus},
    id::{EngineId, Epoch},
    outcome::{FailureKind, Outcome},
    time::Time,
};
use tokio::sync::watch;

use crate::{
    blobs::{self, Bulk, Fetched, Fetches, Kept, Stored},
    config::Config,
    error::Error,
    health::Health,
    link::{Event, Link},
    member::{self, Registration},
    roads::Road,
    runtime::{Finished, Report, Reports, Runtime},
    shorten::shorten,
    terminated::Terminated,
    traces::Traces,
};

/// What travels inside a message until the scheduler says otherwise, in bytes.
const INLINE_BYTES: u64 = 64 << 10;

/// Messages taken in before a flush at the most.
const BATCH: usize = 256;

/// Keeps an engine in its cluster until it is to leave; returns why. Runs on a current-thread runtime. Health is shown on
/// `admin`, if there is one.
///
/// # Errors
/// If the controller refuses the engine for good.
pub async fn run(
    config: Config,
    runtime: Arc<dyn Runtime>,
    reports: Reports,
    mut terminated: Terminated,
    admin: Option<AdminListener>,
) -> Result<ExitReason, Error> {
    let (mut membership, mut registration) = member::join(config.clone(), Arc::clone(&runtime));
    let mut session = Session::new(config, runtime, reports);
    let _spare = spawn(heap::keep_for_a_moment());
    let health = admin.map(Health::show);
    let mut timer = pin!(clock::sleep_until(clock::now()));
    let mut killed_at: Option<Time> = None;
    loop {
        let due = session.machine.next_timeout().into_iter().chain(killed_at).min();
        // A timer that fires too early costs one turn; moving it at every turn costs more.
        if due.is_some_and(|due| timer.is_elapsed() || due < clock::time(timer.deadline())) {
            timer.as_mut().reset(clock::instant(due.unwrap_or_default()));
        }
        tokio::select! {
            biased;
            () = terminated.received() => {
                if killed_at.is_some() {
                    return Ok(ExitReason::Ordered);
                }
                tracing::info!("SIGTERM: finishing what is claimed");
                killed_at = Some(clock::now() + session.config.stop_grace);
                session.stimulus(Stimulus::Drain);
            }
            Ok(()) = registration.changed() => {
                if session.registered(&mut registration) {
                    return Ok(ExitReason::Ordered);
                }
            }
            refused = &mut membership => {
                return Err(refused.unwrap_or_else(|error| Error::System(std::io::Error::other(error))));
            }
            event = session.link.event() => session.on_link(event),
            () = session.reports.arrived() => {}
            fetched = session.fetches.arrived() => session.fetched(fetched),
            Some(stored) = session.storing.next() => session.stored(stored),
            settled = session.kept.settled() => session.stimulus(settled),
            () = timer.as_mut(), if due.is_some() => {}
        }
        session.take_what_waits();
        if let Some(reason) = session.flush() {
            if matches!(reason, ExitReason::Drained) && killed_at.is_none() {
                let linger = session.config.linger;
                // It has left the cluster.
                drop((session, membership, health));
                wait_to_be_ended(linger, &mut terminated).await;
            }
            return Ok(reason);
        }
        health.iter().for_each(|health| health.attached(session.machine.is_attached()));
        if killed_at.is_some_and(|at| at <= clock::now()) {
            return Ok(ExitReason::Drained);
        }
    }
}

async fn wait_to_be_ended(linger: Duration, terminated: &mut Terminated) {
    tokio::select! {
        () = terminated.received() => {}
        () = clock::sleep_until(clock::now() + linger) => {}
    }
}

struct Session {
    config: Config,
    machine: EngineSession,
    link: Link,
    registration: Option<Registration>,
    /// How the scheduler was reached last. Bytes take the same.
    road: Road,
    runtime: Arc<dyn Runtime>,
    reports: Reports,
    /// Reports being handled, and instructions being carried out: kept for their memory.
    taken: Vec<Report>,
    instructions: Vec<Instruction>,
    bulk: Bulk,
    fetches: Fetches,
    kept: Kept,
    traces: Option<Traces>,
    /// Outcomes whose large parts have no room here.
    storing: FuturesUnordered<Task<Stored>>,
    epoch: Option<Epoch>,
    inline_bytes: u64,
}

impl Session {
    fn new(config: Config, runtime: Arc<dyn Runtime>, reports: Reports) -> Self {
        let mut machine = EngineSession::new(config.session, clock::now());
        machine.handle(clock::now(), Stimulus::RuntimeIdle);
        let kept = Kept::new(config.result_bytes);
        let traces = config.spans.clone().map(Traces::new);
        Self {
            config,
            machine,
            link: Link::default(),
            registration: None,
            road: Road::default(),
            runtime,
            reports,
            taken: Vec::new(),
            instructions: Vec::new(),
            bulk: Bulk::default(),
            fetches: Fetches::new(),
            kept,
            traces,
            storing: FuturesUnordered::new(),
            epoch: None,
            inline_bytes: INLINE_BYTES,
        }
    }

    fn stimulus(&mut self, stimulus: Stimulus) {
        self.machine.handle(clock::now(), stimulus);
    }

    /// The controller has said something new; true if it is that the engine is to leave.
    fn registered(&mut self, watched: &mut watch::Receiver<Option<Registration>>) -> bool {
        let Some(registration) = watched.borrow_and_update().clone() else { return false };
        if registration.exit {
            return true;
        }
        self.runtime.registered(registration.info.id);
        self.traces.iter().for_each(|traces| traces.registered(registration.info.id));
        self.stimulus(Stimulus::Registered { info: Arc::clone(&registration.info) });
        if registration.drain {
            // However long it takes: nobody waits for the end of the process.
            self.stimulus(Stimulus::Drain);
        }
        self.registration = Some(registration);
        self.lead_bytes();
        false
    }

    fn lead_bytes(&self) {
        if let Some(Registration { roads, tls, bearer, .. }) = &self.registration {
            self.bulk.lead_to(roads.along(self.road), tls, bearer.clone());
        }
    }

    /// Everything that is there already goes into one flush.
    fn take_what_waits(&mut self) {
        for _ in 0..BATCH {
            let Some(event) = self.link.event().now_or_never() else { break };
            self.on_link(event);
        }
        let mut taken = std::mem::take(&mut self.taken);
        self.reports.take(&mut taken);
        for report in taken.drain(..) {
            self.on_report(report);
        }
        self.taken = taken;
    }

    fn on_link(&mut self, event: Event) {
        match event {
            Event::Connected => self.stimulus(Stimulus::Connected),
            Event::LineFree => self.stimulus(Stimulus::LineFree),
            Event::Received(message) => self.received(*message),
            Event::Broken(why) => {
                tracing::warn!(why, "no stream to the scheduler");
                self.stimulus(Stimulus::Broken);
            }
        }
    }

    fn engine(&self) -> Option<EngineId> {
        self.registration.as_ref().map(|registration| registration.info.id)
    }

    fn on_report(&mut self, report: Report) {
        match report {
            Report::Output(attempt, output) => self.stimulus(Stimulus::Output { attempt, output }),
            Report::Idle => self.stimulus(Stimulus::RuntimeIdle),
            Report::Finished(finished) => self.on_finished(finished),
        }
    }

    fn on_finished(&mut self, mut finished: Finished) {
        let (attempt, engine) = (finished.attempt, self.engine());
        if let Some(traces) = &mut self.traces {
            traces.finished(attempt, &finished.outcome);
        }
        if let Err(failure) = &mut finished.outcome.value {
            failure.engine = engine;
            shorten(failure);
        }
        let (kept, bulk) = (&mut self.kept, &self.bulk);
        match blobs::place(finished, self.inline_bytes, engine, self.epoch, kept, bulk) {
            Ok(outcome) => self.stimulus(Stimulus::Finished { attempt, outcome: *outcome }),
            Err(storing) => self.storing.push(spawn(storing)),
        }
    }

    fn stored(&mut self, stored: Result<Stored, tokio::task::JoinError>) {
        // A task that nobody hears of again would keep its client waiting for ever.
        let stored = stored.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if stored.epoch != self.epoch {
            // Stored in a scheduler that is gone by now.
            self.storing.push(spawn(stored.again(self.epoch, self.engine(), self.bulk.clone())));
            return;
        }
        let Stored { attempt, outcome, .. } = stored;
        self.stimulus(Stimulus::Finished { attempt, outcome: *outcome });
    }

    /// A task has all its bytes, or never will.
    fn fetched(&mut self, (attempt, fetched): Fetched) {
        self.stimulus(match fetched {
            Ok(arguments) => Stimulus::Fetched { attempt, arguments },
            Err(error) => {
                let message = format!("the arguments could not be fetched: {error}");
                let outcome = Outcome::failed(FailureKind::Refused, "ArgumentsLost", message, self.engine());
                Stimulus::NotFetched { attempt, outcome }
            }
        });
    }

    /// Lets the machine say what is to be done, and does it; why to leave, if that is it.
    fn flush(&mut self) -> Option<ExitReason> {
        let mut instructions = std::mem::take(&mut self.instructions);
        self.machine.flush(clock::now(), &mut instructions);
        let mut exit = None;
        for instruction in instructions.drain(..) {
            match instruction {
                Instruction::Dial => self.dial(),
                Instruction::Send(message) => self.link.send(message),
                Instruction::HangUp => self.link.hang_up(),
                Instruction::Run(mut batch) => {
                    if let Some(traces) = &mut self.traces {
                        traces.started(&mut batch);
                    }
                    batch.iter().for_each(|task| self.fetches.over(task.attempt));
                    self.runtime.run(batch);
                }
                Instruction::Interrupt { attempt } => self.runtime.interrupt(attempt),
                Instruction::Fetch { attempt, arguments } => self.fetches.start(attempt, arguments, &self.bulk),
                Instruction::FetchNow { attempt } => self.fetches.hurry(attempt),
                Instruction::GiveUpFetch { attempt } => self.fetches.over(attempt),
                Instruction::PassOn(want) => self.kept.pass_on(want, &self.bulk),
                Instruction::StoreBlob { blob } => self.kept.store(blob, &self.bulk),
                Instruction::DropBlob { blob } => self.kept.drop_blob(blob),
                Instruction::Exit { reason } => exit = Some(reason),
            }
        }
        self.instructions = instructions;
        exit
    }

    fn dial(&mut self) {
        if let Some(Registration { roads, tls, ticket, bearer, .. }) = &self.registration {
            self.link.dial(roads.clone(), tls.clone(), bearer.clone(), ticket.clone());
        }
    }
}
