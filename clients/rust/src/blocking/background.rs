//! The runtime on which a client lives that is used without one.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::session::SessionEnd;

/// Shared by all that belongs to a client. It ends after the session.
#[derive(Debug)]
pub(super) struct Background {
    runtime: Option<Runtime>,
    end: SessionEnd,
}

/// A runtime with one thread.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).thread_name("paraply-client").enable_all().build()
}

impl Background {
    pub(super) fn new(runtime: Runtime, end: SessionEnd) -> Self {
        Self { runtime: Some(runtime), end }
    }

    /// Waits for `future` on the caller's thread.
    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        match &self.runtime {
            Some(runtime) => runtime.block_on(future),
            None => unreachable!("it is taken when this is dropped"),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // Nobody holds the session any more, and so it comes to its end.
        if Handle::try_current().is_err() {
            runtime.block_on(self.end.wait());
        }
        runtime.shutdown_background();
    }
}
