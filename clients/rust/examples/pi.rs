//! π by throwing darts, on all engines: `cargo run -p paraply --example pi`, beside a cluster (`paraply start -n 4`).

use futures_util::TryStreamExt as _;
use paraply::{Client, Function};

const DARTS: u64 = 1_000_000;
const TASKS: u64 = 64;

/// What engines run.
const HITS: &str = "
def hits(seed, darts):
    import random
    draw = random.Random(seed).random
    return sum(draw() ** 2 + draw() ** 2 <= 1 for _ in range(darts))
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::connect().await?;
    client.wait_for_engines(1).await?;
    let throws = (0..TASKS).map(|seed| (seed, DARTS / TASKS));
    let mut hits = client.balanced().retries(1).starmap::<u64, _>(Function::source(HITS), throws).unordered();
    let mut inside = 0;
    while let Some(some) = hits.try_next().await? {
        inside += some;
    }
    println!("π is about {}", 4.0 * inside as f64 / DARTS as f64);
    client.close().await;
    Ok(())
}
