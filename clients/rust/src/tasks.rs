//! The handles of a call on several engines.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::FutureExt as _;

use crate::{error::Error, task::Task};

/// The tasks of a call on several engines, in the order of the engines: a future of all their results.
///
/// It waits for each of them, and then gives the first failure, if there is one; [`Tasks::settled`] gives them all.
///
/// ```no_run
/// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
/// let processes: Vec<u32> = client.broadcast().apply("os:getpid", ()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping the handles cancels the tasks: await them, or `detach` them"]
pub struct Tasks<T> {
    tasks: Vec<Task<T>>,
    ends: Vec<Option<Result<T, Error>>>,
    /// Why there are none.
    refused: Option<Error>,
}

impl<T> Tasks<T> {
    pub(crate) fn new(tasks: Result<Vec<Task<T>>, Error>) -> Self {
        let (tasks, refused) = match tasks {
            Ok(tasks) => (tasks, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let ends = tasks.iter().map(|_| None).collect();
        Self { tasks, ends, refused }
    }

    /// How many there are.
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// let tasks = client.broadcast().execute("import numpy");
    /// println!("on {} engines", tasks.len());
    /// # drop(tasks);
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none, because the call was refused.
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// assert!(!client.broadcast().execute("import numpy").is_empty());
    /// # }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The handles, one a task, to be awaited each on its own.
    ///
    /// # Errors
    /// The call was refused.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// for task in client.broadcast().apply::<u32>("os:getpid", ()).each()? {
    ///     println!("{:?}: {:?}", task.engine(), task.await);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn each(mut self) -> Result<Vec<Task<T>>, Error> {
        match self.refused.take() {
            Some(error) => Err(error),
            None => Ok(mem::take(&mut self.tasks)),
        }
    }

    /// Every result and every failure, once all tasks are over.
    ///
    /// # Errors
    /// The call was refused.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// for result in client.broadcast().apply::<f64>("math:sqrt", (-1.0,)).settled().await? {
    ///     println!("{result:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn settled(self) -> Result<Vec<Result<T, Error>>, Error> {
        let mut ends = Vec::new();
        for task in self.each()? {
            ends.push(task.await);
        }
        Ok(ends)
    }

    /// Cancels each of them: it does not start, or is interrupted.
    ///
    /// ```no_run
    /// # async fn example(tasks: paraply::Tasks<f64>) {
    /// tasks.cancel();
    /// println!("{:?}", tasks.await);
    /// # }
    /// ```
    pub fn cancel(&self) {
        self.tasks.iter().for_each(Task::cancel);
    }

    /// Drops the handles, and lets the tasks run. That the call was refused, where it was, is only logged.
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// client.broadcast().execute("import numpy").detach();
    /// # }
    /// ```
    pub fn detach(mut self) {
        if let Some(error) = &self.refused {
            tracing::warn!(%error, "a call that was let go of was refused");
        }
        mem::take(&mut self.tasks).into_iter().for_each(Task::detach);
    }
}

impl<T: Unpin> Future for Tasks<T> {
    type Output = Result<Vec<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(error) = this.refused.take() {
            return Poll::Ready(Err(error));
        }
        for (task, end) in this.tasks.iter_mut().zip(&mut this.ends) {
            if end.is_none()
                && let Poll::Ready(result) = task.poll_unpin(context)
            {
                *end = Some(result);
            }
        }
        if this.ends.iter().any(Option::is_none) {
            return Poll::Pending;
        }
        Poll::Ready(mem::take(&mut this.ends).into_iter().flatten().collect())
    }
}
