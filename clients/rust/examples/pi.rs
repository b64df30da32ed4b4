//! π by throwing darts, on all engines of a cluster (`paraply start -n 4`):
//!
//!     cargo run -p paraply --example pi
//!     cargo run -p paraply --example pi -- --native 1000000
//!
//! With `--native` the engines are Rust too: `cargo run -p paraply-engine --example native -- 4` starts four. The number is that of
//! the tasks. `examples/pi.py` is the same program in Python, and comes to the same π.

use std::time::Instant;

use futures_util::TryStreamExt as _;
use paraply::{Client, Function};

const DARTS: u64 = 1_000_000;

/// What Python engines run.
const HITS: &str = "
def hits(seed, darts):
    import random
    draw = random.Random(seed).random
    return sum(draw() ** 2 + draw() ** 2 <= 1 for _ in range(darts))
";

#[expect(clippy::disallowed_methods, reason = "this program has no other clock")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let native = arguments.first().is_some_and(|first| first == "--native");
    let tasks: u64 = arguments.drain(usize::from(native)..).next().map_or(Ok(64), |tasks| tasks.parse())?;

    let client = Client::connect().await?;
    client.wait_for_engines(1).await?;
    let function = if native { Function::native("hits")? } else { Function::source(HITS) };
    let throws = (0..tasks).map(|seed| (seed, DARTS / tasks));
    let started = Instant::now();
    let mut hits = client.balanced().retries(1).starmap::<u64, _>(function, throws).unordered();
    let mut inside = 0;
    while let Some(some) = hits.try_next().await? {
        inside += some;
    }
    println!("π is about {}", 4.0 * inside as f64 / (tasks * (DARTS / tasks)) as f64);
    println!("{tasks} tasks, {:.2?}", started.elapsed());
    client.close().await;
    Ok(())
}
