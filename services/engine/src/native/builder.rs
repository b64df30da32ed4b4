//! From functions to engines in a cluster.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use paraply_common::{
    admin::AdminListener,
    home, native,
    shutdown::signalled,
    spawn::{Task, spawn},
    telemetry::{Spans, attribute},
    thread::RuntimeThread,
    transport::tls::TlsSettings,
};
use paraply_core::engine_session::ExitReason;

use super::{
    failed,
    function::{
        Erased, Function, Returned, TryReturned,
        sealed::{Returns as _, TryReturns as _},
    },
    runtime::{Functions, NativeRuntime},
};
use crate::{
    config::{Config, Identity},
    error::Error,
    labels::labelled,
    runtime::reports,
    session,
    terminated::{Terminate, Terminated},
};

/// Threads for what computes, unless the builder is told otherwise: one an engine up to here.
const THREADS: usize = 512;

/// How long functions that still run may take to end once their engines have left.
const PATIENCE: Duration = Duration::from_millis(100);

/// A native engine. [`Engine::builder`] makes one.
#[derive(Debug)]
pub enum Engine {}

impl Engine {
    /// An engine without functions.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }
}

/// What an engine can do, and where its cluster is.
#[derive(Default)]
#[must_use = "nothing happens before `run` or `start`"]
pub struct EngineBuilder {
    functions: Vec<(String, Erased)>,
    /// Functions that return a `Result` and say that they do not fail.
    results: Vec<String>,
    connection: Option<PathBuf>,
    tls: TlsSettings,
    labels: Vec<(String, String)>,
    engine_id: Option<u32>,
    engines: Option<usize>,
    threads: Option<usize>,
    stop_grace: Option<Duration>,
    admin: Option<String>,
}

impl EngineBuilder {
    /// Adds a function: called with up to eight arguments that serde reads, after a [`super::Context`] if it wants one. What
    /// it returns, or the future that it returns comes to, is the task's result. That is no `Result`, which
    /// [`try_function`](Self::try_function) is for: `run` and `start` refuse it.
    ///
    /// An ordinary function has a thread to itself while it runs. Async functions share one thread with those of the other
    /// engines of the process, and are ended at an await when their task is cancelled.
    pub fn function<F, K, L>(mut self, name: impl Into<String>, function: F) -> Self
    where
        F: Function<K>,
        F::Output: Returned<L>,
    {
        let name = name.into();
        // serde writes one, as a map of `Ok` or `Err`: a failure would be a success.
        if F::Output::name().starts_with("core::result::Result<") {
            self.results.push(name.clone());
        }
        self.functions.push((name, F::Output::erase(function)));
        self
    }

    /// Adds a function that returns a `Result`, or a future of one: an error is the task's failure, of the error's type and
    /// with what it displays.
    pub fn try_function<F, K, L>(mut self, name: impl Into<String>, function: F) -> Self
    where
        F: Function<K>,
        F::Output: TryReturned<L>,
    {
        self.functions.push((name.into(), F::Output::erase(function)));
        self
    }

    /// The cluster's `engine.json`. Unless it is given, `$PARAPLY_CONNECTION` names it, or it is that of the cluster that
    /// `paraply start` starts.
    pub fn connection(mut self, file: impl Into<PathBuf>) -> Self {
        self.connection = Some(file.into());
        self
    }

    /// Certificates, for clusters whose connection file does not say it all. Unless they are given, `$PARAPLY_ENGINE_TLS_CA_FILE`,
    /// `$PARAPLY_ENGINE_TLS_CERT_FILE` and `$PARAPLY_ENGINE_TLS_KEY_FILE` name them.
    pub fn tls(mut self, tls: TlsSettings) -> Self {
        self.tls = tls;
        self
    }

    /// Says something of the engine that views can select it by. `runtime` and `functions` are the engine's own.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }

    /// The engine id to ask for, given if it was never used. For several engines it is the first one's.
    pub fn engine_id(mut self, id: u32) -> Self {
        self.engine_id = Some(id);
        self
    }

    /// How many engines this process is, each with connections of its own: one unless it is said.
    ///
    /// A signal other than SIGINT that a client sends to one of them reaches the process, and with it all.
    pub fn engines(mut self, engines: usize) -> Self {
        self.engines = Some(engines);
        self
    }

    /// How many ordinary functions may run at a time in this process: as many as there are engines, up to 512, unless it is
    /// said.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// How long a running task may go on after SIGTERM: 3 seconds unless it is said.
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = Some(grace);
        self
    }

    /// Shows health and metrics to whoever asks at this `host:port`.
    pub fn admin(mut self, address: impl Into<String>) -> Self {
        self.admin = Some(address.into());
        self
    }

    /// Is a part of the cluster until the cluster, SIGTERM or Ctrl-C ends it.
    ///
    /// # Errors
    /// If there is no such cluster, it refuses the engine, or something that was said to this builder cannot be.
    pub fn run(self) -> Result<(), Error> {
        let terminate = Terminate::new();
        let engines = self.prepare()?;
        let runtime = tokio()?;
        runtime.block_on(async {
            let running = engines.run(&terminate);
            tokio::pin!(running);
            loop {
                tokio::select! {
                    biased;
                    ended = &mut running => return ended,
                    heard = signalled() => heard?,
                }
                terminate.terminate();
            }
        })
    }

    /// The same within a runtime of tokio, whose signals are left alone: the future ends when the cluster has ended the engines.
    /// Dropping it cuts them off, as if their process had died.
    ///
    /// # Errors
    /// As [`EngineBuilder::run`].
    pub async fn serve(self) -> Result<(), Error> {
        self.prepare()?.run(&Terminate::new()).await
    }

    /// The same on a thread of its own, for programs that do something else too.
    ///
    /// # Errors
    /// As [`EngineBuilder::run`], as far as it is known without asking the cluster.
    pub fn start(self) -> Result<Running, Error> {
        let engines = self.prepare()?;
        let runtime = tokio()?;
        let terminate = Arc::new(Terminate::new());
        let heard = Arc::clone(&terminate);
        let body = move || runtime.block_on(engines.run(&heard));
        let thread = thread::Builder::new().name("paraply-engine".into()).spawn(body)?;
        Ok(Running { terminate, thread: Some(thread) })
    }

    fn prepare(self) -> Result<Engines, Error> {
        if cfg!(panic = "abort") {
            return Err(invalid("it was built with panic = \"abort\": a function that panics would end the engine"));
        }
        let engines = self.engines.unwrap_or(1);
        if engines == 0 || self.threads == Some(0) {
            return Err(invalid("it needs at least one engine, and one thread"));
        }
        if !self.results.is_empty() {
            let names = self.results.join(", ");
            return Err(invalid(&format!(
                "what returns a Result is given to `try_function`, not to `function`: {names}"
            )));
        }
        failed::remember_panics();
        let functions = Arc::new(functions(self.functions)?);
        let path = match self.connection.or_else(|| home::folder("PARAPLY_CONNECTION")) {
            Some(path) => path,
            None => home::clusters()?.join("default/default/engine.json"),
        };
        let mut labels = labelled(native::LABEL.1, self.labels)?;
        labels.push(("functions".into(), functions.names.join(",")));
        let identity = Identity { engine_id: self.engine_id, labels, ..Identity::default() };
        let tls = if self.tls == TlsSettings::default() { TlsSettings::of_engines() } else { self.tls };
        let config = Config::read(&path, tls, identity, self.stop_grace.unwrap_or(Duration::from_secs(3)))?;
        let admin = self.admin.map(|address| AdminListener::bind(&address)).transpose().map_err(io::Error::other)?;
        let cluster = attribute("paraply.cluster.id", config.connection.cluster_id.clone());
        let spans = Spans::start("paraply-engine", vec![cluster]);
        let threads = self.threads.unwrap_or_else(|| engines.min(THREADS));
        Ok(Engines { config: Config { spans, ..config }, engines, functions, admin, threads })
    }
}

/// What is ready to be run.
struct Engines {
    config: Config,
    engines: usize,
    functions: Arc<Functions>,
    admin: Option<AdminListener>,
    threads: usize,
}

impl Engines {
    /// Until all have left, or one is refused.
    async fn run(self, terminate: &Terminate) -> Result<(), Error> {
        let Self { config, engines, functions, mut admin, threads } = self;
        let tasks = RuntimeThread::start("paraply-tasks", threads, PATIENCE)?;
        let mut running = FuturesUnordered::<Task<Result<ExitReason, Error>>>::new();
        for nth in 0..engines {
            let mut config = config.again()?;
            // An id that is past the last one is nobody's to ask for.
            config.identity.engine_id =
                config.identity.engine_id.and_then(|id| id.checked_add(u32::try_from(nth).ok()?));
            let (reporter, reports) = reports();
            let runtime = NativeRuntime::new(Arc::clone(&functions), tasks.spawner(), reporter, config.output_bytes);
            let terminated: Terminated = terminate.terminated();
            running.push(spawn(session::run(config, Arc::new(runtime), reports, terminated, admin.take())));
        }
        let mut first = Ok(());
        while let Some(ended) = running.next().await {
            match ended {
                Ok(Ok(reason)) => tracing::info!(?reason, "an engine has left"),
                Ok(Err(error)) if first.is_ok() => {
                    first = Err(error);
                    terminate.terminate();
                }
                Ok(Err(_)) => {}
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        first
    }
}

/// Engines that run in this process. Dropping it ends them as SIGTERM would, and waits for that.
#[derive(Debug)]
#[must_use = "dropping it ends the engines"]
pub struct Running {
    terminate: Arc<Terminate>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Running {
    /// Lets tasks finish that were claimed, and leaves.
    ///
    /// # Errors
    /// If an engine was refused by its cluster.
    pub fn stop(mut self) -> Result<(), Error> {
        self.terminate.terminate();
        self.join()
    }

    /// Waits until the cluster has ended the engines.
    ///
    /// # Errors
    /// If one was refused.
    pub fn wait(mut self) -> Result<(), Error> {
        self.join()
    }

    fn join(&mut self) -> Result<(), Error> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.terminate.terminate();
        // Whoever wants to know waits or stops.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

fn tokio() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn invalid(why: &str) -> Error {
    Error::Engine(why.into())
}

fn functions(given: Vec<(String, Erased)>) -> Result<Functions, Error> {
    let mut functions = Functions { by_digest: paraply_core::hash::HashMap::default(), names: Vec::new() };
    for (name, function) in given {
        let Some(called) = native::function(&name) else {
            return Err(invalid(&format!("{name:?} names no function: {}", native::RULE)));
        };
        if functions.by_digest.insert(called.digest, function).is_some() {
            return Err(invalid(&format!("there are two functions of the name {name:?}")));
        }
        functions.names.push(name);
    }
    Ok(functions)
}
