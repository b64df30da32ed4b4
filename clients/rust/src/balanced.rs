//! Calls that run wherever there is room.

use std::time::Duration;

use bytes::Bytes;
use paraply_core::{
    call::{Placement, Work},
    id::EngineId,
    payload::Payload,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    args::{Args, sealed::Sealed as _},
    error::Error,
    function::{Function, IntoFunction},
    labels::Labels,
    map::{Map, Starmap},
    options::{Options, options},
    session::{Session, Submission},
    task::Task,
    value,
};

/// A view of the cluster in which each task runs on whatever engine has room for it. Cheap to clone; its options hold for
/// the calls that are made with it. Made by [`crate::Client::balanced`].
///
/// ```no_run
/// use std::time::Duration;
///
/// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
/// let view = client.balanced().retries(2).run_timeout(Duration::from_secs(60));
/// let root: f64 = view.apply("math:sqrt", (2.0,)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a view does nothing by itself"]
pub struct Balanced {
    session: Session,
    options: Options,
    engines: Vec<EngineId>,
    /// It was given engines, and none.
    is_for_none: bool,
    labels: Labels,
    retries: u32,
    queue_timeout: Option<Duration>,
}

impl Balanced {
    pub(crate) fn new(session: Session) -> Self {
        let (options, engines, labels) = (Options::default(), Vec::new(), Labels::default());
        Self { session, options, engines, is_for_none: false, labels, retries: 0, queue_timeout: None }
    }

    options!();

    /// Only engines of these ids. Where there are none of them, a call is [`Error::Refused`].
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// let view = client.balanced().only([0, 2]);
    /// # }
    /// ```
    pub fn only(mut self, engines: impl IntoIterator<Item = u32>) -> Self {
        self.engines = engines.into_iter().map(EngineId).collect();
        self.is_for_none = self.engines.is_empty();
        self
    }

    /// Only engines that carry each of these labels with this value. While none does, tasks wait for one to join. A call with
    /// more than 16 labels, or 1024 bytes of them, is [`Error::Refused`].
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// let view = client.balanced().labels([("runtime", "native")]);
    /// # }
    /// ```
    pub fn labels<K: Into<String>, V: Into<String>>(mut self, labels: impl IntoIterator<Item = (K, V)>) -> Self {
        self.labels = Labels::new(labels);
        self
    }

    /// How often a task runs again, elsewhere, when it failed or its engine was lost.
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// let view = client.balanced().retries(3);
    /// # }
    /// ```
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// A task that was not started within so long fails with [`Error::QueueTimeout`].
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// let view = client.balanced().queue_timeout(std::time::Duration::from_secs(5));
    /// # }
    /// ```
    pub fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.queue_timeout = Some(timeout);
        self
    }

    /// Calls a Python function. What is wrong with the call itself is said where its result would be.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// let root: f64 = client.balanced().apply("math:sqrt", (2.0,)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn apply<R: DeserializeOwned>(&self, function: impl IntoFunction, args: impl Args) -> Task<R> {
        let submitted = function.into_function().and_then(|function| self.call(&function, vec![args.payload()?]));
        match submitted.map(|mut tasks| tasks.pop()) {
            Ok(Some(task)) => task,
            Ok(None) => Task::failed(self.session.clone(), Error::Refused("the call has no task".into())),
            Err(error) => Task::failed(self.session.clone(), error),
        }
    }

    /// Executes Python code in the namespace of an engine.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// client.balanced().execute("print('hello')").await
    /// # }
    /// ```
    pub fn execute(&self, code: &str) -> Task<()> {
        let head = self.options.head(execute(code), self.placement(&self.labels), "execute");
        let call = Submission { head, arguments: Vec::new(), function: None };
        let submitted = self.check_engines().and_then(|()| self.session.submit(call));
        match submitted.map(|mut cells| cells.pop()) {
            Ok(Some(cell)) => Task::new(cell, self.session.clone(), |_| Ok(())),
            Ok(None) => Task::failed(self.session.clone(), Error::Refused("the call has no task".into())),
            Err(error) => Task::failed(self.session.clone(), error),
        }
    }

    /// Calls a Python function with each item: a stream of the results. Nothing is submitted before the stream is polled,
    /// and no more than its window holds at a time, so that items may go on for ever.
    ///
    /// ```no_run
    /// use futures_util::TryStreamExt as _;
    ///
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// let roots: Vec<f64> = client.balanced().map::<f64, _>("math:sqrt", 0..1000).try_collect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn map<R, I>(&self, function: impl IntoFunction, items: I) -> Map<R, I::IntoIter>
    where
        R: DeserializeOwned,
        I: IntoIterator<Item: Serialize>,
    {
        Map::new(self.clone(), function.into_function(), items.into_iter(), |item| value::encode(&(item,)))
    }

    /// The same with items that are the arguments of a call each.
    ///
    /// ```no_run
    /// use futures_util::TryStreamExt as _;
    ///
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// let pairs = (1..10).map(|n| (n, 2));
    /// let powers: Vec<f64> = client.balanced().starmap::<f64, _>("math:pow", pairs).try_collect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn starmap<R, I>(&self, function: impl IntoFunction, items: I) -> Starmap<R, I::IntoIter>
    where
        R: DeserializeOwned,
        I: IntoIterator<Item: Args>,
    {
        Map::new(self.clone(), function.into_function(), items.into_iter(), |args| args.payload())
    }

    /// One call, of a task an argument.
    pub(crate) fn call<R: DeserializeOwned>(
        &self,
        function: &Function,
        arguments: Vec<Payload>,
    ) -> Result<Vec<Task<R>>, Error> {
        self.check_engines()?;
        let labels = self.labels.clone();
        let labels = if function.is_native() { labels.native() } else { labels };
        let function = function.sent();
        let name = String::from_utf8_lossy(&function.name).into_owned();
        let head = self.options.head(Work::Function(function.digest), self.placement(&labels), &name);
        let cells = self.session.submit(Submission { head, arguments, function: Some(function) })?;
        Ok(cells.into_iter().map(|cell| Task::new(cell, self.session.clone(), value::decode)).collect())
    }

    /// An empty list would be any engine to the scheduler.
    fn check_engines(&self) -> Result<(), Error> {
        if self.is_for_none {
            return Err(Error::Refused("the view is for none of the engines: `only` was given no id".into()));
        }
        Ok(())
    }

    fn placement(&self, labels: &Labels) -> Placement {
        Placement::Balanced {
            engines: self.engines.clone(),
            labels: labels.encoded(),
            retries: self.retries,
            queue_timeout: self.queue_timeout,
        }
    }
}

/// Code, none of whose value is shown.
pub(crate) fn execute(code: &str) -> Work {
    Work::Execute { source: Bytes::copy_from_slice(code.as_bytes()), silent: true, filename: Bytes::new() }
}
