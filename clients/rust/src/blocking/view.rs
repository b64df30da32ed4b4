//! Views whose calls are waited for.

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    background::Background,
    task::{Map, Task, Tasks},
};
use crate::{args::Args, error::Error, function::IntoFunction};

/// A view in which each task runs wherever there is room. See [`crate::Balanced`].
///
/// ```no_run
/// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
/// let view = client.balanced().with(|view| view.retries(2).label("nightly"));
/// let root: f64 = view.apply("math:sqrt", (2.0,)).wait()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a view does nothing by itself"]
pub struct Balanced {
    view: crate::Balanced,
    background: Arc<Background>,
}

impl Balanced {
    pub(super) fn new(view: crate::Balanced, background: Arc<Background>) -> Self {
        Self { view, background }
    }

    /// The view with other options.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) {
    /// let view = client.balanced().with(|view| view.retries(2));
    /// # }
    /// ```
    pub fn with(self, change: impl FnOnce(crate::Balanced) -> crate::Balanced) -> Self {
        Self { view: change(self.view), ..self }
    }

    /// Calls a Python function.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// let root: f64 = client.balanced().apply("math:sqrt", (2.0,)).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn apply<R: DeserializeOwned>(&self, function: impl IntoFunction, args: impl Args) -> Task<R> {
        Task::new(self.view.apply(function, args), Arc::clone(&self.background))
    }

    /// Executes Python code in the namespace of an engine.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// client.balanced().execute("print('hello')").wait()
    /// # }
    /// ```
    pub fn execute(&self, code: &str) -> Task<()> {
        Task::new(self.view.execute(code), Arc::clone(&self.background))
    }

    /// Calls a Python function with each item: an iterator over the results. See [`crate::Balanced::map`].
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// let roots: Result<Vec<f64>, _> = client.balanced().map("math:sqrt", 0..1000).collect();
    /// # Ok(())
    /// # }
    /// ```
    pub fn map<R, I>(&self, function: impl IntoFunction, items: I) -> Map<R, I::IntoIter>
    where
        R: DeserializeOwned,
        I: IntoIterator<Item: Serialize>,
    {
        Map::new(self.view.map(function, items), Arc::clone(&self.background))
    }

    /// The same with items that are the arguments of a call each.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// let pairs = (1..10).map(|n| (n, 2));
    /// let powers: Result<Vec<f64>, _> = client.balanced().starmap("math:pow", pairs).collect();
    /// # Ok(())
    /// # }
    /// ```
    pub fn starmap<R, I>(&self, function: impl IntoFunction, items: I) -> Map<R, I::IntoIter>
    where
        R: DeserializeOwned,
        I: IntoIterator<Item: Args>,
    {
        Map::new(self.view.starmap(function, items), Arc::clone(&self.background))
    }
}

/// A view of engines that were named. See [`crate::Direct`].
///
/// ```no_run
/// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
/// let view = client.direct([0, 1]);
/// view.push("x", &42).wait()?;
/// assert_eq!(view.pull::<i64>("x + 1").wait()?, [43, 43]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a view does nothing by itself"]
pub struct Direct {
    view: crate::Direct,
    background: Arc<Background>,
}

impl Direct {
    pub(super) fn new(view: crate::Direct, background: Arc<Background>) -> Self {
        Self { view, background }
    }

    /// The view with other options.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) {
    /// let view = client.broadcast().with(|view| view.label("setup"));
    /// # }
    /// ```
    pub fn with(self, change: impl FnOnce(crate::Direct) -> crate::Direct) -> Self {
        Self { view: change(self.view), ..self }
    }

    /// Calls a Python function on each engine.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// let processes: Vec<u32> = client.broadcast().apply("os:getpid", ()).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn apply<R: DeserializeOwned + Unpin>(&self, function: impl IntoFunction, args: impl Args) -> Tasks<R> {
        Tasks::new(self.view.apply(function, args), Arc::clone(&self.background))
    }

    /// Executes Python code in the namespace of each engine.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// client.broadcast().execute("import numpy as np").wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn execute(&self, code: &str) -> Tasks<()> {
        Tasks::new(self.view.execute(code), Arc::clone(&self.background))
    }

    /// Assigns a value to a name on each engine.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// client.broadcast().push("weights", &[0.5, 0.25]).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn push<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Tasks<()> {
        Tasks::new(self.view.push(name, value), Arc::clone(&self.background))
    }

    /// The value of an expression on each engine.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// let sums: Vec<f64> = client.broadcast().pull("sum(weights)").wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pull<R: DeserializeOwned + Unpin>(&self, expression: &str) -> Tasks<R> {
        Tasks::new(self.view.pull(expression), Arc::clone(&self.background))
    }

    /// Assigns to a name on each engine its part of the items. See [`crate::Direct::scatter`].
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// client.broadcast().scatter("part", &[1, 2, 3, 4]).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn scatter<T: Serialize>(&self, name: &str, items: &[T]) -> Tasks<()> {
        Tasks::new(self.view.scatter(name, items), Arc::clone(&self.background))
    }

    /// The parts of a list, put together in the order of the engines.
    ///
    /// # Errors
    /// The first failure, if a task fails.
    ///
    /// ```no_run
    /// # fn example(client: paraply::blocking::Client) -> Result<(), paraply::Error> {
    /// let all: Vec<f64> = client.broadcast().gather("part")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn gather<R: DeserializeOwned + Unpin>(&self, name: &str) -> Result<Vec<R>, Error> {
        self.background.wait(self.view.gather(name))
    }
}
