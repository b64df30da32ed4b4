//! One run from beginning to end: faults and work, then quiet, then nothing may be left.

use std::{collections::BTreeSet, time::Duration};

use paraply_core::{
    call::{Placement, Work},
    id::{Digest, EngineId, TaskId},
    time::Time,
};

use crate::{
    oracle::Violation,
    program::Program,
    random::Random,
    record::{Recorder, Recording},
    setting::{GRACE, Setting},
    story::Story,
    tally::Tally,
    world::World,
};

/// How long a cluster without faults may take to finish what is left, beside the time that its tasks take.
const BOUND: Duration = Duration::from_secs(120);

/// A run that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that shows it again.
    pub seed: u64,
    /// What is wrong.
    pub violation: Violation,
    /// What happened to the task, or all that happened.
    pub story: String,
    /// All that happened.
    pub history: String,
}

/// Runs a seed.
///
/// # Errors
/// What went wrong, with the story of it.
pub fn run(seed: u64) -> Result<Tally, Failure> {
    run_with(seed, |_| {})
}

/// Runs a seed with some settings of one's own.
///
/// # Errors
/// What went wrong, with the story of it.
pub fn run_with(seed: u64, adjust: impl Fn(&mut Setting)) -> Result<Tally, Failure> {
    let attempt = |story| {
        let mut setting = Setting::draw(&mut Random::new(seed));
        adjust(&mut setting);
        let mut world = World::new(seed, setting, story);
        let result = live(&mut world);
        (world, result)
    };
    let (world, result) = attempt(Story::default());
    let Err(violation) = result else { return Ok(world.tally) };
    let (world, _) = attempt(Story::kept());
    let subject = violation.task.map(|task| format!("{task:?}"));
    let facts = violation.task.and_then(|task| world.oracle.task(task).map(|facts| format!("{facts:#?}\n")));
    let scheduler = world.scheduler.as_ref().map(|scheduler| format!("{:?}\n", scheduler.machine));
    let story = world.story.of(subject.as_deref()) + &facts.unwrap_or_default() + &scheduler.unwrap_or_default();
    Err(Failure { seed, violation, story, history: world.story.of(None) })
}

/// Runs a seed and gives what happened to one of its clients.
#[must_use]
pub fn record(seed: u64, adjust: impl Fn(&mut Setting)) -> Option<Recording> {
    let mut setting = Setting::draw(&mut Random::new(seed));
    adjust(&mut setting);
    let mut world = World::new(seed, setting, Story::default());
    world.recorder = Recorder::on();
    // Whether all is well with it is for `run` to say.
    let _violation = live(&mut world);
    world.recorder.finish()
}

fn live(world: &mut World) -> Result<(), Violation> {
    while world.actions > 0 {
        step(world)?;
    }
    world.scale_no_more();
    finish_all(world)?;
    settle(world)?;
    everyone_answers(world)?;
    nothing_is_left(world)?;
    ensure(world.stimuli >= 200, || format!("only {} stimuli", world.stimuli))?;
    world.places().for_each(|place| world.tally_of(place));
    Ok(())
}

fn step(world: &mut World) -> Result<(), Violation> {
    world.step();
    world.violation.take().map_or(Ok(()), Err)
}

fn run_until(world: &mut World, limit: Time, done: impl Fn(&World) -> bool) -> Result<bool, Violation> {
    while !done(world) {
        if world.agenda.next_time().is_none_or(|next| next > limit) {
            return Ok(false);
        }
        step(world)?;
    }
    Ok(true)
}

/// Once faults have stopped every task comes to its end in time.
fn finish_all(world: &mut World) -> Result<(), Violation> {
    let work = world.work;
    let limit = world.now + BOUND + work;
    let open = |world: &World| {
        world
            .clients
            .iter()
            .flatten()
            .find_map(|client| client.open.first().map(|index| TaskId { session: client.session, index: *index }))
    };
    if run_until(world, limit, |world| open(world).is_none())? {
        let reads = |world: &World| world.clients.iter().flatten().find_map(|client| client.reading.first().copied());
        let all_read = run_until(world, world.now + BOUND, |world| reads(world).is_none())?;
        return ensure(all_read, || format!("blob {:?} of a result is still being read", reads(world)));
    }
    let task = open(world);
    let what = format!("is still open {BOUND:?} after faults stopped, and {work:?} for its work");
    Err(Violation { task, what })
}

/// Everyone is back, and clients know the engines that are attached.
fn settle(world: &mut World) -> Result<(), Violation> {
    let settled = |world: &World| {
        let attached = attached(world);
        let all = world.engines.iter().all(Option::is_some) && world.clients.iter().all(Option::is_some);
        let known = |world: &World| {
            let mut clients = world.clients.iter().flatten();
            clients.all(|client| client.machine.is_attached() && client.engines == attached)
        };
        let draining = world
            .scheduler
            .as_ref()
            .is_none_or(|scheduler| scheduler.machine.status().engines.iter().any(|engine| engine.draining));
        all && !draining && attached.len() == world.engines.len() && known(world)
    };
    // Ends of streams that are seen late are seen by then.
    let limit = world.now + Duration::from_secs(40);
    run_until(world, limit, |_| false)?;
    let limit = world.now + BOUND;
    if run_until(world, limit, settled)? {
        return Ok(());
    }
    let lists: Vec<_> = world.clients.iter().flatten().map(|client| client.engines.clone()).collect();
    let attached = attached(world);
    Err(Violation::general(format!("engines {attached:?} are attached, clients have {lists:?}")))
}

fn attached(world: &World) -> BTreeSet<EngineId> {
    let engines = world.scheduler.as_ref().map(|scheduler| scheduler.machine.status().engines);
    engines.into_iter().flatten().map(|engine| engine.info.id).collect()
}

/// An engine in a client's list is never refused.
fn everyone_answers(world: &mut World) -> Result<(), Violation> {
    for slot in 0..world.clients.len() {
        let Some(client) = &world.clients[slot] else { continue };
        let (session, engines) = (client.session, client.engines.iter().copied().collect());
        let program =
            Program { runs: Duration::from_micros(10), raises: false, writes: 0, large: false, stubborn: false };
        let mut head = world.head(Work::Function(Digest([1; 32])), Placement::Direct { engines });
        (head.start_once, head.run_timeout) = (false, None);
        let arguments = vec![paraply_core::payload::Payload { data: program.encode(0), ..Default::default() }];
        let Some(indexes) = world.submit(slot, head, arguments, Some(World::function(1))) else { continue };
        let limit = world.now + BOUND;
        let open = move |world: &World| world.clients[slot].as_ref().is_some_and(|client| !client.open.is_empty());
        let done = run_until(world, limit, |world| !open(world))?;
        for index in indexes {
            let id = TaskId { session, index };
            let result = world.oracle.task(id).and_then(|task| task.result.clone());
            if !done || result.as_ref().is_none_or(|outcome| outcome.value.is_err()) {
                return Err(Violation::of(id, format!("went to an attached engine and came to {result:?}")));
            }
        }
    }
    Ok(())
}

/// Tasks, functions, credit, output, blobs: all given back.
fn nothing_is_left(world: &mut World) -> Result<(), Violation> {
    let limit = world.now + Duration::from_secs(5);
    run_until(world, limit, |_| false)?;
    for client in world.clients.iter().flatten() {
        let status = client.machine.status();
        let clean = (status.open_tasks, status.calls, status.functions, status.unacknowledged) == (0, 0, 0, 0);
        ensure(clean, || format!("session {:?} is left with {status:?}", client.session))?;
    }
    world.actions = 0;
    for slot in 0..world.clients.len() {
        world.supervised = false;
        world.close_client(slot);
    }
    // Sessions of clients that died are kept for their grace time.
    let limit = world.now + GRACE + GRACE / 2;
    run_until(world, limit, |_| false)?;
    for (slot, engine) in world.engines.iter().enumerate() {
        let Some(engine) = engine else { continue };
        let status = engine.machine.status();
        let clean = status.tasks == 0
            && status.held == Default::default()
            && status.functions_waited_for == 0
            && status.output_bytes == 0
            && status.kept_blobs == 0;
        ensure(clean, || format!("engine {slot} is left with {status:?}"))?;
        ensure(engine.kept.is_empty(), || format!("engine {slot} is left with blobs {:?}", engine.kept))?;
    }
    world.sweep_blobs();
    let Some(scheduler) = &world.scheduler else { return Err(Violation::general("the scheduler is gone")) };
    let status = scheduler.machine.status();
    let sessions = status.sessions.len();
    ensure(sessions == 0, || format!("the scheduler is left with sessions {:?}", status.sessions))?;
    ensure(status.unassigned == 0, || format!("the scheduler is left with {} tasks", status.unassigned))?;
    let idle = status.engines.iter().all(|engine| engine.queued + engine.claimed == 0);
    ensure(idle, || format!("the scheduler is left with {:?}", status.engines))?;
    ensure(status.blobs == 0, || format!("the scheduler is left with {} blobs", status.blobs))?;
    ensure(scheduler.blobs.is_empty(), || format!("the blob store is left with {:?}", scheduler.blobs))
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation::general(what())) }
}
