//! Starts the engine's threads, and gives the main thread its loop.

use std::{fs::File, io, os::fd::AsFd as _, path::PathBuf, sync::Arc, sync::OnceLock, time::Duration};

use paraply_common::{
    admin::AdminListener,
    fork,
    telemetry::{self, Spans, attribute},
    transport::tls::TlsSettings,
};
use paraply_core::id::AttemptId;
use paraply_engine::{Config, ExitReason, Identity, Reporter, Reports, labelled, reports};
use pyo3::{exceptions::PyValueError, prelude::*};

use crate::{
    bell::SignalsHeld,
    output::{self, Capture},
    process,
    runtime::PythonRuntime,
    serve::Server,
};

/// How long the main thread has to clean up once the session is over.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// The engine of this process, for what user code asks of it.
pub(crate) static RUNTIME: OnceLock<Arc<PythonRuntime>> = OnceLock::new();

/// The engine's threads. There is one engine a process.
#[pyclass(module = "paraply_engine._native", frozen)]
pub(crate) struct Engine {
    runtime: Arc<PythonRuntime>,
}

#[pymethods]
impl Engine {
    /// Takes descriptors 1 and 2 over and starts to register with the cluster of the connection file.
    #[new]
    #[pyo3(signature = (
        connection, python_version, *, engine_id=None, labels=Vec::new(), parent_fd=None, stop_grace=3.0, linger=0.0,
        result_bytes=None, tls_ca_file=None, tls_cert_file=None, tls_key_file=None, admin=None
    ))]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword of Python's")]
    fn new(
        py: Python<'_>,
        connection: PathBuf,
        python_version: String,
        engine_id: Option<u32>,
        labels: Vec<(String, String)>,
        parent_fd: Option<i32>,
        stop_grace: f64,
        linger: f64,
        result_bytes: Option<u64>,
        tls_ca_file: Option<PathBuf>,
        tls_cert_file: Option<PathBuf>,
        tls_key_file: Option<PathBuf>,
        admin: Option<String>,
    ) -> PyResult<Self> {
        let invalid = |message: String| PyValueError::new_err(message);
        let seconds = |flag: &str, seconds: f64| {
            Duration::try_from_secs_f64(seconds).map_err(|_| invalid(format!("{flag} is not a number of seconds")))
        };
        let stop_grace = seconds("--stop-grace", stop_grace)?;
        let labels = labelled("python", labels).map_err(|error| invalid(error.to_string()))?;
        let identity = Identity { python_version, engine_id, labels };
        let tls = TlsSettings { ca: tls_ca_file, cert: tls_cert_file, key: tls_key_file, client_ca: None };
        let config = Config::read(&connection, tls, identity, stop_grace);
        let mut config = config.map_err(|error| invalid(error.to_string()))?;
        config.linger = seconds("--linger", linger)?;
        config.result_bytes = result_bytes.unwrap_or(config.result_bytes);
        if RUNTIME.get().is_some() {
            return Err(invalid("this process has an engine already".into()));
        }
        fork::install();
        process::lead_group();
        if let Some(fd) = parent_fd {
            process::die_with_parent(fd).map_err(|error| invalid(format!("--parent-fd {fd}: {error}")))?;
        }
        let log = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        telemetry::init_engine(log).map_err(|error| invalid(error.to_string()))?;
        process::log_panics();
        let (reporter, reports) = reports();
        config.spans = start_spans(&config)?;
        let capture = Capture::install(reporter.clone(), config.output_bytes)?;
        match py.detach(|| start(config, admin, &capture, reporter, reports)) {
            Ok(runtime) => {
                let _first = RUNTIME.set(Arc::clone(&runtime));
                Ok(Self { runtime })
            }
            Err(error) => {
                capture.give_back();
                Err(error.into())
            }
        }
    }

    /// Runs tasks on the calling thread, which must be the main one, until the engine is to exit; returns its exit status.
    fn serve(&self, runner: &Bound<'_, PyAny>) -> PyResult<i32> {
        Ok(Server::new(&self.runtime, runner)?.run())
    }
}

/// Where spans go, if the environment names a collector. Its thread is there before others can open anything.
fn start_spans(config: &Config) -> io::Result<Option<Spans>> {
    let _held = SignalsHeld::new();
    let cluster = attribute("paraply.cluster.id", config.connection.cluster_id.clone());
    let spans = fork::list_all_opened(|| Ok(Spans::start("paraply-engine", vec![cluster])))?;
    if let Some(spans) = &spans {
        process::export_at_end(spans.clone());
    }
    Ok(spans)
}

/// The running task: session, index, attempt. None while none runs, and in processes that it forked.
pub(crate) fn current_task() -> Option<AttemptId> {
    RUNTIME.get().filter(|_| !fork::is_child())?.running()
}

/// The runtime, unless this is a child that a task forked.
pub(crate) fn runtime() -> Option<&'static PythonRuntime> {
    RUNTIME.get().filter(|_| !fork::is_child()).map(|runtime| &**runtime)
}

fn start(
    config: Config,
    admin: Option<String>,
    capture: &Arc<Capture>,
    reporter: Reporter,
    reports: Reports,
) -> io::Result<Arc<PythonRuntime>> {
    let runtime = Arc::new(PythonRuntime::new(Arc::clone(capture), reporter)?);
    let reader = Arc::clone(capture);
    process::spawn("paraply-output", move || reader.read_on())?;
    start_session(config, admin, &runtime, reports)?;
    Ok(runtime)
}

/// Starts the thread that speaks to the cluster, and returns when all that it opens for good is open.
fn start_session(
    config: Config,
    admin: Option<String>,
    runtime: &Arc<PythonRuntime>,
    reports: Reports,
) -> io::Result<()> {
    let (opened, is_open) = std::sync::mpsc::sync_channel(1);
    let runtime = Arc::clone(runtime);
    process::spawn("paraply-session", move || {
        let made = fork::list_all_opened(|| {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let terminated = {
                let _entered = tokio.enter();
                paraply_engine::Terminated::new()?
            };
            let admin = admin.map(|address| AdminListener::bind(&address)).transpose().map_err(io::Error::other)?;
            Ok((tokio, terminated, admin))
        });
        fork::reset_terminate_handler_in_children();
        let (tokio, terminated, admin) = match made {
            Ok(made) => {
                let _waiting = opened.send(Ok(()));
                made
            }
            Err(error) => {
                let _waiting = opened.send(Err(error));
                return;
            }
        };
        let running = paraply_engine::run(config, Arc::clone(&runtime) as _, reports, terminated, admin);
        let end = tokio.block_on(running);
        process::begin_last_export();
        let code = match end {
            Ok(ExitReason::Killed) => {
                tracing::error!("a cancelled task did not stop in its time: the engine ends, with all that it started");
                output::drain(process::LAST_OUTPUT);
                process::end_group()
            }
            Ok(reason) => {
                tracing::info!(?reason, "the engine leaves");
                0
            }
            Err(error) => {
                tracing::error!(%error, "the engine leaves");
                1
            }
        };
        // A task that still runs has had its time.
        if runtime.running().is_none() {
            runtime.exit(code);
            std::thread::sleep(CLEAN_UP);
        }
        process::leave(code);
    })?;
    is_open.recv().map_err(|_| io::Error::other("the session's thread did not start"))?
}
