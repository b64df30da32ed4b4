//! Handles that are waited for.

use std::{fmt, sync::Arc};

use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use super::background::Background;
use crate::{
    error::Error,
    output::{Output, OutputStream},
};

/// One task. Who drops it cancels the task. See [`crate::Task`].
///
/// ```no_run
/// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
/// let task = client.balanced().apply::<f64>("math:sqrt", (2.0,));
/// println!("{}", task.wait()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping the handle cancels the task: `wait` for it, or `detach` it"]
pub struct Task<T> {
    task: crate::Task<T>,
    background: Arc<Background>,
}

impl<T> Task<T> {
    pub(super) fn new(task: crate::Task<T>, background: Arc<Background>) -> Self {
        Self { task, background }
    }

    /// Waits for its result.
    ///
    /// # Errors
    /// Why there is none.
    ///
    /// ```no_run
    /// # fn example(task: paraply::blocking::Task<f64>) -> Result<(), paraply::Error> {
    /// println!("{}", task.wait()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(self) -> Result<T, Error> {
        self.background.wait(self.task)
    }

    /// What is known of it, and what it can be told.
    ///
    /// ```no_run
    /// # fn example(task: paraply::blocking::Task<f64>) {
    /// println!("on {:?}", task.handle().engine());
    /// task.handle().cancel();
    /// # }
    /// ```
    pub fn handle(&self) -> &crate::Task<T> {
        &self.task
    }

    /// What it writes, as it comes.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// let task = client.balanced().execute("for i in range(3): print(i)");
    /// for piece in task.output() {
    ///     print!("{}", piece.text());
    /// }
    /// task.wait()
    /// # }
    /// ```
    pub fn output(&self) -> Outputs {
        Outputs { output: self.task.output(), background: Arc::clone(&self.background) }
    }

    /// Drops the handle, and lets the task run.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) {
    /// client.balanced().execute("import numpy").detach();
    /// # }
    /// ```
    pub fn detach(self) {
        self.task.detach();
    }
}

/// What a task writes.
///
/// ```no_run
/// # fn example(client: paraply::blocking::Client) {
/// for piece in client.balanced().execute("print(1)").output() {
///     print!("{}", piece.text());
/// }
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an iterator gives nothing unless it is asked"]
pub struct Outputs {
    output: OutputStream,
    background: Arc<Background>,
}

impl Iterator for Outputs {
    type Item = Output;

    fn next(&mut self) -> Option<Output> {
        self.background.wait(self.output.next())
    }
}

/// The tasks of a call on several engines. Who drops them cancels them. See [`crate::Tasks`].
///
/// ```no_run
/// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
/// let processes: Vec<u32> = client.broadcast().apply("os:getpid", ()).wait()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping the handles cancels the tasks: `wait` for them, or `detach` them"]
pub struct Tasks<T> {
    tasks: crate::Tasks<T>,
    background: Arc<Background>,
}

impl<T: Unpin> Tasks<T> {
    pub(super) fn new(tasks: crate::Tasks<T>, background: Arc<Background>) -> Self {
        Self { tasks, background }
    }

    /// Waits for all their results.
    ///
    /// # Errors
    /// The first failure, once all are over.
    ///
    /// ```no_run
    /// # fn example(tasks: paraply::blocking::Tasks<f64>) -> Result<(), paraply::Error> {
    /// println!("{:?}", tasks.wait()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(self) -> Result<Vec<T>, Error> {
        self.background.wait(self.tasks)
    }

    /// Waits for every result and every failure.
    ///
    /// # Errors
    /// The call was refused.
    ///
    /// ```no_run
    /// # fn example(tasks: paraply::blocking::Tasks<f64>) -> Result<(), paraply::Error> {
    /// println!("{:?}", tasks.settled()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn settled(self) -> Result<Vec<Result<T, Error>>, Error> {
        self.background.wait(self.tasks.settled())
    }

    /// Drops the handles, and lets the tasks run.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) {
    /// client.broadcast().execute("import numpy").detach();
    /// # }
    /// ```
    pub fn detach(self) {
        self.tasks.detach();
    }
}

/// The results of a map. See [`crate::Map`].
///
/// ```no_run
/// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
/// for root in client.balanced().map::<f64, _>("math:sqrt", 0..1000).unordered() {
///     println!("{}", root?);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "an iterator does nothing unless it is asked"]
pub struct Map<R, I: Iterator> {
    map: crate::Map<R, I>,
    background: Arc<Background>,
}

impl<R, I: Iterator> Map<R, I> {
    pub(super) fn new(map: crate::Map<R, I>, background: Arc<Background>) -> Self {
        Self { map, background }
    }

    /// How many tasks may be submitted whose results were not read. See [`crate::Map::window`].
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) {
    /// let roots = client.balanced().map::<f64, _>("math:sqrt", 0..1000).window(16);
    /// # }
    /// ```
    pub fn window(self, tasks: usize) -> Self {
        Self { map: self.map.window(tasks), ..self }
    }

    /// Gives results as they come, and not in the order of the items.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) {
    /// let roots = client.balanced().map::<f64, _>("math:sqrt", 0..1000).unordered();
    /// # }
    /// ```
    pub fn unordered(self) -> Self {
        Self { map: self.map.unordered(), ..self }
    }
}

impl<R: DeserializeOwned, I: Iterator + Unpin> Iterator for Map<R, I> {
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.background.wait(self.map.next())
    }
}

impl<R, I: Iterator> fmt::Debug for Map<R, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map.fmt(f)
    }
}
