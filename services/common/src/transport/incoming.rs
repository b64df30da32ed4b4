//! The connections of all listeners of a service, as one stream.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::{
    crowd::{Crowd, Guest},
    listener::{Arrival, Listener},
    socket::{Killable, Socket},
};
use crate::clock;

/// How long nothing is accepted after an error such as "too many open files", which trying again at once makes worse.
const PAUSE: Duration = Duration::from_millis(50);

/// TLS handshakes at a time. Further connections wait in the backlog; a handshake that is not done in seconds is dropped.
const HANDSHAKES: usize = 1024;

pub(super) struct Incoming {
    listeners: Vec<Listener>,
    killed: CancellationToken,
    pause: Option<Pin<Box<Sleep>>>,
    /// Since the last connection that was accepted, one was not: said once, not twenty times a second.
    failing: bool,
    /// Which listener is asked first: each in turn, so that none starves another.
    first: usize,
    handshakes: FuturesUnordered<BoxFuture<'static, Option<(Socket, Guest)>>>,
    crowd: Crowd,
}

impl Incoming {
    pub(super) fn new(listeners: Vec<Listener>, killed: CancellationToken, crowd: Crowd) -> Self {
        Self { listeners, killed, pause: None, failing: false, first: 0, handshakes: FuturesUnordered::new(), crowd }
    }

    fn accepted(&self, socket: Socket, guest: Guest) -> Killable {
        Killable::new(socket, guest, self.killed.clone().cancelled_owned())
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
            while let Poll::Ready(Some(shaken)) = this.handshakes.poll_next_unpin(cx) {
                if let Some((socket, guest)) = shaken {
                    return Poll::Ready(Some(Ok(this.accepted(socket, guest))));
                }
            }
            let count = this.listeners.len();
            let (mut failed, mut more) = (None, false);
            for turn in 0..count {
                let index = (this.first + turn) % count;
                if this.listeners[index].is_tls() && this.handshakes.len() >= HANDSHAKES {
                    // The end of one brings us back here.
                    continue;
                }
                match this.listeners[index].poll_accept(cx) {
                    Poll::Ready(Ok(arrival)) => {
                        this.first = (index + 1) % count;
                        this.failing = false;
                        let guest = this.crowd.enter();
                        match arrival {
                            Arrival::Ready(socket) => return Poll::Ready(Some(Ok(this.accepted(socket, guest)))),
                            Arrival::Shaking(handshake) => {
                                this.handshakes.push(async move { Some((handshake.await?, guest)) }.boxed());
                            }
                        }
                        more = true;
                        break;
                    }
                    Poll::Ready(Err(error)) => failed = Some(error),
                    Poll::Pending => {}
                }
            }
            if more {
                continue;
            }
            let Some(error) = failed else { return Poll::Pending };
            if !std::mem::replace(&mut this.failing, true) {
                tracing::warn!(%error, "cannot accept a connection; trying again until it works");
            }
            this.pause = Some(Box::pin(clock::sleep_until(clock::now() + PAUSE)));
        }
    }
}
