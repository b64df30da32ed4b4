//! The outgoing side of one connection: room for one message between an actor and the transport.
//!
//! The actor puts a message on the line when it is free; the transport takes it and, when it asks for more, the line is
//! free again and the actor is told. What the actor has to say in between it merges into its next message. So a slow
//! peer costs one message of memory and a fast one gets every message at once, without a queue.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_util::Stream;
use tonic::Status;

/// The actor's end. Dropping it ends the stream after the message that is on it.
#[derive(Debug)]
pub struct Line<M> {
    slot: Arc<Mutex<Slot<M>>>,
}

/// The transport's end: the response stream of a server, or (by [`LineStream::requests`]) the request stream of a
/// client.
pub struct LineStream<M> {
    slot: Arc<Mutex<Slot<M>>>,
    on_free: Box<dyn FnMut() + Send>,
}

#[derive(Debug)]
struct Slot<M> {
    message: Option<M>,
    /// Goes after `message`, whether the line is free or not.
    last: Option<M>,
    /// The transport took a message and has not asked for more yet.
    taken: bool,
    end: Option<Result<(), Status>>,
    waker: Option<Waker>,
}

/// A line; `on_free` is called each time that it becomes free again (not for the first time: a line starts free). It is
/// the place to send the machine its `LineFree`, by [`crate::mailbox::Mailbox::notice`].
pub fn line<M>(on_free: impl FnMut() + Send + 'static) -> (Line<M>, LineStream<M>) {
    let slot = Arc::new(Mutex::new(Slot { message: None, last: None, taken: false, end: None, waker: None }));
    (Line { slot: Arc::clone(&slot) }, LineStream { slot, on_free: Box::new(on_free) })
}

impl<M> Line<M> {
    /// Puts `message` on the line, which must be free. If it is not, the machine has broken the rule of lines: rather
    /// than lose a message silently the stream ends with `INTERNAL`, and the peer reconciles on its next one.
    pub fn send(&self, message: M) {
        let mut slot = lock(&self.slot);
        if slot.message.is_some() || slot.taken {
            slot.end.get_or_insert_with(|| Err(Status::internal("two messages at once on one line")));
            tracing::error!("two messages at once on one line: its stream is ended");
        } else if slot.end.is_none() {
            slot.message = Some(message);
        }
        slot.wake();
    }

    /// Ends the stream with a last message, which goes after the one that is on it: why the stream ends has to be said
    /// also where the line is taken.
    pub fn close_with(self, last: M) {
        lock(&self.slot).last.get_or_insert(last);
    }

    /// Ends the stream after the message that is on it: well, or with a status that says what to do about it.
    pub fn close(self, end: Result<(), Status>) {
        lock(&self.slot).end.get_or_insert(end);
    }
}

impl<M> Drop for Line<M> {
    fn drop(&mut self) {
        let mut slot = lock(&self.slot);
        slot.end.get_or_insert(Ok(()));
        slot.wake();
    }
}

impl<M: Send + 'static> LineStream<M> {
    /// As the request stream of a client, which has no way to send a status: it just ends.
    pub fn requests(self) -> impl Stream<Item = M> + Send + 'static {
        tokio_stream::StreamExt::map_while(self, Result::ok)
    }
}

impl<M> Stream for LineStream<M> {
    type Item = Result<M, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut slot = lock(&this.slot);
        if let Some(message) = slot.message.take().or_else(|| slot.last.take()) {
            slot.taken = true;
            return Poll::Ready(Some(Ok(message)));
        }
        if let Some(end) = slot.end.as_mut() {
            return Poll::Ready(std::mem::replace(end, Ok(())).err().map(Err));
        }
        slot.waker = Some(context.waker().clone());
        if std::mem::take(&mut slot.taken) {
            drop(slot);
            (this.on_free)();
        }
        Poll::Pending
    }
}

impl<M> fmt::Debug for LineStream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineStream").finish_non_exhaustive()
    }
}

impl<M> Slot<M> {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

fn lock<M>(slot: &Mutex<Slot<M>>) -> MutexGuard<'_, Slot<M>> {
    // Nothing panics while it is held; if something did, the slot is still whole.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    fn counted<M>() -> (Line<M>, LineStream<M>, Arc<AtomicUsize>) {
        let freed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&freed);
        let (line, stream) = line(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        (line, stream, freed)
    }

    #[test]
    fn is_free_again_when_the_transport_asks_for_more() {
        let (line, mut stream, freed) = counted();
        assert!(stream.next().now_or_never().is_none());
        assert_eq!(freed.load(Ordering::Relaxed), 0, "a line starts free");
        line.send(1);
        assert_eq!(stream.next().now_or_never().unwrap().unwrap().unwrap(), 1);
        assert_eq!(freed.load(Ordering::Relaxed), 0, "taken, but not asked for more");
        assert!(stream.next().now_or_never().is_none());
        assert_eq!(freed.load(Ordering::Relaxed), 1);
        assert!(stream.next().now_or_never().is_none());
        assert_eq!(freed.load(Ordering::Relaxed), 1, "told once");
    }

    #[test]
    fn ends_after_the_message_that_is_on_it() {
        let (line, mut stream, _) = counted();
        line.send(1);
        line.close(Err(Status::not_found("gone")));
        assert_eq!(stream.next().now_or_never().unwrap().unwrap().unwrap(), 1);
        let end = stream.next().now_or_never().unwrap().unwrap();
        assert_eq!(end.unwrap_err().code(), tonic::Code::NotFound);
        assert!(stream.next().now_or_never().unwrap().is_none());
    }

    #[test]
    fn a_last_message_goes_out_though_the_line_is_taken() {
        let (line, mut stream, _) = counted();
        line.send(1);
        assert_eq!(stream.next().now_or_never().unwrap().unwrap().unwrap(), 1);
        line.close_with(2);
        assert_eq!(stream.next().now_or_never().unwrap().unwrap().unwrap(), 2);
        assert!(stream.next().now_or_never().unwrap().is_none());
    }

    #[test]
    fn a_second_message_at_once_ends_the_stream_instead_of_being_lost() {
        let (line, mut stream, _) = counted();
        line.send(1);
        line.send(2);
        assert_eq!(stream.next().now_or_never().unwrap().unwrap().unwrap(), 1);
        let end = stream.next().now_or_never().unwrap().unwrap();
        assert_eq!(end.unwrap_err().code(), tonic::Code::Internal);
    }

    #[test]
    fn a_dropped_line_ends_its_stream() {
        let (line, mut stream, _) = counted::<()>();
        drop(line);
        assert!(stream.next().now_or_never().unwrap().is_none());
    }
}
