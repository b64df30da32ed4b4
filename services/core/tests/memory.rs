//! What a task costs the scheduler while it waits: its arguments, and not much beside them.
//!
//! A test binary of its own, with one test in it: its allocator counts what the whole process has.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use paraply_core::{
    call::{Call, CallHead, Placement, Work},
    engine_link::{self, Credit},
    id::{ConnectionId, Digest, EngineId, Epoch, Incarnation, SessionId},
    payload::{Function, Payload},
    scheduler::{Config, Instruction, Scheduler, Stimulus},
    session_link::{CancelMode, EngineInfo, Hello, ToScheduler},
    time::Time,
};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// What an allocation takes in the system's allocator: a word more, in steps of two.
fn taken(size: usize) -> usize {
    (size + 8).next_multiple_of(16).max(32)
}

// SAFETY: passes everything on.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(taken(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        HELD.fetch_sub(taken(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const TASKS: usize = 200_000;
const ARGUMENT_BYTES: usize = 100;
/// In one message, of which a client makes one a mebibyte.
const BATCH: usize = 5_000;
/// Beyond its argument.
const BYTES_A_TASK: usize = 500;
/// Of one that was cancelled: its place in a queue, until that comes up.
const BYTES_A_GONE_TASK: usize = 48;

const SESSION: SessionId = SessionId(7);
const FUNCTION: Digest = Digest([7; 32]);
const CLIENT: ConnectionId = ConnectionId(1);
const ENGINE: ConnectionId = ConnectionId(2);

struct World {
    scheduler: Scheduler,
    now: Time,
}

impl World {
    /// A session, and an engine that has no room for a task.
    fn new() -> Self {
        let now = Time(1_000_000_000);
        let mut world = Self { scheduler: Scheduler::new(Config::default(), Epoch(1), now), now };
        world.step(Stimulus::MembersKnown { engines: Vec::new() });
        let hello =
            Hello { session: SESSION, resume: None, cancel_on_disconnect: false, label: Bytes::new(), stream: 0 };
        world.step(Stimulus::SessionOpened { connection: CLIENT, hello });
        let (id, incarnation) = (EngineId(0), Incarnation(1));
        let info = Arc::new(EngineInfo { id, incarnation, peer: Bytes::new(), labels: Vec::new() });
        let credit = Credit { total_tasks: 0, total_bytes: 0 };
        let hello =
            engine_link::Hello { info, last_epoch: None, held: Vec::new(), credit, stream: 0, kept_blobs: Vec::new() };
        world.step(Stimulus::EngineOpened { connection: ENGINE, hello });
        world
    }

    fn step(&mut self, stimulus: Stimulus) {
        self.scheduler.handle(self.now, stimulus);
        loop {
            let mut out = Vec::new();
            self.scheduler.flush(self.now, &mut out);
            if out.is_empty() {
                return;
            }
            for instruction in out {
                let answer = match instruction {
                    Instruction::ToSession { connection, .. } | Instruction::ToEngine { connection, .. } => {
                        Stimulus::LineFree { connection }
                    }
                    Instruction::Persist { sequence, .. } => Stimulus::Persisted { up_to: sequence },
                    _ => continue,
                };
                self.scheduler.handle(self.now, answer);
            }
        }
    }

    fn say(&mut self, message: ToScheduler) {
        self.step(Stimulus::SessionMessage { connection: CLIENT, message });
    }

    /// Submits them all; what they cost, in bytes a task beyond the argument.
    fn submit(&mut self, make: fn(u64) -> Vec<Call>) -> usize {
        let before = HELD.load(Ordering::Relaxed);
        for first in (0..TASKS as u64).step_by(BATCH) {
            self.say(ToScheduler::Submit { calls: make(first), functions: vec![function()], ack: None });
        }
        assert_eq!(self.outstanding(), TASKS);
        (HELD.load(Ordering::Relaxed) - before) / TASKS - ARGUMENT_BYTES
    }

    /// Cancels all but one task of each batch, which the client hears and acknowledges.
    fn cancel_most(&mut self) {
        for first in (0..TASKS as u64).step_by(BATCH) {
            let indexes = (first + 1..first + BATCH as u64).collect();
            self.say(ToScheduler::Cancel { indexes, mode: CancelMode::Abort });
        }
        self.say(ToScheduler::Ack { sequence: u64::MAX });
        assert_eq!(self.outstanding(), TASKS / BATCH);
    }

    fn outstanding(&self) -> usize {
        self.scheduler.status().sessions.iter().map(|session| session.outstanding as usize).sum()
    }
}

fn function() -> Arc<Function> {
    let payload = Payload { data: Bytes::from_static(b"f"), ..Payload::default() };
    Arc::new(Function { digest: FUNCTION, payload, name: Bytes::new() })
}

/// As it is decoded: with an allocation of its own.
fn argument() -> Payload {
    Payload { data: Bytes::copy_from_slice(&[1; ARGUMENT_BYTES]), ..Payload::default() }
}

fn head(placement: Placement) -> Arc<CallHead> {
    Arc::new(CallHead { name: "noop".to_owned().into(), ..CallHead::new(Work::Function(FUNCTION), placement) })
}

fn balanced() -> Placement {
    Placement::Balanced { engines: Vec::new(), labels: Vec::new(), retries: 0, queue_timeout: None }
}

/// A call a task. They have their heads in common, as those that come in one message do.
fn calls(first: u64, placement: Placement) -> Vec<Call> {
    let head = head(placement);
    let call = |first_index| Call { first_index, head: head.clone(), arguments: vec![argument()] };
    (first..first + BATCH as u64).map(call).collect()
}

#[test]
fn a_task_that_waits_costs_little_and_one_that_is_gone_nothing() {
    let map = |first_index| {
        let arguments = (0..BATCH).map(|_| argument()).collect();
        vec![Call { first_index, head: head(balanced()), arguments }]
    };
    type Make = fn(u64) -> Vec<Call>;
    let kinds: [(&str, Make); 3] = [
        ("tasks of maps", map),
        ("balanced calls", |first| calls(first, balanced())),
        ("direct calls", |first| calls(first, Placement::Direct { engines: vec![EngineId(0)] })),
    ];
    for (kind, make) in kinds {
        let start = HELD.load(Ordering::Relaxed);
        let mut world = World::new();
        let a_task = world.submit(make);
        assert!(a_task <= BYTES_A_TASK, "{kind}: {a_task} bytes a task");
        world.cancel_most();
        let left = HELD.load(Ordering::Relaxed) - start;
        let due = TASKS / BATCH * (ARGUMENT_BYTES + BYTES_A_TASK) + TASKS * BYTES_A_GONE_TASK;
        assert!(left <= due, "{kind}: {left} bytes, of which {due} are due");
        drop(world);
        // Other threads of the test's process have a little of their own at times.
        let forgotten = HELD.load(Ordering::Relaxed).saturating_sub(start);
        assert!(forgotten < TASKS / 10, "{kind}: {forgotten} bytes are left of the scheduler");
        println!(
            "{kind}: {a_task} bytes a task beyond its argument, {left} bytes when {} tasks are left",
            TASKS / BATCH
        );
    }
}
