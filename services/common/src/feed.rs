//! Reads what a peer says on a stream into a mailbox, until one of the two sides ends it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use crate::mailbox::Mailbox;

/// How long the first message of a stream may take.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);

/// Delivers every message of `inbound`, decoded, in order. Ends when the peer ends its side, when `gone` is cancelled
/// (the response stream was dropped: put the guard of the token into its line's `on_free`), or when the actor has ended.
///
/// # Errors
/// What to end the stream with when the peer says something that cannot be read.
pub async fn feed<M, S>(
    mut inbound: Streaming<M>,
    gone: CancellationToken,
    mailbox: &Mailbox<S>,
    mut decode: impl FnMut(M) -> Result<S, Status>,
) -> Result<(), Status> {
    loop {
        let message = tokio::select! {
            biased;
            () = gone.cancelled() => return Ok(()),
            message = inbound.message() => message,
        };
        let message = match message {
            Ok(Some(message)) => message,
            Err(status) if is_malformed(&status) => return Err(unreadable(&status)),
            // It has ended, or is broken, and then nobody would read a status.
            Ok(None) | Err(_) => return Ok(()),
        };
        if mailbox.send(decode(message)?).await.is_err() {
            return Ok(());
        }
    }
}

/// The first message of a stream.
///
/// # Errors
/// INVALID_ARGUMENT if there is none in good time or it cannot be read; what broke the stream, if that is what it was.
pub async fn first<M>(inbound: &mut Streaming<M>) -> Result<M, Status> {
    in_good_time(next(inbound)).await
}

/// The same, however it is read.
///
/// # Errors
/// INVALID_ARGUMENT if there is none in good time; what reading it ends with.
pub async fn in_good_time<M>(message: impl Future<Output = Result<Option<M>, Status>>) -> Result<M, Status> {
    let message = tokio::time::timeout(FIRST_MESSAGE, message).await;
    let message = message.map_err(|_| Status::invalid_argument("the stream's first message did not come"))?;
    message?.ok_or_else(|| Status::invalid_argument("the stream ended before its first message"))
}

/// The next message of a stream, `None` at its end.
///
/// # Errors
/// INVALID_ARGUMENT if it cannot be read; what broke the stream, if that is what it was.
pub async fn next<M>(inbound: &mut Streaming<M>) -> Result<Option<M>, Status> {
    inbound.message().await.map_err(|status| if is_malformed(&status) { unreadable(&status) } else { status })
}

fn unreadable(status: &Status) -> Status {
    Status::invalid_argument(format!("a message of the stream cannot be read: {}", status.message()))
}

/// The peer sent something that is not the message, or too much of it; any other end of a stream is a broken one.
fn is_malformed(status: &Status) -> bool {
    matches!(status.code(), Code::Internal | Code::OutOfRange | Code::Unimplemented)
}
