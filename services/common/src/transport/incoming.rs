//! The connections of all listeners of a service, as one stream.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::{listener::Listener, socket::Killable};
use crate::clock;

/// How long nothing is accepted after an error such as "too many open files", which trying again at once makes worse.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Incoming {
    listeners: Vec<Listener>,
    killed: CancellationToken,
    pause: Option<Pin<Box<Sleep>>>,
    /// Since the last connection that was accepted, one was not: said once, not twenty times a second.
    failing: bool,
    /// Which listener is asked first: each in turn, so that none starves another.
    first: usize,
}

impl Incoming {
    pub(super) fn new(listeners: Vec<Listener>, killed: CancellationToken) -> Self {
        Self { listeners, killed, pause: None, failing: false, first: 0 }
    }
}

impl Stream for Incoming {
    type Item = io::Result<Killable>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(pause) = &mut this.pause {
                std::task::ready!(pause.as_mut().poll(cx));
                this.pause = None;
            }
            let count = this.listeners.len();
            let mut failed = None;
            for turn in 0..count {
                let index = (this.first + turn) % count;
                match this.listeners[index].poll_accept(cx) {
                    Poll::Ready(Ok(socket)) => {
                        this.first = (index + 1) % count;
                        this.failing = false;
                        let killed = Box::pin(this.killed.clone().cancelled_owned());
                        return Poll::Ready(Some(Ok(Killable { socket, killed })));
                    }
                    Poll::Ready(Err(error)) => failed = Some(error),
                    Poll::Pending => {}
                }
            }
            let Some(error) = failed else { return Poll::Pending };
            if !std::mem::replace(&mut this.failing, true) {
                tracing::warn!(%error, "cannot accept a connection; trying again until it works");
            }
            this.pause = Some(Box::pin(clock::sleep_until(clock::now() + PAUSE)));
        }
    }
}
