//! Has tasks submitted and run, in steps, each of which is a window: what is run under callgrind.
//!
//! `instructions map machine submit:20000 run:1000`

use std::str::FromStr;

use clap::{Parser, ValueEnum};
use paraply_bench::{Kind, Machine, Peers, Stack, Streams, callgrind::window};

/// Tasks of a submit, which is a message.
const BATCH: u64 = 1000;

#[derive(Parser)]
struct Options {
    kind: Kind,
    layer: Layer,
    #[arg(required = true)]
    steps: Vec<Step>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Layer {
    /// The machine alone.
    Machine,
    /// From the bytes of a message to those of the answer.
    Streams,
}

#[derive(Clone, Copy)]
enum Step {
    Submit(u64),
    Run(u64),
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (what, tasks) = text.split_once(':').ok_or("a step is `submit:TASKS` or `run:TASKS`")?;
        let tasks = tasks.parse().map_err(|error| format!("{tasks:?}: {error}"))?;
        match what {
            "submit" => Ok(Self::Submit(tasks)),
            "run" => Ok(Self::Run(tasks)),
            _ => Err(format!("{what:?} is neither `submit` nor `run`")),
        }
    }
}

fn main() {
    let options = Options::parse();
    match options.layer {
        Layer::Machine => go::<Machine>(&options),
        Layer::Streams => go::<Streams>(&options),
    }
}

fn go<S: Stack>(options: &Options) {
    let mut peers = Peers::<S>::new(options.kind);
    // What was counted while the peers connected.
    window();
    for step in &options.steps {
        match *step {
            Step::Submit(tasks) => {
                for first in (0..tasks).step_by(BATCH as usize) {
                    peers.submit(BATCH.min(tasks - first));
                }
            }
            Step::Run(tasks) => peers.run(tasks),
        }
        window();
    }
    // Nobody waits for all that is queued to be dropped, under callgrind.
    std::mem::forget(peers);
}
