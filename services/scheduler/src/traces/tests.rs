//! What is traced, how much of it, and that what is not traced costs no memory.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::Arc,
};

use bytes::Bytes;
use paraply_common::telemetry::Span;
use paraply_core::{
    call::{CallHead, Placement, Work},
    engine_link::{AssignedCall, AssignedTask},
    id::{Digest, TaskId},
    outcome::FailureKind,
    payload::Payload,
    time::Time,
};
use tokio::sync::mpsc::Receiver;

use super::*;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: passes everything on.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const SESSION: SessionId = SessionId(7);
const ENGINE: EngineId = EngineId(3);
const PARENT: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;

fn traces(most: usize) -> (Traces, Receiver<Span>) {
    let (spans, sent) = Spans::queue(1000, "test", Vec::new());
    (Traces::new(spans, most), sent)
}

fn call(first_index: u64, tasks: usize, traceparent: &'static [u8]) -> Call {
    let placement = Placement::Balanced { engines: Vec::new(), labels: Vec::new(), retries: 0, queue_timeout: None };
    let head = CallHead {
        name: Bytes::from_static(b"simulate"),
        traceparent: Bytes::from_static(traceparent),
        ..CallHead::new(Work::Function(Digest([7; 32])), placement)
    };
    Call { first_index, head: Arc::new(head), arguments: vec![Payload::default(); tasks] }
}

fn records(records: Vec<Record>) -> [Instruction; 1] {
    [Instruction::Persist { sequence: 1, records }]
}

fn accepted(call: &Call) -> Record {
    Record::Accepted { session: SESSION, call: call.clone().into() }
}

fn attempt(index: u64) -> AttemptId {
    AttemptId { task: TaskId { session: SESSION, index }, attempt: 1 }
}

fn finished(index: u64, error: Option<&'static str>) -> Record {
    let mut outcome = Outcome::failed(FailureKind::Exception, "ValueError", error.unwrap_or_default().to_owned(), None);
    if error.is_none() {
        outcome.value = Ok(Payload::default());
    }
    let placement = Placement::Balanced { engines: Vec::new(), labels: Vec::new(), retries: 0, queue_timeout: None };
    Record::Finished {
        attempt: attempt(index),
        event: 1,
        head: Arc::new(CallHead::new(Work::Function(Digest([0; 32])), placement)),
        engine: None,
        accepted: Time(1),
        outcome: Arc::new(outcome),
    }
}

fn orders(call: &Call) -> ToEngine {
    let task = |index| AssignedTask {
        index,
        attempt: 1,
        claimed: false,
        arguments: Payload::default(),
        expected: None,
        span: None,
    };
    let tasks = (call.first_index..call.first_index + call.tasks()).map(task).collect();
    let assigned = AssignedCall { head: call.head.clone(), session: SESSION, direct: false, several: false, tasks };
    ToEngine::Orders(Orders { assigned: vec![assigned], ..Orders::default() })
}

/// What the engine learns of the span of each task.
fn told(message: &ToEngine) -> Vec<Option<u64>> {
    let ToEngine::Orders(orders) = message else { return Vec::new() };
    orders.assigned.iter().flat_map(|call| call.tasks.iter().map(|task| task.span)).collect()
}

fn all(sent: &mut Receiver<Span>) -> Vec<Span> {
    std::iter::from_fn(|| sent.try_recv().ok()).collect()
}

#[test]
fn a_task_is_a_child_of_its_call_and_the_engine_is_told() {
    let (mut traces, mut sent) = traces(10);
    let call = call(5, 2, PARENT);
    traces.before(&records(vec![accepted(&call)]));
    let mut message = orders(&call);
    traces.assign(ENGINE, &mut message);
    traces.before(&records(vec![finished(5, None)]));
    traces.before(&records(vec![finished(6, Some("no"))]));
    let spans = all(&mut sent);
    let [first, second, whole] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(told(&message), [Some(first.id), Some(second.id)]);
    assert!([first, second].iter().all(|task| task.parent == whole.id && task.events[0].name == "assigned"));
    assert!(spans.iter().all(|span| span.trace == TRACE && span.started <= span.ended));
    assert_eq!(whole.parent, 0xb7ad_6b71_6920_3331);
    assert_eq!((&whole.name[..], &first.name[..]), ("schedule simulate", "task simulate"));
    assert_eq!((first.error.as_deref(), second.error.as_deref()), (None, Some("ValueError: no")));
    assert_eq!(whole.error.as_deref(), Some("1 of 2 tasks failed"));
    assert!(traces.calls.is_empty() && traces.tasks == 0);
}

#[test]
fn what_is_beyond_the_bound_is_counted_and_its_engine_traces_it_neither() {
    let (mut traces, mut sent) = traces(2);
    let (first, second) = (call(0, 3, PARENT), call(3, 1, PARENT));
    traces.before(&records(vec![accepted(&first), accepted(&second)]));
    for (call, traced) in [(&first, vec![true, true, false]), (&second, vec![false])] {
        let mut message = orders(call);
        traces.assign(ENGINE, &mut message);
        assert_eq!(told(&message).iter().map(|span| *span != Some(0)).collect::<Vec<_>>(), traced);
    }
    traces.before(&records((0..4).map(|index| finished(index, None)).collect()));
    let spans = all(&mut sent);
    assert_eq!(spans.len(), 3);
    let untraced = spans[2].attributes.iter().find(|attribute| attribute.key.as_str() == "paraply.call.untraced");
    assert_eq!(untraced.unwrap().value, 1.into());
    assert_eq!(traces.tasks, 0);
}

#[test]
fn the_end_of_a_session_is_the_end_of_its_spans() {
    let (mut traces, mut sent) = traces(10);
    traces.before(&records(vec![accepted(&call(0, 2, PARENT))]));
    traces.before(&records(vec![Record::Forgotten { session: SessionId(8) }]));
    assert!(all(&mut sent).is_empty());
    traces.before(&records(vec![Record::Forgotten { session: SESSION }]));
    let spans = all(&mut sent);
    assert_eq!(spans.len(), 3);
    assert!(spans.iter().all(|span| span.error.is_some()));
    assert!(traces.calls.is_empty() && traces.tasks == 0);
}

#[test]
fn what_a_client_says_again_after_a_restart_is_traced_once() {
    let (mut traces, mut sent) = traces(10);
    let replay = ToScheduler::Replay {
        calls: vec![call(0, 3, PARENT)],
        functions: Vec::new(),
        finished: vec![1, 9],
        claims: Vec::new(),
        complete: true,
    };
    traces.heard(SESSION, &replay);
    traces.heard(SESSION, &replay);
    traces.before(&records(vec![finished(0, None), finished(2, None)]));
    assert_eq!(all(&mut sent).len(), 3, "two tasks and the call");
    assert!(traces.calls.is_empty() && traces.tasks == 0);
}

#[test]
fn a_call_that_is_not_traced_costs_no_memory() {
    let (mut traces, mut sent) = traces(10);
    for text in [&b""[..], b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", &[b'0'; 4096]] {
        let call = call(0, 50, text);
        let mut message = orders(&call);
        let claimed = Record::Claimed { attempt: attempt(1), engine: ENGINE };
        let instructions = records(vec![accepted(&call), claimed, finished(1, None), finished(2, Some("no"))]);
        let before = ALLOCATIONS.get();
        traces.before(&instructions);
        traces.assign(ENGINE, &mut message);
        assert_eq!(ALLOCATIONS.get(), before);
        assert_eq!(told(&message), vec![None; 50]);
    }
    assert!(all(&mut sent).is_empty() && traces.calls.is_empty());
}
