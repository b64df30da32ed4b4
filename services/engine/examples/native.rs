//! An engine that runs Rust functions: `cargo run -p paraply-engine --example native`, beside a cluster (`paraply start`).
//! Then, in Python: `rc.load_balanced_view().apply_sync(paraply.native("simulate"), 1000)`.

use std::io::Write as _;

use paraply_engine::native::{Cancelled, Context, Engine};
use serde::{Deserialize, Serialize};

/// What a function takes may be a struct: its fields are named arguments in Python.
#[derive(Deserialize)]
struct Walk {
    steps: u64,
    #[serde(default)]
    seed: u64,
}

#[derive(Serialize)]
struct Walked {
    end: i64,
    farthest: u64,
}

/// Random numbers (xorshift, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A random walk along a line.
fn walk(walk: Walk) -> Walked {
    let mut random = Random::new(walk.seed);
    let mut walked = Walked { end: 0, farthest: 0 };
    for _ in 0..walk.steps {
        walked.end += if random.next() >> 63 == 0 { 1 } else { -1 };
        walked.farthest = walked.farthest.max(walked.end.unsigned_abs());
    }
    walked
}

/// How many of so many darts hit the quarter of a circle: `clients/rust/examples/pi.rs` and `examples/pi.py` make π of it.
fn hits(seed: u64, darts: u64) -> u64 {
    let mut random = Random::new(seed);
    (0..darts).filter(|_| random.fraction().powi(2) + random.fraction().powi(2) <= 1.0).count() as u64
}

/// What takes long says how far it is, and stops when it is told to.
fn simulate(context: Context, steps: u64) -> Result<f64, Cancelled> {
    let mut value = 1.0_f64;
    for step in 0..steps {
        value = (value + 2.0 / value) / 2.0;
        if step % 100 == 0 {
            context.check()?;
            context.progress(step as f64 / steps as f64);
        }
    }
    let _shown = writeln!(context.stdout(), "{steps} steps on engine {}", context.engine_id());
    Ok(value)
}

/// What waits occupies no thread, and ends where it waits when its task is cancelled.
async fn wait(context: Context) {
    context.progress(0.0);
    std::future::pending::<()>().await;
}

/// Of no numbers it is none, which JSON does not have.
fn mean(numbers: Vec<f64>) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn root(of: f64) -> Result<f64, String> {
    if of < 0.0 { Err(format!("{of} has no real root")) } else { Ok(of.sqrt()) }
}

fn main() -> Result<(), paraply_engine::Error> {
    let engines = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1);
    Engine::builder()
        .engines(engines)
        .function("walk", walk)
        .function("hits", hits)
        .function("mean", mean)
        .function("wait", wait)
        .function("panic", |text: String| -> () { panic!("{text}") })
        .try_function("simulate", simulate)
        .try_function("root", root)
        .run()
}
