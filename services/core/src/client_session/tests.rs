//! Calls and stimuli in, exactly these instructions out.

mod hostile;

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::{
    call::{Call, CallHead, Placement, Work},
    id::{Digest, EngineId, Epoch, Incarnation},
    outcome::{FailureKind, Outcome, Output, OutputKind},
    payload::{BlobRef, Function, Payload},
    session_link::{CloseReason, EngineInfo, EventKind, Hello, KnownClaim, ResumePoint, SubmitCredit, Update, Welcome},
    time::Time,
};

const PLENTY: SubmitCredit = SubmitCredit { total_tasks: 100, total_bytes: 10_000 };

struct Rig {
    machine: ClientSession,
    now: Time,
}

fn config() -> Config {
    Config { call_tasks: 2, ..Config::new(SessionId(5)) }
}

fn function() -> Arc<Function> {
    Arc::new(Function { digest: Digest([1; 32]), payload: Payload::default(), name: Bytes::new() })
}

fn argument() -> Payload {
    Payload { data: Bytes::from_static(b"0123456789"), ..Payload::default() }
}

fn head(placement: Placement) -> Arc<CallHead> {
    Arc::new(CallHead::new(Work::Function(Digest([1; 32])), placement))
}

fn anywhere() -> Arc<CallHead> {
    head(Placement::Balanced { engines: vec![], labels: vec![], retries: 0, queue_timeout: None })
}

fn call(first_index: u64, tasks: usize) -> Call {
    Call { first_index, head: anywhere(), arguments: vec![argument(); tasks] }
}

fn engine(id: u32) -> Arc<EngineInfo> {
    Arc::new(EngineInfo { id: EngineId(id), incarnation: Incarnation(1), peer: Bytes::new(), labels: vec![] })
}

fn welcome(epoch: u64, accepted_up_to: u64, replay: bool) -> Stimulus {
    Stimulus::Received(ToClient::Welcome(Welcome {
        epoch: Epoch(epoch),
        accepted_up_to,
        replay,
        engines: vec![],
        credit: PLENTY,
        session_grace: Duration::from_secs(3600),
    }))
}

fn update(update: Update) -> Stimulus {
    Stimulus::Received(ToClient::Update(update))
}

fn events(events: Vec<Event>) -> Stimulus {
    update(Update { events, ..Update::default() })
}

fn finished(sequence: u64, index: u64) -> Event {
    let mut outcome = Outcome::failed(FailureKind::Exception, "", String::new(), None);
    outcome.value = Ok(Payload::default());
    let kind =
        EventKind::Finished { index, attempt: 1, engine: None, accepted_unix_nanos: 1, outcome: Arc::new(outcome) };
    Event { sequence, kind }
}

fn claimed(sequence: u64, index: u64) -> Event {
    Event { sequence, kind: EventKind::Claimed(claim(index)) }
}

fn claim(index: u64) -> KnownClaim {
    KnownClaim { index, attempt: 1, engine: EngineId(1), incarnation: Incarnation(1) }
}

fn submit(calls: Vec<Call>, with_function: bool, ack: Option<u64>) -> Instruction {
    let functions = if with_function { vec![function()] } else { vec![] };
    Instruction::Send(ToScheduler::Submit { calls, functions, ack })
}

/// The hello of the first stream, or of the second, which resumes.
fn hello(resume: Option<(u64, u64, u64)>) -> Instruction {
    Instruction::Send(ToScheduler::Hello(Hello {
        session: SessionId(5),
        resume: resume.map(|(epoch, sequence, next_index)| ResumePoint { epoch: Epoch(epoch), sequence, next_index }),
        cancel_on_disconnect: false,
        label: Bytes::new(),
        stream: if resume.is_some() { 2 } else { 1 },
    }))
}

impl Rig {
    fn new() -> Self {
        Self { machine: ClientSession::new(config(), Time(0)), now: Time(0) }
    }

    fn attached() -> Self {
        let mut rig = Self::new();
        assert_eq!(rig.give([]), [Instruction::Dial]);
        assert_eq!(rig.give([Stimulus::Connected]), [hello(None)]);
        assert_eq!(rig.give([welcome(1, 0, false), Stimulus::LineFree]), []);
        rig
    }

    fn balanced(&mut self, tasks: usize) -> std::ops::Range<u64> {
        self.machine.submit(anywhere(), vec![argument(); tasks], Some(function())).unwrap()
    }

    fn give<const N: usize>(&mut self, stimuli: [Stimulus; N]) -> Vec<Instruction> {
        for stimulus in stimuli {
            self.machine.handle(self.now, stimulus);
        }
        let mut out = Vec::new();
        self.machine.flush(self.now, &mut out);
        out
    }

    fn dial_again(&mut self) -> Vec<Instruction> {
        self.give([Stimulus::Broken]);
        self.now = self.now + Duration::from_millis(50);
        assert_eq!(self.give([Stimulus::Tick]), [Instruction::Dial]);
        self.give([Stimulus::Connected])
    }
}

#[test]
fn a_call_goes_with_its_function_once_and_the_next_carries_the_ack() {
    let mut rig = Rig::attached();
    assert_eq!(rig.balanced(1), 0..1);
    assert_eq!(rig.give([]), [submit(vec![call(0, 1)], true, None)]);
    let result = finished(1, 0);
    assert_eq!(rig.give([events(vec![result.clone()])]), [Instruction::Deliver(vec![result])]);
    assert_eq!(rig.balanced(1), 1..2);
    assert_eq!(rig.give([Stimulus::LineFree]), [submit(vec![call(1, 1)], false, Some(1))]);
}

#[test]
fn an_ack_goes_alone_after_its_delay() {
    let mut rig = Rig::attached();
    rig.balanced(1);
    rig.give([]);
    rig.give([Stimulus::LineFree, events(vec![finished(1, 0)])]);
    assert_eq!(rig.machine.next_timeout(), Some(Time(0) + Duration::from_millis(50)));
    rig.now = Time(0) + Duration::from_millis(50);
    assert_eq!(rig.give([Stimulus::Tick]), [Instruction::Send(ToScheduler::Ack { sequence: 1 })]);
    assert_eq!(rig.machine.status(), Status { next_index: 1, ..Status::default() });
}

#[test]
fn a_large_map_is_cut_into_calls_and_what_waits_for_the_line_goes_together() {
    let mut rig = Rig::attached();
    assert_eq!(rig.balanced(5), 0..5);
    assert_eq!(rig.give([]), [submit(vec![call(0, 2), call(2, 2), call(4, 1)], true, None)]);
}

#[test]
fn credit_holds_calls_back_until_it_grows() {
    let mut rig = Rig::attached();
    let credit = |tasks, bytes| {
        let credit = Some(SubmitCredit { total_tasks: tasks, total_bytes: bytes });
        update(Update { credit, ..Update::default() })
    };
    rig.give([credit(2, 10_000)]);
    rig.balanced(4);
    assert_eq!(rig.give([]), [submit(vec![call(0, 2)], true, None)]);
    assert_eq!(rig.give([Stimulus::LineFree, credit(4, 39)]), [], "one byte short");
    assert_eq!(rig.give([credit(4, 40)]), [submit(vec![call(2, 2)], false, None)]);
}

#[test]
fn in_the_same_epoch_what_was_not_accepted_goes_again_and_is_not_counted_twice() {
    let mut rig = Rig::attached();
    rig.balanced(4);
    rig.give([]);
    assert_eq!(rig.dial_again(), [hello(Some((1, 0, 4)))]);
    let Stimulus::Received(ToClient::Welcome(mut again)) = welcome(1, 2, false) else { unreachable!() };
    again.credit.total_tasks = 4;
    let out = rig.give([Stimulus::Received(ToClient::Welcome(again)), Stimulus::LineFree]);
    assert_eq!(out, [submit(vec![call(2, 2)], false, None)]);
}

#[test]
fn events_come_once_and_a_gap_is_resumed() {
    let mut rig = Rig::attached();
    rig.balanced(4);
    rig.give([]);
    let (first, second) = (finished(1, 0), finished(2, 1));
    let out = rig.give([events(vec![first.clone()]), events(vec![first.clone(), second.clone()])]);
    assert_eq!(out, [Instruction::Deliver(vec![first, second])]);
    assert_eq!(rig.give([events(vec![finished(4, 3)])]), [Instruction::HangUp]);
}

#[test]
fn a_new_epoch_gets_a_replay_of_what_is_open_then_what_is_new() {
    let mut rig = Rig::attached();
    rig.balanced(6);
    rig.give([]);
    rig.give([events(vec![finished(1, 0), finished(2, 1), claimed(3, 2), claimed(4, 3), finished(5, 2)])]);
    assert_eq!(rig.dial_again(), [hello(Some((1, 5, 6)))]);
    rig.balanced(1);
    let out = rig.give([welcome(2, 0, true), Stimulus::LineFree]);
    let mut half = call(2, 2);
    half.arguments[0] = Payload::default();
    let replay = ToScheduler::Replay {
        calls: vec![half, call(4, 2)],
        functions: vec![function()],
        finished: vec![2],
        claims: vec![claim(3)],
        complete: true,
    };
    assert_eq!(out, [Instruction::Send(replay)]);
    assert_eq!(rig.give([Stimulus::LineFree]), [submit(vec![call(6, 1)], false, None)]);
    let again = finished(1, 2);
    let new = finished(2, 3);
    assert_eq!(rig.give([events(vec![again, new.clone()])]), [Instruction::Deliver(vec![new])], "2 had its result");
}

#[test]
fn a_replay_is_said_to_be_complete_even_when_empty_and_is_cut_when_large() {
    let mut rig = Rig::attached();
    rig.dial_again();
    let empty =
        |complete| ToScheduler::Replay { calls: vec![], functions: vec![], finished: vec![], claims: vec![], complete };
    assert_eq!(rig.give([welcome(2, 0, true), Stimulus::LineFree]), [Instruction::Send(empty(true))]);

    let mut rig = Rig::attached();
    rig.machine.config.message_bytes = 1;
    rig.balanced(4);
    rig.give([]);
    rig.give([Stimulus::LineFree]);
    rig.balanced(1);
    assert_eq!(rig.dial_again(), [hello(Some((1, 0, 4)))], "the last call was never sent");
    let replay = |first, complete| ToScheduler::Replay {
        calls: vec![call(first, 2)],
        functions: if first == 0 { vec![function()] } else { vec![] },
        finished: vec![],
        claims: vec![],
        complete,
    };
    assert_eq!(rig.give([welcome(2, 0, true), Stimulus::LineFree]), [Instruction::Send(replay(0, false))]);
    assert_eq!(rig.give([Stimulus::LineFree]), [Instruction::Send(replay(2, true))]);
}

#[test]
fn a_replay_is_complete_once_cancels_are_said() {
    let mut rig = Rig::attached();
    rig.balanced(2);
    rig.give([]);
    rig.give([Stimulus::LineFree, Stimulus::Cancel { indexes: vec![1], mode: CancelMode::Abort }]);
    rig.dial_again();
    let (finished, claims) = (vec![], vec![]);
    let replay =
        ToScheduler::Replay { calls: vec![call(0, 2)], functions: vec![function()], finished, claims, complete: false };
    assert_eq!(rig.give([welcome(2, 0, true), Stimulus::LineFree]), [Instruction::Send(replay)]);
    let cancel = ToScheduler::Cancel { indexes: vec![1], mode: CancelMode::Abort };
    assert_eq!(rig.give([Stimulus::LineFree]), [Instruction::Send(cancel)]);
    let (calls, functions, finished, claims) = (vec![], vec![], vec![], vec![]);
    let over = ToScheduler::Replay { calls, functions, finished, claims, complete: true };
    assert_eq!(rig.give([Stimulus::LineFree]), [Instruction::Send(over)]);
}

#[test]
fn who_lets_go_of_a_task_that_is_to_be_killed_has_it_killed() {
    let mut rig = Rig::attached();
    rig.balanced(2);
    rig.give([]);
    let cancel = |mode| Stimulus::Cancel { indexes: vec![1], mode };
    let kill = |seconds| CancelMode::Interrupt { kill_after: Some(Duration::from_secs(seconds)) };
    let weaker = [CancelMode::Interrupt { kill_after: None }, CancelMode::Abort, kill(5)];
    rig.give([cancel(CancelMode::Abort), cancel(kill(3))]);
    rig.give(weaker.map(cancel));
    let said = |mode| Instruction::Send(ToScheduler::Cancel { indexes: vec![1], mode });
    assert_eq!(rig.give([Stimulus::LineFree]), [said(kill(3))]);
    assert_eq!(rig.give([Stimulus::LineFree, cancel(kill(5))]), []);
    assert_eq!(rig.give([cancel(kill(1))]), [said(kill(1))]);
}

#[test]
fn cancels_follow_their_submit_and_are_said_again() {
    let mut rig = Rig::attached();
    rig.balanced(2);
    let cancel = Stimulus::Cancel { indexes: vec![1, 9], mode: CancelMode::Interrupt { kill_after: None } };
    assert_eq!(rig.give([cancel]), [submit(vec![call(0, 2)], true, None)]);
    let said =
        Instruction::Send(ToScheduler::Cancel { indexes: vec![1], mode: CancelMode::Interrupt { kill_after: None } });
    assert_eq!(rig.give([Stimulus::LineFree]), std::slice::from_ref(&said));
    rig.dial_again();
    assert_eq!(rig.give([welcome(1, 2, false), Stimulus::LineFree]), [said]);
    rig.give([events(vec![finished(1, 1)])]);
    rig.dial_again();
    assert_eq!(rig.give([welcome(1, 2, false), Stimulus::LineFree]), [], "it is over");
}

#[test]
fn a_function_that_the_scheduler_lacks_is_sent_while_a_call_needs_it() {
    let mut rig = Rig::attached();
    rig.balanced(1);
    rig.give([]);
    let need = || update(Update { need_functions: vec![Digest([1; 32])], ..Update::default() });
    assert_eq!(rig.give([Stimulus::LineFree, need()]), [submit(vec![], true, None)]);
    rig.give([Stimulus::LineFree, events(vec![finished(1, 0)])]);
    assert_eq!(rig.give([need()]), []);
}

#[test]
fn a_welcome_stands_in_for_what_was_said_of_engines() {
    let mut rig = Rig::attached();
    let joined = |id| Event { sequence: 0, kind: EventKind::EngineJoined(engine(id)) };
    assert_eq!(
        rig.give([events(vec![joined(1), joined(2), joined(2)])]),
        [Instruction::Deliver(vec![joined(1), joined(2)])]
    );
    rig.dial_again();
    let Stimulus::Received(ToClient::Welcome(mut again)) = welcome(1, 0, false) else { unreachable!() };
    again.engines = vec![engine(2), engine(3)];
    let reason = "it is not attached after the connection was renewed";
    let left = Event { sequence: 0, kind: EventKind::EngineLeft { engine: EngineId(1), reason: reason.into() } };
    let out = rig.give([Stimulus::Received(ToClient::Welcome(again))]);
    assert_eq!(out, [Instruction::Deliver(vec![left, joined(3)])]);
    assert_eq!(rig.machine.engines().keys().copied().collect::<Vec<_>>(), [EngineId(2), EngineId(3)]);
}

#[test]
fn a_second_result_is_dropped_and_its_blobs_released() {
    let mut rig = Rig::attached();
    rig.balanced(1);
    rig.give([]);
    let mut second = finished(2, 0);
    let EventKind::Finished { outcome, .. } = &mut second.kind else { unreachable!() };
    let blob = BlobRef { id: BlobId(8), size: 1, kept: false };
    Arc::make_mut(outcome).value = Ok(Payload { data_blob: Some(blob), ..Payload::default() });
    let out = rig.give([Stimulus::LineFree, events(vec![finished(1, 0), second])]);
    let release = Instruction::Send(ToScheduler::Release { blobs: vec![BlobId(8)] });
    assert_eq!(out, [Instruction::Deliver(vec![finished(1, 0)]), release]);
}

#[test]
fn output_of_a_task_that_is_over_is_dropped() {
    let mut rig = Rig::attached();
    rig.balanced(2);
    rig.give([]);
    let wrote = |sequence, index| {
        let output = Output { kind: OutputKind::Stdout, offset: 0, data: Bytes::from_static(b"a"), dropped: 0 };
        Event { sequence, kind: EventKind::Output { index, attempt: 1, engine: EngineId(1), output } }
    };
    let out = rig.give([events(vec![wrote(1, 0), wrote(2, 0), finished(3, 1), wrote(4, 1)])]);
    assert_eq!(out, [Instruction::Deliver(vec![wrote(1, 0), finished(3, 1)])]);
}

#[test]
fn closing_says_so_and_ends_with_the_answer_or_the_stream() {
    for answer in [
        Stimulus::Broken,
        Stimulus::Received(ToClient::Closed { reason: CloseReason::Closed, message: String::new(), expected_index: 0 }),
    ] {
        let mut rig = Rig::attached();
        rig.balanced(1);
        assert_eq!(rig.give([Stimulus::Close]), [Instruction::Send(ToScheduler::Close)]);
        assert_eq!(rig.machine.submit(anywhere(), vec![argument()], Some(function())), Err(SubmitError::Closed));
        let out = rig.give([answer]);
        assert_eq!(out.last(), Some(&Instruction::Ended { reason: EndReason::Closed }));
        assert_eq!(rig.give([Stimulus::Tick]), []);
    }
    let mut rig = Rig::new();
    assert_eq!(
        rig.give([Stimulus::Close]),
        [Instruction::Ended { reason: EndReason::Closed }],
        "no stream to say it on"
    );
}

#[test]
fn the_scheduler_can_end_the_session_or_only_the_stream() {
    let told =
        |reason| Stimulus::Received(ToClient::Closed { reason, message: "limit x".to_owned(), expected_index: 0 });
    let limit = EndReason::Limit("limit x".to_owned());
    let out = Rig::attached().give([told(CloseReason::Limit)]);
    assert_eq!(out, [Instruction::HangUp, Instruction::Ended { reason: limit }]);
    let mut rig = Rig::attached();
    assert_eq!(rig.give([told(CloseReason::Shutdown)]), [Instruction::HangUp]);
    rig.now = Time(0) + Duration::from_millis(50);
    assert_eq!(rig.give([Stimulus::Tick]), [Instruction::Dial]);
}

#[test]
fn a_call_that_cannot_be_is_refused_and_takes_no_index() {
    let mut rig = Rig::attached();
    let refused = rig.machine.submit(anywhere(), vec![], Some(function()));
    assert!(matches!(refused, Err(SubmitError::Refused(_))));
    let missing = rig.machine.submit(anywhere(), vec![argument()], None);
    assert_eq!(missing, Err(SubmitError::FunctionMissing(Digest([1; 32]))));
    assert_eq!(rig.balanced(1), 0..1);
}
