//! Stimuli in, exactly these instructions out.

mod hostile;

use bytes::Bytes;

use super::*;
use crate::{
    call::{Placement, Work},
    engine_link::{AssignedCall, AssignedTask, Credit, Held, HeldState, Hello, Orders, Reports, Welcome},
    id::{BlobId, Digest, EngineId, Epoch, Incarnation, SessionId, TaskId},
    outcome::{FailureKind, OutputKind},
    payload::BlobRef,
    session_link::CancelMode,
    time::Time,
};

const LEASE: Duration = Duration::from_secs(9);
const FULL: Credit = Credit { total_tasks: 4, total_bytes: 1000 };

struct Rig {
    machine: EngineSession,
    now: Time,
}

fn millis(millis: u64) -> Time {
    Time(millis * 1_000_000)
}

fn info() -> Arc<EngineInfo> {
    Arc::new(EngineInfo { id: EngineId(3), incarnation: Incarnation(77), peer: Bytes::new(), labels: vec![] })
}

fn config() -> Config {
    Config { task_window: 4, byte_window: 1000, output_bytes: 400, ..Config::default() }
}

fn digest(n: u8) -> Digest {
    Digest([n; 32])
}

fn function(n: u8) -> Arc<Function> {
    let payload = Payload { data: Bytes::from_static(b"0123456789"), ..Payload::default() };
    Arc::new(Function { digest: digest(n), payload, name: Bytes::new() })
}

fn head(work: Work, start_once: bool) -> Arc<CallHead> {
    let placement = Placement::Direct { engines: vec![EngineId(3)] };
    Arc::new(CallHead { start_once, ..CallHead::new(work, placement) })
}

fn code() -> Arc<CallHead> {
    head(Work::Execute { source: Bytes::new(), silent: true, filename: Bytes::new() }, false)
}

fn attempt(index: u64) -> AttemptId {
    AttemptId { task: TaskId { session: SessionId(5), index }, attempt: 1 }
}

fn task(index: u64) -> AssignedTask {
    AssignedTask { index, attempt: 1, claimed: false, arguments: Payload::default(), expected: None, span: None }
}

fn call(head: Arc<CallHead>, direct: bool, tasks: Vec<AssignedTask>) -> AssignedCall {
    AssignedCall { head, session: SessionId(5), direct, several: false, tasks }
}

fn assign(calls: Vec<AssignedCall>) -> Stimulus {
    orders(Orders { assigned: calls, ..Orders::default() })
}

fn orders(orders: Orders) -> Stimulus {
    Stimulus::Received(ToEngine::Orders(orders))
}

fn welcome(epoch: u64, dropped: Vec<AttemptId>) -> Stimulus {
    Stimulus::Received(ToEngine::Welcome(Welcome { epoch: Epoch(epoch), lease: LEASE, dropped }))
}

fn reports(reports: Reports) -> Instruction {
    Instruction::Send(ToScheduler::Reports(reports))
}

fn claimed(indexes: &[u64]) -> Instruction {
    reports(Reports { claimed: indexes.iter().map(|index| attempt(*index)).collect(), ..Reports::default() })
}

fn hello(last_epoch: Option<u64>, held: Vec<(u64, HeldState)>, credit: Credit) -> Instruction {
    let held = held.into_iter().map(|(index, state)| Held { attempt: attempt(index), state }).collect();
    let stream = if last_epoch.is_some() { 2 } else { 1 };
    Instruction::Send(ToScheduler::Hello(Hello {
        info: info(),
        last_epoch: last_epoch.map(Epoch),
        held,
        credit,
        stream,
        kept_blobs: Vec::new(),
    }))
}

fn run(index: u64, head: &Arc<CallHead>, function: Option<Arc<Function>>) -> RunTask {
    RunTask { attempt: attempt(index), head: Arc::clone(head), function, arguments: Payload::default(), span: None }
}

fn ok() -> Outcome {
    let mut outcome = Outcome::failed(FailureKind::Exception, "", String::new(), None);
    outcome.value = Ok(Payload::default());
    outcome
}

fn finished(index: u64) -> Stimulus {
    Stimulus::Finished { attempt: attempt(index), outcome: ok() }
}

fn finished_report(index: u64, total_tasks: u64) -> Instruction {
    let finished = vec![(attempt(index), ok().into())];
    reports(Reports { finished, credit: tasks(total_tasks), ..Reports::default() })
}

fn tasks(total_tasks: u64) -> Option<Credit> {
    Some(Credit { total_tasks, total_bytes: 1000 })
}

fn written(offset: u64, data: &'static str) -> Output {
    Output { kind: OutputKind::Stdout, offset, data: Bytes::from_static(data.as_bytes()), dropped: 0 }
}

impl Rig {
    fn new() -> Self {
        Self { machine: EngineSession::new(config(), Time(0)), now: Time(0) }
    }

    /// Registered, connected, welcomed; the line is free; the runtime idle.
    fn attached() -> Self {
        let mut rig = Self::new();
        assert_eq!(rig.give([Stimulus::Registered { info: info() }]), [Instruction::Dial]);
        assert_eq!(rig.give([Stimulus::Connected]), [hello(None, vec![], FULL)]);
        assert_eq!(rig.give([welcome(1, vec![]), Stimulus::LineFree, Stimulus::RuntimeIdle]), []);
        rig
    }

    /// Everything between a break and the next welcome; gives the hello.
    fn attach_again(&mut self, epoch: u64, dropped: Vec<AttemptId>) -> Vec<Instruction> {
        self.give([Stimulus::Broken]);
        self.now = self.now + Duration::from_millis(50);
        assert_eq!(self.give([Stimulus::Tick]), [Instruction::Dial]);
        let hello = self.give([Stimulus::Connected]);
        assert_eq!(self.give([welcome(epoch, dropped)]), []);
        hello
    }

    fn give<const N: usize>(&mut self, stimuli: [Stimulus; N]) -> Vec<Instruction> {
        for stimulus in stimuli {
            self.machine.handle(self.now, stimulus);
        }
        let mut out = Vec::new();
        self.machine.flush(self.now, &mut out);
        out
    }
}

#[test]
fn a_task_is_claimed_run_reported_and_forgotten_when_acknowledged() {
    let (mut rig, head) = (Rig::attached(), code());
    let out = rig.give([assign(vec![call(code(), true, vec![task(0)])])]);
    assert_eq!(out, [claimed(&[0]), Instruction::Run(vec![run(0, &head, None)])]);
    assert_eq!(rig.give([finished(0), Stimulus::RuntimeIdle]), [], "the line is occupied");
    assert_eq!(rig.give([Stimulus::LineFree]), [finished_report(0, 5)]);
    rig.give([orders(Orders { acked: vec![attempt(0)], ..Orders::default() })]);
    assert_eq!(rig.machine.status(), Status::default());
}

#[test]
fn a_task_assigned_as_claimed_runs_without_a_report_and_without_the_line() {
    let (mut rig, head) = (Rig::attached(), code());
    let task = AssignedTask { claimed: true, ..task(0) };
    assert_eq!(rig.give([assign(vec![call(code(), true, vec![task])])]), [Instruction::Run(vec![run(0, &head, None)])]);
}

#[test]
fn the_queues_take_turns_and_the_runtime_gets_one_unmeasured_task_at_a_time() {
    let (mut rig, head) = (Rig::attached(), code());
    let calls = vec![call(code(), true, vec![task(0), task(1)]), call(code(), false, vec![task(2), task(3)])];
    let mut order = rig.give([assign(calls)]);
    for index in [0, 2, 1] {
        order.extend(rig.give([Stimulus::LineFree, finished(index), Stimulus::RuntimeIdle]));
    }
    let ran: Vec<_> = order.into_iter().filter(|out| matches!(out, Instruction::Run(_))).collect();
    assert_eq!(ran, [0, 2, 1, 3].map(|index| Instruction::Run(vec![run(index, &head, None)])));
}

#[test]
fn measured_tasks_are_claimed_together_up_to_the_limit() {
    let (mut rig, head) = (Rig::attached(), code());
    let task = |index| AssignedTask { expected: Some(Duration::from_micros(400)), ..task(index) };
    let out = rig.give([assign(vec![call(code(), false, vec![task(0), task(1), task(2)])])]);
    assert_eq!(out, [claimed(&[0, 1]), Instruction::Run(vec![run(0, &head, None), run(1, &head, None)])]);
}

#[test]
fn tasks_of_the_two_queues_are_never_claimed_together() {
    let (mut rig, head) = (Rig::attached(), code());
    let task = |index| AssignedTask { expected: Some(Duration::from_micros(100)), ..task(index) };
    let calls = vec![call(code(), false, vec![task(0), task(1), task(2)]), call(code(), true, vec![task(3)])];
    let batch = |indexes: &[u64]| Instruction::Run(indexes.iter().map(|index| run(*index, &head, None)).collect());
    assert_eq!(rig.give([assign(calls)])[1..], [batch(&[3])]);
    let out = rig.give([finished(3), Stimulus::RuntimeIdle, Stimulus::LineFree]);
    assert_eq!(out[1..], [batch(&[0, 1, 2])]);
}

#[test]
fn nothing_is_claimed_while_detached() {
    let (mut rig, head) = (Rig::attached(), code());
    rig.give([assign(vec![call(code(), true, vec![task(0), task(1)])])]);
    assert_eq!(rig.give([Stimulus::Broken, finished(0), Stimulus::RuntimeIdle]), []);
    let held = vec![(0, HeldState::Finished), (1, HeldState::Queued)];
    assert_eq!(rig.attach_again(1, vec![]), [hello(Some(1), held, Credit { total_tasks: 3, total_bytes: 1000 })]);
    let both = Reports { claimed: vec![attempt(1)], finished: vec![(attempt(0), ok().into())], ..Reports::default() };
    assert_eq!(rig.give([Stimulus::LineFree]), [reports(both), Instruction::Run(vec![run(1, &head, None)])]);
}

#[test]
fn what_a_welcome_drops_is_forgotten_and_its_outcome_with_it() {
    let mut rig = Rig::attached();
    rig.give([assign(vec![call(code(), true, vec![task(0), task(1), task(2)])])]);
    rig.give([Stimulus::LineFree, finished(0), Stimulus::RuntimeIdle]);
    rig.attach_again(2, vec![attempt(0), attempt(1), attempt(2)]);
    // Room for two more is a change worth a message of its own.
    let grown = reports(Reports { credit: Some(FULL), ..Reports::default() });
    assert_eq!(rig.give([Stimulus::LineFree]), [grown]);
    assert_eq!(rig.give([Stimulus::LineFree, finished(1), Stimulus::RuntimeIdle]), []);
    assert_eq!(rig.machine.status(), Status::default());
}

#[test]
fn credit_grows_as_tasks_are_got_rid_of() {
    let mut rig = Rig::attached();
    let big = AssignedTask { arguments: Payload { data: Bytes::from(vec![0; 300]), ..Payload::default() }, ..task(0) };
    rig.give([assign(vec![call(code(), true, vec![big, task(1)])])]);
    let retract = orders(Orders { retract: vec![attempt(1), attempt(0)], ..Orders::default() });
    let answers = Reports {
        retracted: vec![(attempt(1), true), (attempt(0), false)],
        credit: Some(Credit { total_tasks: 5, total_bytes: 1000 }),
        ..Reports::default()
    };
    assert_eq!(rig.give([Stimulus::LineFree, retract]), [reports(answers)]);
    let done = Reports {
        finished: vec![(attempt(0), ok().into())],
        credit: Some(Credit { total_tasks: 6, total_bytes: 1300 }),
        ..Reports::default()
    };
    assert_eq!(rig.give([Stimulus::LineFree, finished(0)]), [reports(done)]);
}

#[test]
fn a_task_larger_than_the_window_goes_alone() {
    let mut rig = Rig::attached();
    let big = || Payload { data: Bytes::from(vec![0; 2000]), ..Payload::default() };
    let big = |index| AssignedTask { arguments: big(), claimed: true, ..task(index) };
    let out = rig.give([assign(vec![call(code(), true, vec![big(0)])])]);
    assert!(matches!(out.last(), Some(Instruction::Run(_))));
    assert_eq!(rig.give([assign(vec![call(code(), true, vec![big(1)])])]), [Instruction::HangUp]);
}

#[test]
fn a_scheduler_that_overdraws_is_hung_up_on() {
    let mut rig = Rig::attached();
    let tasks = (0..5).map(task).collect();
    assert_eq!(rig.give([assign(vec![call(code(), true, tasks)])]), [Instruction::HangUp]);
}

#[test]
fn a_start_once_task_waits_for_yes_and_holds_up_its_own_queue_only() {
    let mut rig = Rig::attached();
    let once = head(Work::Execute { source: Bytes::new(), silent: true, filename: Bytes::new() }, true);
    let calls = vec![
        call(Arc::clone(&once), true, vec![task(0)]),
        call(code(), true, vec![task(1)]),
        call(code(), false, vec![task(2)]),
    ];
    let out = rig.give([assign(calls)]);
    assert_eq!(out, [claimed(&[0, 2]), Instruction::Run(vec![run(2, &code(), None)])]);
    let yes = orders(Orders { start: vec![attempt(0)], ..Orders::default() });
    rig.give([Stimulus::LineFree, finished(2), Stimulus::RuntimeIdle]);
    assert_eq!(rig.give([yes]), [Instruction::Run(vec![run(0, &once, None)])], "without the line: it was claimed");
}

#[test]
fn a_start_once_claim_is_said_again_on_a_new_stream() {
    let mut rig = Rig::attached();
    let once = head(Work::Execute { source: Bytes::new(), silent: true, filename: Bytes::new() }, true);
    assert_eq!(rig.give([assign(vec![call(once, true, vec![task(0)])])]), [claimed(&[0])]);
    let credit = Credit { total_tasks: 3, total_bytes: 1000 };
    assert_eq!(rig.attach_again(1, vec![]), [hello(Some(1), vec![(0, HeldState::Claimed)], credit)]);
    assert_eq!(rig.give([Stimulus::LineFree]), [claimed(&[0])]);
}

#[test]
fn cancelling_aborts_what_is_queued_and_interrupts_what_runs() {
    let mut rig = Rig::attached();
    rig.give([assign(vec![call(code(), true, vec![task(0), task(1)])])]);
    let cancel = |mode| orders(Orders { cancel: vec![(attempt(0), mode), (attempt(1), mode)], ..Orders::default() });
    let aborted = Outcome::failed(
        FailureKind::Aborted,
        "TaskAborted",
        "the task was aborted before it started".to_owned(),
        Some(EngineId(3)),
    );
    let report = Reports { finished: vec![(attempt(1), aborted.into())], credit: tasks(5), ..Reports::default() };
    assert_eq!(rig.give([Stimulus::LineFree, cancel(CancelMode::Abort)]), [reports(report)]);
    assert_eq!(
        rig.give([cancel(CancelMode::Interrupt { kill_after: None })]),
        [Instruction::Interrupt { attempt: attempt(0) }]
    );
}

fn interrupted() -> Outcome {
    let outcome = Outcome::failed(FailureKind::Cancelled, "KeyboardInterrupt", String::new(), Some(EngineId(3)));
    Outcome { started_unix_nanos: 1, ..outcome }
}

#[test]
fn a_task_that_ran_for_as_long_as_it_may_is_interrupted_and_says_so() {
    let mut rig = Rig::attached();
    let limited = Arc::new(CallHead { run_timeout: Some(Duration::from_secs(2)), ..(*code()).clone() });
    rig.give([assign(vec![call(limited, true, vec![task(0)])])]);
    let due = rig.now + Duration::from_secs(2);
    assert_eq!(rig.machine.next_timeout(), Some(due));
    rig.now = due;
    assert_eq!(rig.give([Stimulus::Tick]), [Instruction::Interrupt { attempt: attempt(0) }]);
    assert_eq!(rig.give([Stimulus::Tick]), [], "once");
    rig.give([Stimulus::Finished { attempt: attempt(0), outcome: interrupted() }]);
    let out = rig.give([Stimulus::LineFree, Stimulus::RuntimeIdle]);
    let [Instruction::Send(ToScheduler::Reports(sent))] = &out[..] else { panic!("{out:?}") };
    let failure = sent.finished[0].1.value.as_ref().unwrap_err();
    assert_eq!((failure.kind, &failure.type_name[..]), (FailureKind::RunTimeout, &b"TaskTimeout"[..]));
}

#[test]
fn a_task_that_does_not_stop_is_given_up_with_its_engine() {
    let mut rig = Rig::attached();
    rig.give([assign(vec![call(code(), true, vec![task(0)])])]);
    let mode = CancelMode::Interrupt { kill_after: Some(Duration::from_secs(1)) };
    let cancel = orders(Orders { cancel: vec![(attempt(0), mode)], ..Orders::default() });
    assert_eq!(rig.give([Stimulus::LineFree, cancel]), [Instruction::Interrupt { attempt: attempt(0) }]);
    rig.now = rig.now + Duration::from_secs(1);
    let out = rig.give([Stimulus::Tick]);
    let [Instruction::Send(ToScheduler::Reports(sent))] = &out[..] else { panic!("{out:?}") };
    let failure = sent.finished[0].1.value.as_ref().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Cancelled);
    assert!(String::from_utf8_lossy(&failure.message).contains("did not stop within 1s of its cancel"));
    let acked = orders(Orders { acked: vec![attempt(0)], ..Orders::default() });
    assert_eq!(rig.give([acked]), [Instruction::Exit { reason: ExitReason::Killed }]);
}

#[test]
fn a_task_that_stops_in_time_costs_nobody_an_engine() {
    let mut rig = Rig::attached();
    rig.give([assign(vec![call(code(), true, vec![task(0)])])]);
    let mode = CancelMode::Interrupt { kill_after: Some(Duration::from_secs(1)) };
    rig.give([orders(Orders { cancel: vec![(attempt(0), mode)], ..Orders::default() })]);
    rig.give([Stimulus::Finished { attempt: attempt(0), outcome: interrupted() }, Stimulus::RuntimeIdle]);
    rig.now = rig.now + Duration::from_secs(2);
    assert!(!rig.give([Stimulus::Tick]).iter().any(|done| matches!(done, Instruction::Exit { .. })));
}

#[test]
fn what_does_not_fit_beside_output_goes_in_a_message_of_its_own() {
    let mut rig = Rig::attached();
    rig.machine.config.message_bytes = 1000;
    rig.give([assign(vec![call(code(), true, vec![task(0)])])]);
    rig.machine.outbox = outbox::Outbox::new(10_000);
    let data = Bytes::from(vec![b'x'; 500]);
    let output = Output { kind: OutputKind::Stdout, offset: 0, data, dropped: 0 };
    let output = Stimulus::Output { attempt: attempt(0), output };
    let value = Ok(Payload { data: Bytes::from(vec![0; 600]), ..Payload::default() });
    let outcome = Outcome { value, ..interrupted() };
    rig.give([output, Stimulus::Finished { attempt: attempt(0), outcome }, Stimulus::RuntimeIdle]);
    let sizes = |out: &[Instruction]| match out {
        [Instruction::Send(ToScheduler::Reports(sent))] => (sent.output.len(), sent.finished.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(sizes(&rig.give([Stimulus::LineFree])), (1, 0));
    assert_eq!(sizes(&rig.give([Stimulus::LineFree])), (0, 1));
}

#[test]
fn a_missing_function_is_asked_for_once_and_used_when_it_comes() {
    let mut rig = Rig::attached();
    let with = |n| head(Work::Function(digest(n)), false);
    let need = reports(Reports { need_functions: vec![digest(1)], ..Reports::default() });
    assert_eq!(rig.give([assign(vec![call(with(1), true, vec![task(0), task(1)])])]), [need]);
    let come = orders(Orders { functions: vec![function(1)], ..Orders::default() });
    let out = rig.give([Stimulus::LineFree, come]);
    assert_eq!(out, [claimed(&[0]), Instruction::Run(vec![run(0, &with(1), Some(function(1)))])]);
}

#[test]
fn functions_over_the_cap_are_evicted_oldest_first() {
    let mut functions = functions::Functions::new(20);
    for n in [1, 2] {
        functions.insert(function(n));
    }
    functions.get(digest(1));
    functions.insert(function(3));
    assert_eq!(functions.evict(), 1);
    assert_eq!([1, 2, 3].map(|n| functions.get(digest(n)).is_some()), [true, false, true]);
}

#[test]
fn output_goes_before_its_outcome_and_again_on_a_new_stream_until_acknowledged() {
    let mut rig = Rig::attached();
    rig.give([assign(vec![call(code(), true, vec![task(0)])])]);
    let write = |offset, data| Stimulus::Output { attempt: attempt(0), output: written(offset, data) };
    assert_eq!(rig.give([write(0, "ab"), finished(0), Stimulus::RuntimeIdle]), []);
    let both = |credit| {
        let output = vec![(attempt(0), written(0, "ab"))];
        reports(Reports { output, finished: vec![(attempt(0), ok().into())], credit, ..Reports::default() })
    };
    assert_eq!(rig.give([Stimulus::LineFree]), [both(tasks(5))]);
    rig.attach_again(1, vec![]);
    assert_eq!(rig.give([Stimulus::LineFree]), [both(None)]);
    rig.give([orders(Orders { acked: vec![attempt(0)], ..Orders::default() })]);
    assert_eq!(rig.machine.status().output_bytes, 0);
}

#[test]
fn output_that_finds_no_room_is_counted_and_announced() {
    let mut outbox = outbox::Outbox::new(130);
    let tasks = Default::default();
    assert!(outbox.push_output(attempt(0), written(0, "a")));
    assert!(outbox.push_output(attempt(0), written(1, "b")));
    assert!(!outbox.push_output(attempt(0), written(2, "cd")), "full, and nothing was sent");
    assert_eq!(outbox.take(&tasks, 1000).output.len(), 2);
    assert!(outbox.push_output(attempt(0), written(4, "e")), "what was sent makes room");
    let after = Output { dropped: 2, ..written(4, "e") };
    assert_eq!(outbox.take(&tasks, 1000).output, [(attempt(0), after)]);
    outbox.push_output(attempt(0), written(5, "f"));
    outbox.push_output(attempt(0), written(6, "g"));
    outbox.push_output(attempt(0), written(7, "hi"));
    outbox.end_output(attempt(0));
    let end = Output { dropped: 2, ..written(9, "") };
    assert_eq!(outbox.take(&tasks, 1000).output.last(), Some(&(attempt(0), end)));
}

#[test]
fn a_flood_of_output_is_cut_and_holds_no_outcome_up() {
    let mut rig = Rig::attached();
    rig.machine.config.message_bytes = 100;
    rig.give([assign(vec![call(code(), true, vec![task(0), task(1)])])]);
    let write = |index, data| Stimulus::Output { attempt: attempt(index), output: written(0, data) };
    rig.give([write(0, "first"), finished(0), Stimulus::RuntimeIdle]);
    rig.give([Stimulus::LineFree]);
    rig.give([write(1, "second"), write(1, "third")]);
    let out = rig.give([Stimulus::LineFree]);
    let [Instruction::Send(ToScheduler::Reports(sent))] = &out[..] else { panic!("{out:?}") };
    assert_eq!((sent.finished[0].0, sent.output.len()), (attempt(0), 0));
    for data in ["second", "third"] {
        let expected = Reports { output: vec![(attempt(1), written(0, data))], ..Reports::default() };
        assert_eq!(rig.give([Stimulus::LineFree]), [reports(expected)]);
    }
}

#[test]
fn silence_is_broken_by_heartbeats_and_ends_after_a_lease() {
    let mut rig = Rig::attached();
    assert_eq!(rig.machine.next_timeout(), Some(Time(0) + LEASE / 3));
    rig.now = Time(0) + LEASE / 3;
    assert_eq!(rig.give([Stimulus::Tick]), [Instruction::Send(ToScheduler::Heartbeat)]);
    assert_eq!(rig.machine.next_timeout(), Some(Time(0) + LEASE));
    rig.now = Time(0) + LEASE;
    assert_eq!(rig.give([Stimulus::Tick]), [Instruction::HangUp]);
    let again = rig.machine.next_timeout().unwrap();
    assert!(again > rig.now && again <= rig.now + Duration::from_millis(50));
}

#[test]
fn an_engine_without_a_scheduler_leaves_in_the_end() {
    let mut rig = Rig::attached();
    rig.give([Stimulus::Broken]);
    rig.now = millis(600_000);
    assert_eq!(rig.give([Stimulus::Tick]), [Instruction::Exit { reason: ExitReason::Orphaned }]);
    assert_eq!(rig.give([Stimulus::Connected]), []);
    assert_eq!(rig.machine.next_timeout(), None);
}

#[test]
fn draining_gives_back_finishes_and_leaves() {
    let mut rig = Rig::attached();
    rig.give([assign(vec![call(code(), true, vec![task(0), task(1)])])]);
    let report = Reports {
        retracted: vec![(attempt(1), true)],
        credit: Some(Credit { total_tasks: 5, total_bytes: 1000 }),
        draining: true,
        ..Reports::default()
    };
    assert_eq!(rig.give([Stimulus::LineFree, Stimulus::Drain]), [reports(report)]);
    assert_eq!(rig.give([Stimulus::LineFree, finished(0), Stimulus::RuntimeIdle]), [finished_report(0, 6)]);
    let late = assign(vec![call(code(), true, vec![task(2)])]);
    let back = Reports { retracted: vec![(attempt(2), true)], credit: tasks(7), ..Reports::default() };
    assert_eq!(rig.give([Stimulus::LineFree, late]), [reports(back)]);
    let acked = orders(Orders { acked: vec![attempt(0)], ..Orders::default() });
    assert_eq!(rig.give([acked]), [Instruction::Exit { reason: ExitReason::Drained }]);
}

#[test]
fn an_engine_that_was_removed_leaves_at_once() {
    let mut rig = Rig::attached();
    let exit = orders(Orders { exit: true, ..Orders::default() });
    assert_eq!(rig.give([exit]), [Instruction::Exit { reason: ExitReason::Ordered }]);
}

#[test]
fn a_dial_and_a_hello_without_answer_are_given_up() {
    let mut rig = Rig::new();
    rig.give([Stimulus::Registered { info: info() }]);
    rig.now = millis(10_000);
    assert_eq!(rig.give([Stimulus::Tick]), [Instruction::HangUp]);
    rig.now = millis(10_050);
    assert_eq!(rig.give([Stimulus::Tick]), [Instruction::Dial]);
    rig.give([Stimulus::Connected]);
    assert_eq!(rig.give([Stimulus::Received(ToEngine::Heartbeat)]), [Instruction::HangUp], "not a welcome");
}

#[test]
fn arguments_that_are_refused_while_it_is_not_attached_are_fetched_again() {
    let mut rig = Rig::attached();
    let blob = BlobRef { id: BlobId(9), size: 100_000, kept: true };
    let arguments = Payload { data_blob: Some(blob), ..Payload::default() };
    let head = code();
    let given = AssignedTask { arguments: arguments.clone(), ..task(0) };
    let fetch = Instruction::Fetch { attempt: attempt(0), arguments };
    assert_eq!(rig.give([assign(vec![call(Arc::clone(&head), true, vec![given])])]), std::slice::from_ref(&fetch));
    let outcome = Outcome::failed(FailureKind::Refused, "ArgumentsLost", String::new(), None);
    rig.give([Stimulus::Broken, Stimulus::NotFetched { attempt: attempt(0), outcome }]);
    rig.now = rig.now + Duration::from_millis(50);
    rig.give([Stimulus::Tick]);
    rig.give([Stimulus::Connected]);
    assert_eq!(rig.give([welcome(2, vec![])]), [fetch], "that scheduler was asked, and not this one");
}

#[test]
fn what_a_task_left_between_a_hello_and_the_welcome_that_drops_it_goes_with_it() {
    let mut rig = Rig::attached();
    let head = code();
    rig.give([assign(vec![call(Arc::clone(&head), true, vec![task(0)])])]);
    rig.give([Stimulus::Broken]);
    rig.now = rig.now + Duration::from_millis(50);
    rig.give([Stimulus::Tick]);
    rig.give([Stimulus::Connected]);
    let blob = BlobId(9);
    let data_blob = Some(BlobRef { id: blob, size: 100_000, kept: true });
    let outcome = Outcome { value: Ok(Payload { data_blob, ..Payload::default() }), ..ok() };
    rig.give([Stimulus::Finished { attempt: attempt(0), outcome }]);
    assert_eq!(rig.give([welcome(1, vec![attempt(0)])]), [Instruction::DropBlob { blob }]);
}
