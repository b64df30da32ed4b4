//! Native engines for the benches, many to a process, and a client that measures them.

use std::{io::Read as _, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};
use futures_util::{StreamExt as _, TryStreamExt as _};
use paraply::{Client, Targets};
use paraply_common::clock;
use paraply_engine::native::{Context, Engine};
use serde_json::json;

#[derive(Parser)]
#[command(about = "Native engines for the benches, and a client that measures them")]
struct Options {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Be engines until standard input ends; they are cut off then, and the process lives on.
    Engines {
        /// The cluster's engine.json.
        #[arg(long)]
        connection: PathBuf,
        /// How many.
        #[arg(long, default_value_t = 1)]
        engines: usize,
        /// How many may compute at a time.
        #[arg(long, default_value_t = 2)]
        threads: usize,
    },
    /// Map tasks over engines that are there, and print what was measured as JSON.
    Map {
        /// The cluster's connection.json.
        #[arg(long)]
        connection: PathBuf,
        /// How many engines to wait for.
        #[arg(long)]
        engines: usize,
        /// How many tasks.
        #[arg(long)]
        tasks: u64,
        /// How many darts each throws.
        #[arg(long, default_value_t = 1)]
        darts: u64,
    },
    /// Wait for engines, call all of them, and print what was measured as JSON.
    Broadcast {
        /// The cluster's connection.json.
        #[arg(long)]
        connection: PathBuf,
        /// How many engines to wait for.
        #[arg(long)]
        engines: usize,
        /// How often all are called.
        #[arg(long, default_value_t = 20)]
        calls: usize,
    },
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    match Options::parse().role {
        Role::Engines { connection, engines, threads } => be_engines(connection, engines, threads),
        Role::Map { connection, engines, tasks, darts } => tokio()?.block_on(map(connection, engines, tasks, darts)),
        Role::Broadcast { connection, engines, calls } => tokio()?.block_on(broadcast(connection, engines, calls)),
    }
}

fn tokio() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn be_engines(connection: PathBuf, engines: usize, threads: usize) -> Result<(), Failure> {
    let fleet = Engine::builder()
        .connection(connection)
        .engines(engines)
        .threads(threads)
        .function("nothing", || ())
        .function("hits", hits)
        .function("wait", |context: Context| async move { context.cancelled().await });
    tokio()?.block_on(async {
        let (ended, input) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _ended = std::io::stdin().read_to_end(&mut Vec::new());
            let _gone = ended.send(());
        });
        tokio::select! {
            served = fleet.serve() => served,
            _ = input => Ok(()),
        }
    })?;
    // Cut off, and alive.
    std::thread::park();
    Ok(())
}

/// How many of so many darts hit the quarter of a circle, of a small generator of numbers (xorshift, Marsaglia 2003).
fn hits(seed: u64, darts: u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..darts).filter(|_| draw().powi(2) + draw().powi(2) <= 1.0).count() as u64
}

async fn connected(connection: PathBuf, engines: usize) -> Result<Client, Failure> {
    let client = Client::builder().file(connection).connect().await?;
    client.wait_for_engines(engines).await?;
    Ok(client)
}

async fn map(connection: PathBuf, engines: usize, tasks: u64, darts: u64) -> Result<(), Failure> {
    let client = connected(connection, engines).await?;
    let view = client.balanced();
    let warm: Vec<u64> = view.starmap::<u64, _>(":hits", (0..1000).map(|seed| (seed, darts))).try_collect().await?;
    drop(warm);
    let started = clock::now();
    let mut results = view.starmap::<u64, _>(":hits", (0..tasks).map(|seed| (seed, darts))).unordered();
    let (mut count, mut inside) = (0, 0);
    while let Some(hits) = results.next().await {
        inside += hits?;
        count += 1;
    }
    let seconds = clock::now().since(started).as_secs_f64();
    let pi = 4.0 * inside as f64 / (tasks * darts) as f64;
    println!("{}", json!({"tasks": count, "seconds": seconds, "pi": pi}));
    client.close().await;
    Ok(())
}

async fn broadcast(connection: PathBuf, engines: usize, calls: usize) -> Result<(), Failure> {
    let client = connected(connection, engines).await?;
    let mut seconds = Vec::new();
    for _ in 0..calls {
        let started = clock::now();
        let answered = client.direct(Targets::All).apply::<()>(":nothing", ()).await?.len();
        seconds.push(clock::now().since(started));
        if answered != engines {
            return Err(format!("{answered} of {engines} engines have answered").into());
        }
    }
    seconds.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!("{}", json!({"median_ms": millis(seconds[calls / 2]), "slowest_ms": millis(seconds[calls - 1])}));
    client.close().await;
    Ok(())
}
