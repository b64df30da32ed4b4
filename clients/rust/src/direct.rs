//! Calls on engines that were named.

use std::collections::BTreeMap;

use paraply_core::{
    call::{Placement, Work},
    id::EngineId,
    payload::Payload,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    args::{Args, sealed::Sealed as _},
    balanced::execute,
    error::Error,
    function::{Function, IntoFunction},
    options::{Options, options},
    session::{Session, Submission},
    targets::Targets,
    task::{Read, Task},
    tasks::Tasks,
    value,
};

/// What engines do beside calling users' functions: these are in the Python package that every engine has.
const PUSH: &str = "paraply._ops:push";
const PULL: &str = "paraply._ops:pull";

/// A view of the engines that were named: each call is a task on each of them. Calls of one client on one engine run in
/// the order in which they were made. Cheap to clone; its options hold for the calls that are made with it. Made by
/// [`crate::Client::direct`].
///
/// ```no_run
/// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
/// let view = client.direct([0, 1]);
/// view.push("x", &42).await?;
/// view.execute("y = x + 1").await?;
/// assert_eq!(view.pull::<i64>("y").await?, [43, 43]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a view does nothing by itself"]
pub struct Direct {
    session: Session,
    options: Options,
    targets: Targets,
}

impl Direct {
    pub(crate) fn new(session: Session, targets: Targets) -> Self {
        Self { session, options: Options::default(), targets }
    }

    options!();

    /// Calls a Python function on each engine. What is wrong with the call itself is said where its results would be.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// let processes: Vec<u32> = client.direct([0, 1]).apply("os:getpid", ()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn apply<R: DeserializeOwned>(&self, function: impl IntoFunction, args: impl Args) -> Tasks<R> {
        let call = || self.call(&function.into_function()?, vec![args.payload()?], value::decode);
        Tasks::new(call())
    }

    /// Executes Python code in the namespace of each engine.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// client.broadcast().execute("import numpy as np").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn execute(&self, code: &str) -> Tasks<()> {
        Tasks::new(self.engines().and_then(|engines| {
            let head = self.options.head(execute(code), Placement::Direct { engines }, "execute");
            self.submit(Submission { head, arguments: Vec::new(), function: None }, |_| Ok(()))
        }))
    }

    /// Assigns a value to a name on each engine. The name may be dotted or indexed: anything that can stand left of `=`.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// client.broadcast().push("weights", &[0.5, 0.25]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn push<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Tasks<()> {
        let call = || self.operation(PUSH, vec![assignment(name, value)?], |_| Ok(()));
        Tasks::new(call())
    }

    /// The value of an expression on each engine.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// let sums: Vec<f64> = client.broadcast().pull("sum(weights)").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn pull<R: DeserializeOwned>(&self, expression: &str) -> Tasks<R> {
        let call = || self.operation(PULL, vec![(expression,).payload()?], value::decode);
        Tasks::new(call())
    }

    /// Cuts items into as many parts as there are engines, and assigns to a name on each engine its part. The first parts
    /// are one longer where they cannot be equal.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// let view = client.broadcast();
    /// view.scatter("part", &[1, 2, 3, 4, 5]).await?;
    /// view.execute("part = [2 * x for x in part]").await?;
    /// assert_eq!(view.gather::<i64>("part").await?, [2, 4, 6, 8, 10]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn scatter<T: Serialize>(&self, name: &str, items: &[T]) -> Tasks<()> {
        Tasks::new(self.engines().and_then(|engines| {
            let parts = parts(items, engines.len());
            let arguments: Result<_, _> = parts.map(|part| assignment(name, part)).collect();
            self.operation_on(engines, PUSH, arguments?, |_| Ok(()))
        }))
    }

    /// The parts of a list, one on each engine, put together in the order of the engines.
    ///
    /// # Errors
    /// The first failure, if a task fails.
    ///
    /// ```no_run
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// let all: Vec<f64> = client.broadcast().gather("part").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn gather<R: DeserializeOwned + Unpin>(&self, name: &str) -> Result<Vec<R>, Error> {
        let parts = self.pull::<Vec<R>>(name).await?;
        Ok(parts.into_iter().flatten().collect())
    }

    fn engines(&self) -> Result<Vec<EngineId>, Error> {
        let engines = self.targets.engines(&self.session)?;
        if engines.is_empty() {
            let advice = "start some with `paraply start -n 4`, or wait for them with `wait_for_engines`";
            return Err(Error::Refused(format!("there is no engine to call on: {advice}")));
        }
        Ok(engines)
    }

    fn call<R>(&self, function: &Function, arguments: Vec<Payload>, read: Read<R>) -> Result<Vec<Task<R>>, Error> {
        self.call_on(self.engines()?, function, arguments, read)
    }

    fn operation<R>(&self, name: &str, arguments: Vec<Payload>, read: Read<R>) -> Result<Vec<Task<R>>, Error> {
        self.call(&Function::reference(name)?, arguments, read)
    }

    fn operation_on<R>(
        &self,
        engines: Vec<EngineId>,
        name: &str,
        arguments: Vec<Payload>,
        read: Read<R>,
    ) -> Result<Vec<Task<R>>, Error> {
        self.call_on(engines, &Function::reference(name)?, arguments, read)
    }

    fn call_on<R>(
        &self,
        engines: Vec<EngineId>,
        function: &Function,
        arguments: Vec<Payload>,
        read: Read<R>,
    ) -> Result<Vec<Task<R>>, Error> {
        let work = Work::Function(function.sent().digest);
        let head = self.options.head(work, Placement::Direct { engines }, function.name());
        self.submit(Submission { head, arguments, function: Some(function.sent()) }, read)
    }

    fn submit<R>(&self, call: Submission, read: Read<R>) -> Result<Vec<Task<R>>, Error> {
        let cells = self.session.submit(call)?;
        Ok(cells.into_iter().map(|cell| Task::new(cell, self.session.clone(), read)).collect())
    }
}

/// The arguments of `PUSH`.
fn assignment<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<Payload, Error> {
    Ok((BTreeMap::from([(name, value)]),).payload()?)
}

/// Contiguous parts, as many as are asked for.
fn parts<T>(items: &[T], count: usize) -> impl Iterator<Item = &[T]> {
    let (size, longer) = (items.len() / count.max(1), items.len() % count.max(1));
    let end = move |nth: usize| nth * size + nth.min(longer);
    (0..count).map(move |nth| &items[end(nth)..end(nth + 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_contiguous_and_the_first_are_longer() {
        let cut = |length: usize, count| {
            let items: Vec<usize> = (0..length).collect();
            parts(&items, count).map(<[usize]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(cut(5, 2), [vec![0, 1, 2], vec![3, 4]]);
        assert_eq!(cut(1, 3), [vec![0], vec![], vec![]]);
        assert_eq!(cut(4, 2), [[0, 1], [2, 3]]);
    }
}
