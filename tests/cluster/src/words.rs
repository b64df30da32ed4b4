//! Messages that tests are made of.

use bytes::Bytes;
use paraply_common::peer::this_process;
use paraply_proto::{
    common::v1::{AttemptId, Encoding, Function, Outcome, Payload, PeerInfo, TaskId, outcome::Outcome as Value},
    scheduler::v1::{
        BalancedPlacement, Call, CallOptions, DirectPlacement, Event, SessionHello, TaskFinished,
        call::{Placement, Work},
        event,
    },
};

/// What a function's bytes are here: no engine of these tests reads them.
const FUNCTION: &[u8] = b"operator:add";

/// The digest of those bytes (`printf operator:add | sha256sum`).
const DIGEST: [u8; 32] = [
    0x22, 0x68, 0x48, 0x77, 0xd8, 0x8d, 0x74, 0x60, 0xfd, 0x94, 0x67, 0x65, 0xb6, 0x39, 0x64, 0x10, 0x07, 0x1d, 0x24,
    0xbf, 0xba, 0xcc, 0x07, 0xf1, 0x85, 0xcb, 0xbd, 0xd6, 0xfc, 0xdd, 0xf7, 0xe0,
];

/// This process, as a peer.
#[must_use]
pub fn peer() -> PeerInfo {
    this_process("paraply-test")
}

/// A hello of a new session.
#[must_use]
pub fn session_hello() -> SessionHello {
    let id = [getrandom::u64().unwrap(), getrandom::u64().unwrap()].map(u64::to_be_bytes).concat();
    SessionHello { session_id: id.into(), peer: Some(peer()), ..SessionHello::default() }
}

/// A pickle of None, whatever it is read as.
#[must_use]
pub fn payload() -> Payload {
    Payload { encoding: Encoding::Pickle5.into(), data: Bytes::from_static(b"\x80\x05N."), ..Payload::default() }
}

/// The function that calls name.
#[must_use]
pub fn function() -> Function {
    let payload = Payload { encoding: Encoding::Text.into(), data: Bytes::from_static(FUNCTION), ..Payload::default() };
    Function { digest: Bytes::from_static(&DIGEST), payload: Some(payload), name: "add".to_owned() }
}

fn call(first_index: u64, placement: Placement, arguments: usize) -> Call {
    Call {
        first_index,
        work: Some(Work::FunctionDigest(Bytes::from_static(&DIGEST))),
        placement: Some(placement),
        options: Some(CallOptions::default()),
        arguments: vec![payload(); arguments],
    }
}

/// A call on one engine.
#[must_use]
pub fn direct(first_index: u64, engine: u32) -> Call {
    call(first_index, Placement::Direct(DirectPlacement { engine_ids: vec![engine] }), 1)
}

/// A call of so many balanced tasks.
#[must_use]
pub fn balanced(first_index: u64, tasks: usize, retries: u32) -> Call {
    call(first_index, Placement::Balanced(BalancedPlacement { retries, ..BalancedPlacement::default() }), tasks)
}

/// A result: None.
#[must_use]
pub fn none() -> Outcome {
    Outcome { outcome: Some(Value::Result(payload())), ..Outcome::default() }
}

/// One run of a task.
#[must_use]
pub fn attempt(session: &Bytes, index: u64, attempt: u32) -> AttemptId {
    AttemptId { task_id: Some(TaskId { session_id: session.clone(), index }), attempt }
}

/// What an event says of a finished task, if it does.
#[must_use]
pub fn finished(event: &Event) -> Option<&TaskFinished> {
    if let Some(event::Event::Finished(finished)) = &event.event { Some(finished) } else { None }
}
