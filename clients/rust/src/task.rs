//! The handle of one task.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use paraply_core::{id::TaskId, payload::Payload, session_link::CancelMode};
use serde::de::DeserializeOwned;

use crate::{
    cell::Cell,
    error::Error,
    output::OutputStream,
    session::Session,
    value::{self, ValueError},
};

/// How a result is read.
pub(crate) type Read<T> = fn(&Payload) -> Result<T, ValueError>;

/// One task: a future of its result.
///
/// Who drops it cancels the task: it does not start, or is interrupted. [`Task::detach`] lets it run.
///
/// ```no_run
/// use std::time::Duration;
///
/// # async fn example(client: paraply::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let task = client.balanced().apply::<f64>("math:sqrt", (2.0,));
/// // Out of time, the handle is dropped, and so the task cancelled.
/// let root = tokio::time::timeout(Duration::from_secs(1), task).await??;
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping the handle cancels the task: await it, or `detach` it"]
pub struct Task<T> {
    cell: Arc<Cell>,
    session: Session,
    read: Read<T>,
    fetching: Option<BoxFuture<'static, Result<Payload, Error>>>,
    /// Dropping the handle cancels the task.
    cancels: bool,
}

impl<T> Task<T> {
    pub(crate) fn new(cell: Arc<Cell>, session: Session, read: Read<T>) -> Self {
        Self { cell, session, read, fetching: None, cancels: true }
    }

    /// Its name in the cluster: the session and its index.
    ///
    /// ```no_run
    /// # fn example(task: paraply::Task<f64>) {
    /// println!("submitted {}", task.id());
    /// # drop(task);
    /// # }
    /// ```
    #[must_use]
    pub fn id(&self) -> String {
        TaskId { session: self.session.id(), index: self.cell.index }.to_string()
    }

    /// The engine it runs or ran on, or that it is addressed to, as far as is known.
    ///
    /// ```no_run
    /// # fn example(task: paraply::Task<f64>) {
    /// println!("on engine {:?}", task.engine());
    /// # drop(task);
    /// # }
    /// ```
    #[must_use]
    pub fn engine(&self) -> Option<u32> {
        self.cell.engine()
    }

    /// Which run of it: 0 while none is known, more than 1 where it was retried.
    ///
    /// ```no_run
    /// # fn example(task: paraply::Task<f64>) {
    /// println!("run {}", task.attempt());
    /// # drop(task);
    /// # }
    /// ```
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.cell.attempt()
    }

    /// Whether it has a result, or has failed.
    ///
    /// ```no_run
    /// # fn example(task: paraply::Task<f64>) {
    /// println!("done: {}", task.is_finished());
    /// # drop(task);
    /// # }
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.cell.is_finished()
    }

    /// What it writes, as it comes, from what nobody has read on. Of several streams each piece goes to one.
    ///
    /// ```no_run
    /// use futures_util::StreamExt as _;
    ///
    /// # async fn example(task: paraply::Task<()>) {
    /// let mut output = task.output();
    /// while let Some(piece) = output.next().await {
    ///     print!("{}", piece.text());
    /// }
    /// # drop(task);
    /// # }
    /// ```
    pub fn output(&self) -> OutputStream {
        OutputStream(Arc::clone(&self.cell))
    }

    /// Cancels it: it does not start, or is interrupted. Its result says what came of that.
    ///
    /// ```no_run
    /// # async fn example(task: paraply::Task<f64>) {
    /// task.cancel();
    /// println!("{:?}", task.await);
    /// # }
    /// ```
    pub fn cancel(&self) {
        self.cancel_as(CancelMode::Interrupt { kill_after: None });
    }

    /// The same, and where it still runs after so long, its engine's process is ended.
    ///
    /// ```no_run
    /// # async fn example(task: paraply::Task<f64>) {
    /// task.kill(std::time::Duration::from_secs(5));
    /// println!("{:?}", task.await);
    /// # }
    /// ```
    pub fn kill(&self, after: Duration) {
        self.cancel_as(CancelMode::Interrupt { kill_after: Some(after) });
    }

    /// Has it not start, if it has not started yet.
    ///
    /// ```no_run
    /// # async fn example(task: paraply::Task<f64>) {
    /// task.abort();
    /// println!("{:?}", task.await);
    /// # }
    /// ```
    pub fn abort(&self) {
        self.cancel_as(CancelMode::Abort);
    }

    /// Drops the handle, and lets the task run. That it was refused, where it was, is only logged.
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// client.balanced().execute("import numpy").detach();
    /// # }
    /// ```
    pub fn detach(mut self) {
        if let Some(error) = self.cell.failure() {
            tracing::warn!(%error, "a task that was let go of has failed");
        }
        self.cancels = false;
    }

    /// Once it is over: whether its result is large, and yet to be read.
    pub(crate) fn poll_large(&self, context: &mut Context<'_>) -> Poll<bool> {
        self.cell.poll_large(context)
    }

    fn cancel_as(&self, mode: CancelMode) {
        self.session.cancel(vec![self.cell.index], mode);
    }
}

impl<T: DeserializeOwned> Task<T> {
    /// One that cannot be.
    pub(crate) fn failed(session: Session, error: Error) -> Self {
        Self::new(Cell::failed(error), session, value::decode)
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.fetching.is_none() {
            let outcome = ready!(this.cell.poll_end(context))?;
            let payload = outcome.value.as_ref().map_err(|failure| Error::from(&**failure))?;
            if payload.blobs().next().is_none() {
                return Poll::Ready((this.read)(payload).map_err(Error::from));
            }
            let (session, payload) = (this.session.clone(), payload.clone());
            this.fetching = Some(async move { session.fetch(payload).await }.boxed());
        }
        let fetched = match &mut this.fetching {
            Some(fetching) => ready!(fetching.poll_unpin(context)),
            None => return Poll::Pending,
        };
        this.fetching = None;
        Poll::Ready(fetched.and_then(|payload| Ok((this.read)(&payload)?)))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.session.abandon(&self.cell, self.cancels);
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id())
            .field("engine", &self.engine())
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
