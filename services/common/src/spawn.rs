//! The only way to start a task: in the caller's span, and ended when its handle is dropped.

use std::future::Future;

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

/// A running task. Dropping it ends the task at its next await.
pub type Task<T> = AbortOnDropHandle<T>;

/// Runs `future` on a task of its own for as long as the handle lives.
#[must_use = "dropping the handle ends the task"]
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    #[allow(clippy::disallowed_methods, reason = "this is where tasks are started")]
    let handle = tokio::spawn(future.in_current_span());
    AbortOnDropHandle::new(handle)
}

/// The same on a runtime that the caller need not be on.
#[must_use = "dropping the handle ends the task"]
pub fn spawn_on<F>(runtime: &Handle, future: F) -> Task<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    AbortOnDropHandle::new(runtime.spawn(future.in_current_span()))
}

/// Runs `future` on a task of its own that ends by itself, such as the reader of a stream that ends with the stream.
pub fn spawn_detached<F>(future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    #[allow(clippy::disallowed_methods, reason = "this is where tasks are started")]
    drop(tokio::spawn(future.in_current_span()));
}
