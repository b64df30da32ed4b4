//! The engine's link is encoded and decoded by us at both ends: what goes in comes out.

use std::sync::Arc;

use bytes::Bytes;
use paraply_core::{
    call::Placement,
    engine_link::{
        AssignedCall, AssignedTask, Credit, Held, HeldState, Hello, Orders, Reports, ToEngine, ToScheduler, Welcome,
    },
    id::{BlobId, Epoch},
};
use paraply_proto::scheduler::v1::{AttachEngineRequest, AttachEngineResponse, attach_engine_request};
use proptest::{collection::vec, option, prelude::*, sample::select};
use prost::Message as _;

use super::samples::{
    attempt, blobs, cancel_mode, digest, engine_info, function, head, millis, outcome, output, payload, session, wants,
};
use crate::wire::{
    ServerIdentity,
    engine_link::{decode_request, decode_response, encode_request, encode_response},
};

fn credit() -> impl Strategy<Value = Credit> {
    any::<(u64, u64)>().prop_map(|(total_tasks, total_bytes)| Credit { total_tasks, total_bytes })
}

fn held() -> impl Strategy<Value = Held> {
    let states = vec![HeldState::Queued, HeldState::Claimed, HeldState::Finished];
    (attempt(), select(states)).prop_map(|(attempt, state)| Held { attempt, state })
}

fn hello() -> impl Strategy<Value = Hello> {
    let epoch = option::of((1..u64::MAX).prop_map(Epoch));
    let kept = vec((attempt(), any::<u128>().prop_map(BlobId)), 0..3);
    (engine_info(), epoch, vec(held(), 0..3), credit(), any::<u64>(), kept).prop_map(
        |(info, last_epoch, held, credit, stream, kept_blobs)| Hello {
            info,
            last_epoch,
            held,
            credit,
            stream,
            kept_blobs,
        },
    )
}

fn reports() -> impl Strategy<Value = Reports> {
    (
        vec(attempt(), 0..3),
        vec((attempt(), output()), 0..3),
        vec((attempt(), outcome().prop_map(Arc::new)), 0..3),
        vec((attempt(), any::<bool>()), 0..3),
        option::of(credit()),
        vec(digest(), 0..3),
        any::<bool>(),
        vec(attempt(), 0..3),
    )
        .prop_map(|(claimed, output, finished, retracted, credit, need_functions, draining, fetched)| Reports {
            claimed,
            output,
            finished,
            retracted,
            credit,
            need_functions,
            draining,
            fetched,
        })
}

fn assigned() -> impl Strategy<Value = AssignedCall> {
    // The engine is told the queue, not the placement.
    let placement = select(vec![
        Placement::Direct { engines: Vec::new() },
        Placement::Balanced { engines: Vec::new(), labels: Vec::new(), retries: 0, queue_timeout: None },
    ]);
    let span = option::of(any::<u64>());
    let task = (any::<u64>(), 1..=1_u32 << 31, any::<bool>(), payload(), option::of(millis()), span).prop_map(
        |(index, attempt, claimed, arguments, expected, span)| AssignedTask {
            index,
            attempt,
            claimed,
            arguments,
            expected,
            span,
        },
    );
    (head(placement), session(), vec(task, 0..3), any::<bool>()).prop_map(|(head, session, tasks, several)| {
        let direct = matches!(head.placement, Placement::Direct { .. });
        AssignedCall { head, session, direct, several, tasks }
    })
}

fn orders() -> impl Strategy<Value = Orders> {
    let attempts = || vec(attempt(), 0..3);
    let functions = (vec(function(), 0..2), vec(digest(), 0..3));
    (
        functions,
        vec(assigned(), 0..3),
        (attempts(), attempts(), attempts()),
        vec((attempt(), cancel_mode()), 0..3),
        any::<(bool, bool)>(),
        (wants(), blobs(), blobs()),
    )
        .prop_map(
            |((functions, forget_functions), assigned, (retract, acked, start), cancel, (drain, exit), blobs)| {
                let (wanted_blobs, store_blobs, release_blobs) = blobs;
                Orders {
                    functions,
                    assigned,
                    retract,
                    cancel,
                    acked,
                    start,
                    forget_functions,
                    drain,
                    exit,
                    wanted_blobs,
                    store_blobs,
                    release_blobs,
                }
            },
        )
}

fn welcome() -> impl Strategy<Value = Welcome> {
    (1..u64::MAX, millis(), vec(attempt(), 0..3)).prop_map(|(epoch, lease, dropped)| Welcome {
        epoch: Epoch(epoch),
        lease,
        dropped,
    })
}

proptest! {
    #[test]
    fn what_an_engine_says_arrives(message in prop_oneof![
        hello().prop_map(ToScheduler::Hello),
        reports().prop_map(ToScheduler::Reports),
        Just(ToScheduler::Heartbeat),
    ]) {
        let ticket = Bytes::from_static(b"ticket");
        let wire = encode_request(message.clone(), &ticket).encode_to_vec();
        let wire = AttachEngineRequest::decode(Bytes::from(wire)).unwrap();
        if let Some(attach_engine_request::Message::Hello(hello)) = &wire.message {
            prop_assert_eq!(&hello.ticket, &ticket);
        }
        prop_assert_eq!(decode_request(wire), Ok(message));
    }

    #[test]
    fn what_the_scheduler_says_to_an_engine_arrives(message in prop_oneof![
        welcome().prop_map(ToEngine::Welcome),
        orders().prop_map(ToEngine::Orders),
        Just(ToEngine::Heartbeat),
    ]) {
        let wire = encode_response(message.clone(), &ServerIdentity::default()).encode_to_vec();
        let wire = AttachEngineResponse::decode(Bytes::from(wire)).unwrap();
        prop_assert_eq!(decode_response(wire), Ok(message));
    }
}
