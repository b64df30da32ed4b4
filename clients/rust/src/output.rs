//! What tasks write while they run.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
pub use paraply_core::outcome::OutputKind;

use crate::cell::Cell;

/// A piece of what a task wrote.
///
/// ```no_run
/// use futures_util::StreamExt as _;
///
/// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
/// let mut task = client.balanced().execute("for i in range(3): print(i)");
/// let mut output = task.output();
/// while let Some(piece) = output.next().await {
///     print!("{}", piece.text());
/// }
/// task.await
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Output {
    /// Which stream, or what sort of record.
    pub kind: OutputKind,
    /// Bytes of a stream, or one record: JSON of a Jupyter message, a pickle where it is [`OutputKind::Published`],
    /// and a map in MessagePack where it is [`OutputKind::PublishedPortable`].
    pub data: Bytes,
    /// Bytes of the stream that were dropped before these because the task wrote more than the cluster keeps.
    pub dropped: u64,
    /// Where.
    pub engine: u32,
    /// Which run of the task: a retry begins its output anew.
    pub attempt: u32,
}

impl Output {
    /// The bytes as text; what is no UTF-8 in it is replaced.
    ///
    /// ```no_run
    /// # fn example(piece: paraply::Output) {
    /// print!("{}", piece.text());
    /// # }
    /// ```
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }
}

/// The output of a task as it comes, from the beginning. Ends with the task. Made by [`crate::Task::output`].
///
/// ```no_run
/// use futures_util::StreamExt as _;
///
/// # async fn example(task: paraply::Task<()>) {
/// let pieces = task.output().collect::<Vec<_>>().await;
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct OutputStream(pub(crate) Arc<Cell>);

impl Stream for OutputStream {
    type Item = Output;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Output>> {
        self.0.poll_output(context)
    }
}
