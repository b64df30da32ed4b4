//! The Python runtime of the engine, as an extension module: user code runs on the main thread of the interpreter that
//! was started, everything else on threads that never need the GIL.

mod bell;
mod convert;
mod engine;
mod interrupts;
mod loan;
mod mappings;
mod memory;
mod output;
mod process;
mod runtime;
mod serve;

use paraply_common::fork;
use paraply_core::outcome::OutputKind;
use pyo3::{
    exceptions::{PyRuntimeError, PyValueError},
    prelude::*,
    types::PyBytes,
};

/// `paraply_engine._native`.
#[pymodule]
#[pyo3(name = "_native")]
mod native {
    #[pymodule_export]
    use super::{current_task, emit, engine::Engine, engine_id, is_child, leave};

    /// Keys of labels that engines set themselves.
    #[pymodule_export]
    const RESERVED_LABELS: [&str; 2] = paraply_engine::RESERVED_LABELS;
}

/// The id of this process's engine, and of the engine that forked it. It has one by the time that it runs tasks.
#[pyfunction]
fn engine_id() -> PyResult<u32> {
    let missing = || PyRuntimeError::new_err("this process is not a registered engine");
    engine::RUNTIME.get().and_then(|runtime| runtime.engine_id()).ok_or_else(missing)
}

/// Session, index and attempt of the running task, or None.
#[pyfunction]
fn current_task(py: Python<'_>) -> Option<(Bound<'_, PyBytes>, u64, u32)> {
    let attempt = engine::current_task()?;
    Some((PyBytes::new(py, &attempt.task.session.to_bytes()), attempt.task.index, attempt.attempt))
}

/// Sends a record of the running task: `kind` is a number of `paraply.common.v1.OutputKind`.
#[pyfunction]
fn emit(kind: u8, data: &Bound<'_, PyAny>) -> PyResult<()> {
    let kind = match kind {
        3 => OutputKind::DisplayData,
        4 => OutputKind::ExecuteResult,
        5 => OutputKind::ExecuteInput,
        6 => OutputKind::Published,
        _ => return Err(PyValueError::new_err(format!("{kind} is not a kind of record"))),
    };
    let runtime = engine::runtime().ok_or_else(|| PyRuntimeError::new_err("this process is not an engine"))?;
    runtime.capture.record(kind, memory::take(data)?).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

/// Whether this process is a child that a task forked.
#[pyfunction]
fn is_child() -> bool {
    fork::is_child()
}

/// Ends the process at once, without finalising the interpreter under the feet of the engine's threads.
#[pyfunction]
fn leave(code: i32) {
    process::leave(code);
}
