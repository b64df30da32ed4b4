//! Maps as streams.

use std::{
    collections::VecDeque,
    fmt,
    iter::Fuse,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream::FuturesUnordered};
use paraply_core::payload::Payload;
use serde::de::DeserializeOwned;

use crate::{balanced::Balanced, error::Error, function::Function, task::Task, value::ValueError};

/// Tasks of a map that are submitted and whose results were not read, unless something else is asked for: so many that
/// those which are under way fill whole messages,
const WINDOW: usize = 2048;

/// but fewer where items are large, so that they come to about so many bytes,
const WINDOW_BYTES: u64 = 64 << 20;

/// and never fewer than this.
const LEAST: usize = 16;

/// Large results that are read before somebody wants them.
const AHEAD: usize = 4;

/// The window is filled up again when so much of it is free: tasks that go together are cheaper.
const SHARE: usize = 8;

/// The results of a map, each an item of this stream; a task that fails is an item too, and the stream goes on.
///
/// It takes items when it is polled: so many that as many tasks as [`Map::window`] says are submitted and not read. Who
/// drops it cancels these. Made by [`Balanced::map`].
///
/// ```no_run
/// use futures_util::StreamExt as _;
///
/// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
/// let mut roots = client.balanced().map::<f64, _>("math:sqrt", 0..).window(64).unordered();
/// while let Some(root) = roots.next().await {
///     if root? > 100.0 {
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct Map<R, I: Iterator> {
    view: Balanced,
    function: Result<Function, Error>,
    items: Fuse<I>,
    encode: fn(I::Item) -> Result<Payload, ValueError>,
    window: Option<usize>,
    /// Bytes of the largest item so far.
    largest: u64,
    tasks: Tasks<R>,
    /// No more items are taken,
    over: bool,
    /// for this reason.
    failed: Option<Error>,
}

/// What [`Balanced::starmap`] gives.
///
/// ```no_run
/// # fn example(client: paraply::Client) {
/// let powers: paraply::Starmap<f64, _> = client.balanced().starmap("math:pow", [(2, 3), (3, 2)]);
/// # }
/// ```
pub type Starmap<R, I> = Map<R, I>;

enum Tasks<R> {
    Ordered(VecDeque<Task<R>>),
    Unordered(Unordered<R>),
}

/// Tasks whose results are given as they come: large ones are not read long before somebody wants them.
struct Unordered<R> {
    open: FuturesUnordered<Ending<R>>,
    /// With large results, of which nothing has been read.
    over: VecDeque<Task<R>>,
    reading: FuturesUnordered<Task<R>>,
}

/// A task, and whether its result is large, once it is over.
struct Ending<R>(Option<Task<R>>);

impl<R, I: Iterator> Map<R, I> {
    pub(crate) fn new(
        view: Balanced,
        function: Result<Function, Error>,
        items: I,
        encode: fn(I::Item) -> Result<Payload, ValueError>,
    ) -> Self {
        let tasks = Tasks::Ordered(VecDeque::new());
        Self { view, function, items: items.fuse(), encode, window: None, largest: 1, tasks, over: false, failed: None }
    }

    /// How many tasks may be submitted whose results were not read; at least 1. Unless this says otherwise it is 2048, or so
    /// many as come to 64 MiB where items are large.
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// let roots = client.balanced().map::<f64, _>("math:sqrt", 0..1000).window(16);
    /// # }
    /// ```
    pub fn window(mut self, tasks: usize) -> Self {
        self.window = Some(tasks.max(1));
        self
    }

    /// How many tasks may be submitted.
    fn most(&self) -> usize {
        let fitting = usize::try_from(WINDOW_BYTES / self.largest).unwrap_or(WINDOW);
        self.window.unwrap_or_else(|| fitting.clamp(LEAST, WINDOW))
    }

    /// Gives results as they come, and not in the order of the items. It is said before the first result is read: with tasks
    /// under way it changes nothing.
    ///
    /// ```no_run
    /// # fn example(client: paraply::Client) {
    /// let roots = client.balanced().map::<f64, _>("math:sqrt", 0..1000).unordered();
    /// # }
    /// ```
    pub fn unordered(mut self) -> Self {
        if self.tasks.len() == 0 {
            self.tasks = Tasks::Unordered(Unordered::new());
        }
        self
    }
}

impl<R: DeserializeOwned, I: Iterator> Map<R, I> {
    /// Submits as many items as there is room for, in one call.
    fn refill(&mut self) -> Result<(), Error> {
        let most = self.most();
        if most.saturating_sub(self.tasks.len()) < (most / SHARE).max(1) || self.over {
            return Ok(());
        }
        let function = self.function.clone()?;
        let mut arguments = Vec::new();
        let mut wrong = None;
        while self.tasks.len() + arguments.len() < self.most()
            && let Some(item) = self.items.next()
        {
            match (self.encode)(item) {
                Ok(argument) => {
                    self.largest = self.largest.max(argument.inline_size());
                    arguments.push(argument);
                }
                Err(error) => {
                    wrong = Some(error);
                    break;
                }
            }
        }
        if !arguments.is_empty() {
            let tasks = self.view.call(&function, arguments)?;
            match &mut self.tasks {
                Tasks::Ordered(waiting) => waiting.extend(tasks),
                Tasks::Unordered(waiting) => waiting.open.extend(tasks.into_iter().map(|task| Ending(Some(task)))),
            }
        }
        wrong.map_or(Ok(()), |error| Err(error.into()))
    }
}

impl<R> Tasks<R> {
    fn len(&self) -> usize {
        match self {
            Self::Ordered(tasks) => tasks.len(),
            Self::Unordered(tasks) => tasks.len(),
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<R, Error>>> {
        match self {
            Self::Unordered(tasks) => tasks.poll_next(context),
            Self::Ordered(tasks) => match tasks.front_mut() {
                None => Poll::Ready(None),
                Some(first) => first.poll_unpin(context).map(|result| {
                    tasks.pop_front();
                    Some(result)
                }),
            },
        }
    }
}

impl<R> Unordered<R> {
    fn new() -> Self {
        Self { open: FuturesUnordered::new(), over: VecDeque::new(), reading: FuturesUnordered::new() }
    }

    fn len(&self) -> usize {
        self.open.len() + self.over.len() + self.reading.len()
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<R, Error>>> {
        if let Poll::Ready(Some(result)) = self.reading.poll_next_unpin(context) {
            return Poll::Ready(Some(result));
        }
        while let Poll::Ready(Some((mut task, is_large))) = self.open.poll_next_unpin(context) {
            if is_large {
                self.over.push_back(task);
            } else if let Poll::Ready(result) = task.poll_unpin(context) {
                return Poll::Ready(Some(result));
            } else {
                self.reading.push(task);
            }
        }
        while self.reading.len() < AHEAD
            && let Some(mut task) = self.over.pop_front()
        {
            if let Poll::Ready(result) = task.poll_unpin(context) {
                return Poll::Ready(Some(result));
            }
            self.reading.push(task);
        }
        match self.reading.poll_next_unpin(context) {
            Poll::Ready(Some(result)) => Poll::Ready(Some(result)),
            _ if self.len() == 0 => Poll::Ready(None),
            _ => Poll::Pending,
        }
    }
}

impl<R> Future for Ending<R> {
    type Output = (Task<R>, bool);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &self.0 else { return Poll::Pending };
        let is_large = ready!(task.poll_large(context));
        match self.0.take() {
            Some(task) => Poll::Ready((task, is_large)),
            None => Poll::Pending,
        }
    }
}

impl<R: DeserializeOwned, I: Iterator + Unpin> Stream for Map<R, I> {
    type Item = Result<R, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Err(error) = this.refill() {
            // What was submitted before is given first.
            (this.over, this.failed) = (true, Some(error));
        }
        match this.tasks.poll_next(context) {
            Poll::Ready(None) => Poll::Ready(this.failed.take().map(Err)),
            polled => polled,
        }
    }
}

impl<R, I: Iterator> fmt::Debug for Map<R, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("window", &self.most())
            .field("submitted", &self.tasks.len())
            .finish_non_exhaustive()
    }
}
