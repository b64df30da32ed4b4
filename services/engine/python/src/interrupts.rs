//! What a SIGINT does: what it did when the engine started, whatever a task has installed for itself.

use pyo3::{intern, prelude::*};

/// The handler that tasks are interrupted by.
pub(crate) struct Interrupts<'py> {
    signal: Bound<'py, PyModule>,
    /// Asked after each task: the C function, which costs next to nothing.
    present: Bound<'py, PyAny>,
    handler: Bound<'py, PyAny>,
}

impl<'py> Interrupts<'py> {
    /// Takes the present handler for the engine's.
    pub(crate) fn new(py: Python<'py>) -> PyResult<Self> {
        let signal = py.import("_signal")?;
        let present = signal.getattr("getsignal")?;
        let handler = present.call1((libc::SIGINT,))?;
        Ok(Self { signal, present, handler })
    }

    /// Puts the engine's handler back if a task has left another one.
    pub(crate) fn restore(&self) {
        let is_left = |present: Bound<'py, PyAny>| !present.is(&self.handler);
        if self.present.call1((libc::SIGINT,)).is_ok_and(is_left) {
            let name = intern!(self.signal.py(), "signal");
            if let Err(error) = self.signal.call_method1(name, (libc::SIGINT, &self.handler)) {
                tracing::warn!(%error, "cannot put the handler of SIGINT back");
            }
        }
    }
}
