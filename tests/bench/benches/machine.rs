//! Tasks a second: submitted, placed, finished, delivered. By the machine alone, and from bytes to bytes.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use paraply_bench::{Kind, Machine, Peers, Stack, Streams};

/// Tasks of a message, and those that wait at a time.
const TASKS: u64 = 1000;

fn tasks<S: Stack>(criterion: &mut Criterion, layer: &str) {
    let mut group = criterion.benchmark_group(layer);
    group.throughput(Throughput::Elements(TASKS));
    for kind in Kind::ALL {
        let mut peers = Peers::<S>::new(kind);
        group.bench_function(kind.name(), |bencher| {
            bencher.iter(|| {
                peers.submit(TASKS);
                peers.run(TASKS);
            });
        });
    }
    group.finish();
}

fn machine(criterion: &mut Criterion) {
    tasks::<Machine>(criterion, "machine");
}

/// What the peers do is in it too: they decode and encode as much.
fn streams(criterion: &mut Criterion) {
    tasks::<Streams>(criterion, "streams");
}

criterion_group!(benches, machine, streams);
criterion_main!(benches);
