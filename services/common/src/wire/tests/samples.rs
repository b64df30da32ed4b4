//! Arbitrary words of the machines, as small as shows a mistake.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use paraply_core::{
    call::{CallHead, Placement, Work},
    id::{AttemptId, BlobId, Digest, EngineId, Incarnation, SessionId, TaskId, TransferId},
    outcome::{Failure, FailureKind, Outcome, Output, OutputKind},
    payload::{BlobRef, BlobWant, Buffer, Encoding, Function, Payload},
    session_link::{CancelMode, EngineInfo},
};
use paraply_proto::common::v1::PeerInfo;
use proptest::{collection::vec, option, prelude::*, sample::select};
use sha2::{Digest as _, Sha256};

use crate::wire::peer;

pub(super) fn text() -> impl Strategy<Value = Bytes> {
    "[a-zé]{0,6}".prop_map(Bytes::from)
}

/// Some too small to stay in their message's buffer, some large enough.
pub(super) fn data() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 0..20), Just(vec![7; 5000])].prop_map(Bytes::from)
}

pub(super) fn millis() -> impl Strategy<Value = Duration> {
    any::<u32>().prop_map(|millis| Duration::from_millis(millis.into()))
}

pub(super) fn session() -> impl Strategy<Value = SessionId> {
    any::<u128>().prop_map(SessionId)
}

pub(super) fn engine() -> impl Strategy<Value = EngineId> {
    (0..=EngineId::MOST.0).prop_map(EngineId)
}

pub(super) fn incarnation() -> impl Strategy<Value = Incarnation> {
    any::<u128>().prop_map(Incarnation)
}

pub(super) fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

pub(super) fn attempt() -> impl Strategy<Value = AttemptId> {
    (session(), any::<u64>(), 1..=1_u32 << 31)
        .prop_map(|(session, index, attempt)| AttemptId { task: TaskId { session, index }, attempt })
}

pub(super) fn cancel_mode() -> impl Strategy<Value = CancelMode> {
    prop_oneof![
        Just(CancelMode::Abort),
        option::of(millis()).prop_map(|kill_after| CancelMode::Interrupt { kill_after }),
    ]
}

fn encoding() -> impl Strategy<Value = Encoding> {
    use Encoding::{Arrow, Json, Msgpack, Ndarray, Pickle5, Text};
    select(vec![Pickle5, Msgpack, Ndarray, Arrow, Json, Text])
}

fn blob() -> impl Strategy<Value = BlobRef> {
    (any::<u128>(), any::<u64>(), any::<bool>()).prop_map(|(id, size, kept)| BlobRef { id: BlobId(id), size, kept })
}

pub(super) fn blobs() -> impl Strategy<Value = Vec<BlobId>> {
    vec(any::<u128>().prop_map(BlobId), 0..3)
}

pub(super) fn wants() -> impl Strategy<Value = Vec<BlobWant>> {
    let want = (any::<u128>(), 1..u64::MAX, any::<u64>());
    vec(want.prop_map(|(blob, id, offset)| BlobWant { blob: BlobId(blob), transfer: TransferId(id), offset }), 0..3)
}

fn buffer() -> impl Strategy<Value = Buffer> {
    prop_oneof![data().prop_map(Buffer::Inline), blob().prop_map(Buffer::Blob)]
}

pub(super) fn payload() -> impl Strategy<Value = Payload> {
    let bytes = prop_oneof![data().prop_map(|data| (data, None)), blob().prop_map(|b| (Bytes::new(), Some(b)))];
    (encoding(), text(), vec(buffer(), 0..3), bytes).prop_map(
        |(encoding, python_version, buffers, (data, data_blob))| Payload {
            encoding,
            python_version,
            buffers,
            data,
            data_blob,
        },
    )
}

pub(super) fn function() -> impl Strategy<Value = Arc<Function>> {
    (encoding(), text(), data(), text()).prop_map(|(encoding, python_version, data, name)| {
        let digest = Digest(Sha256::digest(&data).into());
        let payload = Payload { encoding, python_version, data, ..Payload::default() };
        Arc::new(Function { digest, payload, name })
    })
}

fn work() -> impl Strategy<Value = Work> {
    let code = (text(), any::<bool>(), text());
    prop_oneof![
        digest().prop_map(Work::Function),
        code.prop_map(|(source, silent, filename)| Work::Execute { source, silent, filename }),
    ]
}

pub(super) fn placement() -> impl Strategy<Value = Placement> {
    prop_oneof![
        vec(engine(), 0..3).prop_map(|engines| Placement::Direct { engines }),
        (
            vec(engine(), 0..3),
            proptest::collection::hash_map("[a-z]{1,3}", "[a-z]{0,3}", 0..3),
            any::<u32>(),
            option::of(millis())
        )
            .prop_map(|(engines, labels, retries, queue_timeout)| {
                let labels = peer::decode_labels(labels);
                Placement::Balanced { engines, labels, retries, queue_timeout }
            }),
    ]
}

pub(super) fn head(placement: impl Strategy<Value = Placement>) -> impl Strategy<Value = Arc<CallHead>> {
    let texts = (text(), text(), text(), text());
    (work(), placement, texts, any::<i32>(), any::<bool>(), option::of(millis())).prop_map(
        |(work, placement, (label, name, traceparent, namespace), priority, start_once, run_timeout)| {
            Arc::new(CallHead {
                work,
                placement,
                label,
                name,
                traceparent,
                namespace,
                priority,
                start_once,
                run_timeout,
            })
        },
    )
}

fn failure() -> impl Strategy<Value = Failure> {
    use FailureKind::{Aborted, Cancelled, EngineLost, Exception, QueueTimeout, Refused, RunTimeout, Unreadable};
    let kinds = vec![Exception, EngineLost, Aborted, QueueTimeout, RunTimeout, Unreadable, Refused, Cancelled];
    (select(kinds), text(), text(), text(), option::of(payload()), option::of(engine())).prop_map(
        |(kind, type_name, message, traceback, exception, engine)| Failure {
            kind,
            type_name,
            message,
            traceback,
            exception,
            engine,
        },
    )
}

pub(super) fn outcome() -> impl Strategy<Value = Outcome> {
    let value = prop_oneof![payload().prop_map(Ok), failure().prop_map(|failure| Err(Box::new(failure)))];
    let nanos = 0..i64::MAX as u64;
    (value, [nanos.clone(), nanos.clone(), nanos], any::<u64>(), any::<u64>(), any::<u32>()).prop_map(
        |(
            value,
            [claimed_unix_nanos, started_unix_nanos, finished_unix_nanos],
            stdout_bytes,
            stderr_bytes,
            records,
        )| Outcome {
            value,
            claimed_unix_nanos,
            started_unix_nanos,
            finished_unix_nanos,
            stdout_bytes,
            stderr_bytes,
            records,
        },
    )
}

pub(super) fn output() -> impl Strategy<Value = Output> {
    use OutputKind::{DisplayData, ExecuteInput, ExecuteResult, Published, PublishedPortable, Stderr, Stdout};
    let kinds = vec![Stdout, Stderr, DisplayData, ExecuteResult, ExecuteInput, Published, PublishedPortable];
    (select(kinds), any::<u64>(), data(), any::<u64>()).prop_map(|(kind, offset, data, dropped)| Output {
        kind,
        offset,
        data,
        dropped,
    })
}

pub(super) fn engine_info() -> impl Strategy<Value = Arc<EngineInfo>> {
    (
        engine(),
        incarnation(),
        "[a-z]{0,5}",
        any::<u32>(),
        proptest::collection::hash_map("[a-z]{1,3}", "[a-z]{0,3}", 0..3),
    )
        .prop_map(|(id, incarnation, hostname, pid, labels)| {
            let peer = PeerInfo { hostname, pid, ..PeerInfo::default() };
            Arc::new(peer::engine_info(id, incarnation, Some(peer), labels))
        })
}
