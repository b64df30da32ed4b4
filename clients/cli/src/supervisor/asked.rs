//! The supervisor's socket: each connection's requests become events, each answered before the next is read.

use std::{io, os::unix::net::UnixListener, time::Duration};

use paraply_common::{
    clock,
    spawn::{Task, spawn, spawn_detached},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    sync::{mpsc, oneshot},
};

use super::event::Outside;
use crate::control::{LONGEST_LINE, Reply, Request};

/// After a connection that could not be taken.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes connections for as long as the task lives.
pub(super) fn listen<E>(listener: UnixListener, events: mpsc::Sender<E>) -> io::Result<Task<()>>
where
    E: From<Outside> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    let listener = tokio::net::UnixListener::from_std(listener)?;
    Ok(spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => spawn_detached(serve(stream, events.clone())),
                // Descriptors are short: at once it would fail again.
                Err(_) => clock::sleep_until(clock::now() + PAUSE).await,
            }
        }
    }))
}

async fn serve<E: From<Outside> + Send>(stream: UnixStream, events: mpsc::Sender<E>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        match (&mut stream).take(LONGEST_LINE).read_line(&mut line).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(_) => return,
        }
        let reply = answer(&line, &events).await;
        let Ok(mut text) = serde_json::to_vec(&reply) else { return };
        text.push(b'\n');
        if stream.write_all(&text).await.is_err() {
            return;
        }
    }
}

async fn answer<E: From<Outside>>(line: &str, events: &mpsc::Sender<E>) -> Reply {
    let request: Request = match serde_json::from_str(line) {
        Ok(request) => request,
        Err(error) => return Reply::error("invalid", format!("not a request that this version knows: {error}")),
    };
    let stopping = || Reply::error("stopping", "the cluster is being stopped");
    let (reply, answered) = oneshot::channel();
    if events.send(Outside::Asked(request, reply).into()).await.is_err() {
        return stopping();
    }
    answered.await.unwrap_or_else(|_| stopping())
}
