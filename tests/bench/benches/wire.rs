//! Messages of one task and of a hundred: what the scheduler decodes, from bytes to the machine's words, and encodes.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use paraply_bench::{Kind, messages};
use paraply_common::wire::{ServerIdentity, engine_link, session_link};
use paraply_proto::scheduler::v1::{AttachEngineRequest, OpenSessionRequest};

const SIZES: [u64; 2] = [1, 100];

fn decode<M: prost::Message + Default, W>(
    criterion: &mut Criterion,
    name: &str,
    message: impl Fn(u64) -> M,
    convert: impl Fn(M) -> W,
) {
    let mut group = criterion.benchmark_group(name);
    for tasks in SIZES {
        let bytes = Bytes::from(message(tasks).encode_to_vec());
        group.throughput(Throughput::Elements(tasks));
        group.bench_function(tasks.to_string(), |bencher| {
            bencher.iter(|| convert(M::decode(bytes.clone()).expect("what was encoded")));
        });
    }
    group.finish();
}

fn encode<W: Clone, M: prost::Message>(
    criterion: &mut Criterion,
    name: &str,
    word: impl Fn(u64) -> W,
    convert: impl Fn(W) -> M,
) {
    let mut group = criterion.benchmark_group(name);
    for tasks in SIZES {
        let word = word(tasks);
        group.throughput(Throughput::Elements(tasks));
        group.bench_function(tasks.to_string(), |bencher| {
            bencher.iter_batched(|| word.clone(), |word| convert(word).encode_to_vec(), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn wire(criterion: &mut Criterion) {
    for kind in [Kind::Map, Kind::Balanced] {
        decode::<OpenSessionRequest, _>(
            criterion,
            &format!("decode submit, {}", kind.name()),
            |tasks| session_link::encode_request(messages::submit(kind, 0, tasks)),
            session_link::decode_request,
        );
    }
    decode::<AttachEngineRequest, _>(
        criterion,
        "decode engine reports",
        |tasks| engine_link::encode_request(messages::reports(tasks), &Bytes::new()),
        engine_link::decode_request,
    );
    let identity = ServerIdentity::default();
    encode(criterion, "encode session update", messages::update, |word| session_link::encode_response(word, &identity));
    encode(criterion, "encode engine orders", messages::orders, |word| engine_link::encode_response(word, &identity));
}

criterion_group!(benches, wire);
criterion_main!(benches);
