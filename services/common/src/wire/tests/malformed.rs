//! Each rule, broken: the error names the field and says what is wrong with it.

use bytes::Bytes;
use paraply_proto::{
    common::v1::{self as common, outcome::Outcome as WireOutcome},
    scheduler::v1::{self as proto, attach_engine_request, attach_engine_response, open_session_request},
};
use proptest::prelude::*;
use prost::Message as _;

use crate::wire::{engine_link, session_link};

fn session_error(message: open_session_request::Message) -> String {
    let request = proto::OpenSessionRequest { message: Some(message) };
    session_link::decode_request(request).unwrap_err().to_string()
}

fn report_error(reports: proto::EngineReports) -> String {
    let message = Some(attach_engine_request::Message::Reports(reports));
    engine_link::decode_request(proto::AttachEngineRequest { message }).unwrap_err().to_string()
}

fn call() -> proto::Call {
    proto::Call {
        work: Some(proto::call::Work::FunctionDigest(vec![1; 32].into())),
        placement: Some(proto::call::Placement::Direct(proto::DirectPlacement { engine_ids: vec![0] })),
        ..proto::Call::default()
    }
}

fn submit_error(call: proto::Call) -> String {
    let calls = vec![self::call(), call];
    session_error(open_session_request::Message::Submit(proto::Submit { calls, ..proto::Submit::default() }))
}

fn argument_error(argument: common::Payload) -> String {
    submit_error(proto::Call { arguments: vec![argument], ..call() })
}

fn function_error(function: common::Function) -> String {
    let functions = vec![function];
    session_error(open_session_request::Message::Submit(proto::Submit { functions, ..proto::Submit::default() }))
}

fn attempt(attempt: u32, session_id: &'static [u8]) -> common::AttemptId {
    let task_id = common::TaskId { session_id: session_id.into(), index: 0 };
    common::AttemptId { task_id: Some(task_id), attempt }
}

fn pickle() -> common::Payload {
    common::Payload { encoding: 1, ..common::Payload::default() }
}

#[test]
fn empty_messages() {
    let error = session_link::decode_request(proto::OpenSessionRequest { message: None }).unwrap_err();
    assert_eq!(error.to_string(), "message: must be set");
    let error = engine_link::decode_request(proto::AttachEngineRequest { message: None }).unwrap_err();
    assert_eq!(error.to_string(), "message: must be set");
}

#[test]
fn ids_of_the_wrong_size() {
    let hello = proto::SessionHello { session_id: Bytes::from_static(b"short"), ..proto::SessionHello::default() };
    assert_eq!(
        session_error(open_session_request::Message::Hello(hello)),
        "hello.session_id: must be 16 bytes, and is 5"
    );
    let work = Some(proto::call::Work::FunctionDigest(vec![1; 31].into()));
    assert_eq!(
        submit_error(proto::Call { work, ..call() }),
        "submit.calls[1].function_digest: must be 32 bytes, and is 31"
    );
    let release = proto::ReleaseBlobs { blob_ids: vec![vec![0; 16].into(), Bytes::new()] };
    assert_eq!(
        session_error(open_session_request::Message::Release(release)),
        "release.blob_ids[1]: must be 16 bytes, and is 0"
    );
    let claimed = vec![attempt(1, b"short")];
    assert_eq!(
        report_error(proto::EngineReports { claimed, ..proto::EngineReports::default() }),
        "reports.claimed[0].attempt_id.task_id.session_id: must be 16 bytes, and is 5"
    );
}

#[test]
fn absent_choices() {
    assert_eq!(submit_error(proto::Call { work: None, ..call() }), "submit.calls[1].work: must be set");
    assert_eq!(submit_error(proto::Call { placement: None, ..call() }), "submit.calls[1].placement: must be set");
    let buffers = vec![common::Buffer { holder: None }];
    assert_eq!(
        argument_error(common::Payload { buffers, ..pickle() }),
        "submit.calls[1].arguments[0].buffers[0].holder: must be set"
    );
    let finished = vec![proto::AttemptFinished { attempt_id: Some(attempt(1, &[0; 16])), outcome: None }];
    assert_eq!(
        report_error(proto::EngineReports { finished, ..proto::EngineReports::default() }),
        "reports.finished[0].outcome: must be set"
    );
}

#[test]
fn unknown_values() {
    assert_eq!(
        argument_error(common::Payload { encoding: 99, ..pickle() }),
        "submit.calls[1].arguments[0].encoding: 99 is not a value of Encoding"
    );
    assert_eq!(
        argument_error(common::Payload { data: Bytes::from_static(b"x"), ..common::Payload::default() }),
        "submit.calls[1].arguments[0].encoding: 0 is not a value of Encoding"
    );
    let cancel = proto::CancelIndexes { indexes: vec![1], ..proto::CancelIndexes::default() };
    assert_eq!(
        session_error(open_session_request::Message::Cancel(cancel)),
        "cancel.mode: 0 is not a value of CancelMode"
    );
    let failure = common::Failure { kind: 42, ..common::Failure::default() };
    let outcome = common::Outcome { outcome: Some(WireOutcome::Failure(failure.into())), ..common::Outcome::default() };
    let finished = vec![proto::AttemptFinished { attempt_id: Some(attempt(1, &[0; 16])), outcome: Some(outcome) }];
    assert_eq!(
        report_error(proto::EngineReports { finished, ..proto::EngineReports::default() }),
        "reports.finished[0].outcome.failure.kind: 42 is not a value of FailureKind"
    );
}

#[test]
fn broken_rules() {
    let data_blob = Some(common::BlobRef { blob_id: vec![0; 16].into(), size_bytes: 9, kept: false });
    let both = common::Payload { data_blob, data: Bytes::from_static(b"x"), ..pickle() };
    assert_eq!(argument_error(both), "submit.calls[1].arguments[0].data: must be empty where data_blob is set");
    let claimed = vec![attempt(0, &[0; 16])];
    assert_eq!(
        report_error(proto::EngineReports { claimed, ..proto::EngineReports::default() }),
        "reports.claimed[0].attempt_id.attempt: attempts count from 1"
    );
    let claimed = vec![attempt(u32::MAX, &[0; 16])];
    assert_eq!(
        report_error(proto::EngineReports { claimed, ..proto::EngineReports::default() }),
        "reports.claimed[0].attempt_id.attempt: no task runs so often"
    );
    let resume = Some(proto::ResumePoint::default());
    let hello = proto::SessionHello { session_id: vec![0; 16].into(), resume, ..proto::SessionHello::default() };
    assert_eq!(
        session_error(open_session_request::Message::Hello(hello)),
        "hello.resume.epoch: 0 is no epoch: leave it out where there was no scheduler before"
    );
}

#[test]
fn functions_that_are_not_their_digest() {
    let function = |digest: [u8; 32], payload| common::Function {
        digest: Bytes::copy_from_slice(&digest),
        payload: Some(payload),
        name: String::new(),
    };
    assert_eq!(
        function_error(function([7; 32], pickle())),
        "submit.functions[0].digest: is not the SHA-256 of the function's data"
    );
    let buffers = vec![common::Buffer { holder: Some(common::buffer::Holder::Inline(Bytes::new())) }];
    assert_eq!(
        function_error(function([7; 32], common::Payload { buffers, ..pickle() })),
        "submit.functions[0].payload: a function is one run of bytes in `data`, which is what its digest covers"
    );
}

proptest! {
    #[test]
    fn no_bytes_at_all_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        if let Ok(request) = proto::OpenSessionRequest::decode(bytes.clone()) {
            let _ = session_link::decode_request(request);
        }
        if let Ok(request) = proto::AttachEngineRequest::decode(bytes.clone()) {
            let _ = engine_link::decode_request(request);
        }
        if let Ok(response) = proto::AttachEngineResponse::decode(bytes) {
            let _ = engine_link::decode_response(response);
        }
    }
}

#[test]
fn an_engine_is_given_no_attempt_that_it_could_not_speak_of() {
    let task = proto::AssignedTask { attempt: (1 << 31) + 1, ..proto::AssignedTask::default() };
    let assigned = proto::AssignedCall {
        work: Some(proto::assigned_call::Work::FunctionDigest(vec![1; 32].into())),
        session_id: vec![1; 16].into(),
        tasks: vec![task],
        ..proto::AssignedCall::default()
    };
    let orders = proto::EngineOrders { assigned: vec![assigned], ..proto::EngineOrders::default() };
    let message = Some(attach_engine_response::Message::Orders(orders));
    let error = engine_link::decode_response(proto::AttachEngineResponse { message }).unwrap_err().to_string();
    assert_eq!(error, "orders.assigned[0].tasks[0].attempt: no task runs so often");
}
