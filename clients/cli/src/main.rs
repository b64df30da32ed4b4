//! The `paraply` command: the composition root of the project.
//!
//! It is the one program that links the controller and the scheduler. `paraply start` supervises a cluster on this
//! machine; the other subcommands talk to such a supervisor, or to the services themselves.

mod autoscale;
mod cluster_client;
mod command;
mod compose;
mod control;
mod error;
mod fleet;
mod folder;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod lock;
mod open_files;
mod record;
mod supervisor;
mod table;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::error::Error;

#[derive(Debug, Parser)]
#[command(name = "paraply", version, about, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  paraply start -n 4                 a cluster of four engines, until Ctrl-C
  paraply start -n 4 --daemonize     the same in the background
  paraply start --autoscale 0:8      as many as there is work for
  paraply status                     its engines, queues and versions
  paraply status --watch             the same, live, with rates and the tasks that run for longest
  paraply explain TASK               where a task is, and why
  paraply trace -o trace.json        when and where tasks ran, for ui.perfetto.dev
  paraply engines -n 2               two engines more
  paraply scale 8                    as many as make eight
  paraply stop                       the end of it
  paraply connect --compose          the way to the one that `docker compose up` started

In Python:
  import paraply as ipp
  rc = ipp.Client()                  finds the running cluster
  rc[:].apply_sync(lambda: 6 * 7)    [42, 42, 42, 42]";

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a cluster on this machine
    Start(command::start::Start),
    /// Stop clusters
    Stop(command::stop::Stop),
    /// List the clusters that `paraply start` started
    List(command::list::List),
    /// Ask a running cluster for its engines, queues and versions
    Status(command::status::Status),
    /// Say where tasks are, and why
    Explain(command::explain::Explain),
    /// Write when and where tasks ran, for a trace viewer
    Trace(command::trace::Trace),
    /// Add engines to a running cluster
    Engines(command::engines::Engines),
    /// Have so many engines in a running cluster
    Scale(command::scale::Scale),
    /// Make certificates and tokens for a cluster that others reach
    Credentials(command::credentials::Credentials),
    /// Write the connection file of a cluster that runs in containers
    Connect(command::connect::Connect),
    /// Ask an admin listener whether its process serves: the health check of a container
    Health(command::health::Health),
    /// Run the controller, one of the two services of a cluster
    Controller(Box<command::controller::Controller>),
    /// Run the scheduler, the other one
    Scheduler(Box<command::scheduler::Scheduler>),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Start(start) => start.run(),
        Command::Stop(stop) => stop.run(),
        Command::List(list) => list.run(),
        Command::Status(status) => status.run(),
        Command::Explain(explain) => explain.run(),
        Command::Trace(trace) => trace.run(),
        Command::Engines(engines) => engines.run(),
        Command::Scale(scale) => scale.run(),
        Command::Credentials(credentials) => credentials.run(),
        Command::Connect(connect) => connect.run(),
        Command::Health(health) => health.run(),
        Command::Controller(controller) => controller.run(),
        Command::Scheduler(scheduler) => scheduler.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A service's standard error may be a log on a full disk: the exit status is to be this all the same.
            let _ = writeln!(io::stderr(), "paraply: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// The runtime of the subcommands: they wait much and compute nothing.
fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("cannot start the event loop"))?;
    let outcome = runtime.block_on(future);
    // Connections are closed with the process and no sooner: at the other end of one, its end is that of the process.
    std::mem::forget(runtime);
    outcome
}

/// What blocks, on a thread of its own: the event loop goes on.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(Error::service)?
}
