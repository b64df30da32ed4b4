//! Both ends of the session link against each other.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use paraply_core::{
    call::{Call, CallHead, Placement, Work},
    id::{BlobId, Digest, EngineId, Epoch},
    outcome::FailureKind,
    payload::Payload,
    session_link::{
        CloseReason, Event, EventKind, Hello, KnownClaim, ResumePoint, SubmitCredit, ToClient, ToScheduler, Update,
        Welcome,
    },
};
use paraply_proto::{
    common::v1 as common,
    scheduler::v1::{
        self as proto, OpenSessionRequest, OpenSessionResponse, event::Event as Wire, open_session_request,
        open_session_response::Message,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use prost::Message as _;

use super::samples::{
    blobs, cancel_mode, digest, engine, engine_info, function, head, incarnation, millis, outcome, output, payload,
    placement, session, text, wants,
};
use crate::wire::{
    ServerIdentity,
    session_link::{decode_request, decode_response, encode_request, encode_response},
};

fn hello() -> impl Strategy<Value = Hello> {
    let resume = (1..u64::MAX, any::<u64>(), any::<u64>()).prop_map(|(epoch, sequence, next_index)| ResumePoint {
        epoch: Epoch(epoch),
        sequence,
        next_index,
    });
    (session(), option::of(resume), any::<bool>(), text(), any::<u64>()).prop_map(
        |(session, resume, cancel_on_disconnect, label, stream)| Hello {
            session,
            resume,
            cancel_on_disconnect,
            label,
            stream,
        },
    )
}

fn call() -> impl Strategy<Value = Call> {
    (any::<u64>(), head(placement()), vec(payload(), 0..3)).prop_map(|(first_index, head, arguments)| Call {
        first_index,
        head,
        arguments,
    })
}

fn claim() -> impl Strategy<Value = KnownClaim> {
    (any::<u64>(), 1..=1_u32 << 31, engine(), incarnation())
        .prop_map(|(index, attempt, engine, incarnation)| KnownClaim { index, attempt, engine, incarnation })
}

fn to_scheduler() -> impl Strategy<Value = ToScheduler> {
    let calls = || vec(call(), 0..3);
    let functions = || vec(function(), 0..2);
    let replay = (calls(), functions(), vec(any::<u64>(), 0..3), vec(claim(), 0..3), any::<bool>());
    prop_oneof![
        hello().prop_map(ToScheduler::Hello),
        (calls(), functions(), any::<Option<u64>>()).prop_map(|(calls, functions, ack)| ToScheduler::Submit {
            calls,
            functions,
            ack
        }),
        replay.prop_map(|(calls, functions, finished, claims, complete)| ToScheduler::Replay {
            calls,
            functions,
            finished,
            claims,
            complete
        }),
        (vec(any::<u64>(), 0..3), cancel_mode()).prop_map(|(indexes, mode)| ToScheduler::Cancel { indexes, mode }),
        any::<u64>().prop_map(|sequence| ToScheduler::Ack { sequence }),
        any::<u64>().prop_map(|total_bytes| ToScheduler::Credit { total_bytes }),
        vec(any::<u128>().prop_map(BlobId), 0..3).prop_map(|blobs| ToScheduler::Release { blobs }),
        Just(ToScheduler::Close),
    ]
}

fn credit() -> impl Strategy<Value = SubmitCredit> {
    any::<(u64, u64)>().prop_map(|(total_tasks, total_bytes)| SubmitCredit { total_tasks, total_bytes })
}

fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        claim().prop_map(EventKind::Claimed),
        (any::<u64>(), any::<u32>(), engine(), output())
            .prop_map(|(index, attempt, engine, output)| { EventKind::Output { index, attempt, engine, output } }),
        (any::<u64>(), any::<u32>(), option::of(engine()), 0..i64::MAX as u64, outcome().prop_map(Arc::new)).prop_map(
            |(index, attempt, engine, accepted_unix_nanos, outcome)| EventKind::Finished {
                index,
                attempt,
                engine,
                accepted_unix_nanos,
                outcome,
            },
        ),
        engine_info().prop_map(EventKind::EngineJoined),
        (engine(), "[a-z]{0,5}").prop_map(|(engine, reason)| EventKind::EngineLeft { engine, reason: reason.into() }),
    ];
    (any::<u64>(), kind).prop_map(|(sequence, kind)| Event { sequence, kind })
}

fn welcome() -> impl Strategy<Value = Welcome> {
    (1..u64::MAX, any::<u64>(), any::<bool>(), vec(engine_info(), 0..3), credit(), millis()).prop_map(
        |(epoch, accepted_up_to, replay, engines, credit, session_grace)| Welcome {
            epoch: Epoch(epoch),
            accepted_up_to,
            replay,
            engines,
            credit,
            session_grace,
        },
    )
}

fn closed() -> impl Strategy<Value = ToClient> {
    use CloseReason::{Closed, Expired, Limit, OutOfOrder, ProtocolError, Shutdown, Superseded};
    let reasons = vec![Closed, Superseded, Expired, OutOfOrder, ProtocolError, Limit, Shutdown];
    (select(reasons), "[a-z]{0,5}", any::<u64>()).prop_map(|(reason, message, expected_index)| ToClient::Closed {
        reason,
        message,
        expected_index,
    })
}

fn update() -> impl Strategy<Value = Update> {
    let credit = option::of(credit());
    (any::<Option<u64>>(), credit, vec(digest(), 0..3), vec(event(), 0..3), wants(), blobs()).prop_map(
        |(accepted_up_to, credit, need_functions, events, wanted_blobs, taken_blobs)| Update {
            accepted_up_to,
            credit,
            need_functions,
            events,
            wanted_blobs,
            taken_blobs,
        },
    )
}

#[test]
fn calls_that_differ_in_their_arguments_alone_share_all_else() {
    let call = |first_index: u64, engine: u32, label: &'static str| {
        let placement = Placement::Direct { engines: vec![EngineId(engine)] };
        let head = CallHead { label: label.into(), ..CallHead::new(Work::Function(Digest([7; 32])), placement) };
        Call { first_index, head: Arc::new(head), arguments: vec![Payload::default()] }
    };
    let mut calls: Vec<Call> = (0..100).map(|n| call(n, n as u32 % 4, "")).collect();
    calls.push(call(100, 0, "of another kind"));
    let wire = encode_request(ToScheduler::Submit { calls: calls.clone(), functions: Vec::new(), ack: None });
    let Ok(ToScheduler::Submit { calls: decoded, .. }) = decode_request(wire) else { unreachable!("it was a submit") };
    assert_eq!(decoded, calls);
    let heads: BTreeSet<_> = decoded.iter().map(|call| Arc::as_ptr(&call.head)).collect();
    assert_eq!(heads.len(), 5, "one for each engine, and the other kind");
}

proptest! {
    #[test]
    fn what_a_client_says_arrives(message in to_scheduler()) {
        let wire = encode_request(message.clone()).encode_to_vec();
        let wire = OpenSessionRequest::decode(Bytes::from(wire)).unwrap();
        prop_assert_eq!(decode_request(wire), Ok(message));
    }

    #[test]
    fn what_the_scheduler_says_to_a_client_arrives(message in prop_oneof![
        welcome().prop_map(ToClient::Welcome),
        update().prop_map(ToClient::Update),
        closed(),
    ]) {
        let wire = encode_response(message.clone(), &ServerIdentity::default()).encode_to_vec();
        let wire = OpenSessionResponse::decode(Bytes::from(wire)).unwrap();
        prop_assert_eq!(decode_response(wire), Ok(message));
    }
}

#[test]
fn labels_that_a_call_asks_for_are_sorted_whatever_their_order_on_the_wire() {
    let labels = [("zone", "a"), ("disk", "ssd"), ("runtime", "native")];
    let call = |labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let placement = proto::BalancedPlacement { labels, ..proto::BalancedPlacement::default() };
        proto::Call {
            work: Some(proto::call::Work::FunctionDigest(Bytes::from_static(&[1; 32]))),
            placement: Some(proto::call::Placement::Balanced(placement)),
            ..proto::Call::default()
        }
    };
    let reversed: Vec<_> = labels.into_iter().rev().collect();
    let submit = proto::Submit { calls: vec![call(&labels), call(&reversed)], ..proto::Submit::default() };
    let message = Some(open_session_request::Message::Submit(submit));
    let Ok(ToScheduler::Submit { calls, .. }) = decode_request(OpenSessionRequest { message }) else { unreachable!() };
    let Placement::Balanced { labels, .. } = &calls[0].head.placement else { unreachable!() };
    let keys: Vec<&[u8]> = labels.iter().map(|(key, _)| &key[..]).collect();
    assert_eq!(keys, [&b"disk"[..], b"runtime", b"zone"]);
    assert!(Arc::ptr_eq(&calls[0].head, &calls[1].head), "and they are shared");
}

#[test]
fn an_argument_that_says_nothing_stands_for_no_arguments() {
    let call = proto::Call {
        work: Some(proto::call::Work::FunctionDigest(Bytes::from_static(&[1; 32]))),
        placement: Some(proto::call::Placement::Balanced(proto::BalancedPlacement::default())),
        arguments: vec![common::Payload::default()],
        ..proto::Call::default()
    };
    let submit = proto::Submit { calls: vec![call], ..proto::Submit::default() };
    let message = Some(open_session_request::Message::Submit(submit));
    match decode_request(OpenSessionRequest { message }) {
        Ok(ToScheduler::Submit { calls, .. }) => assert_eq!(calls[0].arguments, [Payload::default()]),
        other => panic!("{other:?}"),
    }
}

/// What a client of this release does with what a later one may say.
#[test]
fn a_client_takes_what_it_has_no_words_for() {
    let finished = |outcome| proto::TaskFinished {
        index: 5,
        outcome: Some(common::Outcome { outcome: Some(outcome), ..common::Outcome::default() }),
        ..proto::TaskFinished::default()
    };
    let failure = common::Failure { kind: 42, message: "new".to_owned(), ..common::Failure::default() };
    let data_blob = Some(common::BlobRef { blob_id: vec![1; 16].into(), size_bytes: 9, kept: false });
    let result = common::Payload { encoding: 42, data_blob, ..common::Payload::default() };
    let output = common::Output { kind: 42, ..common::Output::default() };
    let events = [
        Some(Wire::Finished(finished(common::outcome::Outcome::Failure(failure.into())))),
        Some(Wire::Finished(finished(common::outcome::Outcome::Result(result)))),
        Some(Wire::Output(proto::TaskOutput { output: Some(output), ..proto::TaskOutput::default() })),
        None,
    ];
    let events = (1..).zip(events).map(|(sequence, event)| proto::Event { sequence, event }).collect();
    let update = Message::Update(proto::SessionUpdate { events, ..proto::SessionUpdate::default() });
    let Ok(ToClient::Update(update)) = decode_response(OpenSessionResponse { message: Some(update) }) else {
        panic!("it is not read")
    };
    let ended = |event: &Event| match &event.kind {
        EventKind::Finished { outcome, .. } => outcome.value.clone(),
        other => panic!("{other:?}"),
    };
    let [unknown_failure, unknown_result, unknown_output, unknown_event] = &update.events[..] else {
        panic!("{:?}", update.events)
    };
    let first = ended(unknown_failure).unwrap_err();
    assert_eq!(
        (first.kind, &first.type_name[..], &first.message[..]),
        (FailureKind::Exception, &b"FailureKind42"[..], &b"new"[..])
    );
    let second = ended(unknown_result).unwrap();
    let error = crate::portable::decode::<()>(&second).unwrap_err();
    assert!(error.to_string().contains("encoding 42"), "{error}");
    assert_eq!(second.blobs().count(), 1, "which is released as that of any result");
    for (sequence, event) in [(3, unknown_output), (4, unknown_event)] {
        assert_eq!((event.sequence, &event.kind), (sequence, &EventKind::Unknown));
    }
    let closed = proto::SessionClosed { reason: 42, message: "new".to_owned(), ..proto::SessionClosed::default() };
    let closed = decode_response(OpenSessionResponse { message: Some(Message::Closed(closed)) });
    assert!(matches!(closed, Ok(ToClient::Closed { reason: CloseReason::ProtocolError, .. })), "{closed:?}");
}
