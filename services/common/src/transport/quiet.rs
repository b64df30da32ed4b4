//! A Unix stream that hears of room for writing only while it waits for some.
//!
//! Whenever the peer has read something the kernel says of a Unix socket that it can be written to, and tokio's own stream
//! always listens: each message that is sent wakes its sender a second time, when it arrives. Of a TCP socket the kernel
//! says so only to who has met a full buffer.

use std::{
    io::{self, IoSlice, Write as _},
    os::unix::net::UnixStream,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd};

use crate::fork::{self, Listed};

/// Writes without a wait after which nobody expects one: beginning to wait, and ending it, costs system calls.
const CALM: u32 = 64;

#[derive(Debug)]
pub(super) struct Quiet {
    stream: AsyncFd<UnixStream>,
    room: Option<Room>,
    /// Whether what is opened for it is listed, as the stream is.
    listed: bool,
}

/// The same socket by another descriptor, and so known to epoll a second time: for writing.
#[derive(Debug)]
struct Room {
    /// First, so that it goes before the descriptor is closed.
    _listed: Option<Listed>,
    socket: AsyncFd<UnixStream>,
    /// How many writes had no need of it since the last that had.
    calm: u32,
}

impl Quiet {
    /// Takes a stream over, which has to be in non-blocking mode. Must be called on a runtime.
    pub(super) fn new(stream: UnixStream, listed: bool) -> io::Result<Self> {
        Ok(Self { stream: watched(stream, Interest::READABLE)?, room: None, listed })
    }

    fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(self.stream.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                written => {
                    if let Some(room) = &mut self.room {
                        room.calm += 1;
                    }
                    self.room.take_if(|room| room.calm > CALM);
                    return Poll::Ready(written);
                }
            }
            let room = match &mut self.room {
                Some(room) => room,
                none => none.insert(Room::of(self.stream.get_ref(), self.listed)?),
            };
            room.calm = 0;
            // What it says now is from before this write, or the write after it succeeds.
            ready!(room.socket.poll_write_ready(cx))?.clear_ready();
        }
    }
}

impl Room {
    fn of(stream: &UnixStream, listed: bool) -> io::Result<Self> {
        let (socket, listed) = if listed {
            let (socket, listed) = fork::list(|| fork::above_standard_streams(|| stream.try_clone()))?;
            (socket, Some(listed))
        } else {
            (stream.try_clone()?, None)
        };
        Ok(Self { _listed: listed, socket: watched(socket, Interest::WRITABLE)?, calm: 0 })
    }
}

fn watched(stream: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    // SAFETY: a stream has the same descriptor for as long as it lives, and nobody else closes it.
    Ok(unsafe { AsyncFd::register_with_interest(stream, interest) }?)
}

impl AsyncRead for Quiet {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // SAFETY: nothing is taken out of it, and `recv` only writes what it says it has written.
        let free = unsafe { buffer.unfilled_mut() };
        let room = free.len();
        loop {
            let mut guard = ready!(self.stream.poll_read_ready(cx))?;
            match rustix::net::recv(self.stream.get_ref(), &mut *free, RecvFlags::empty()) {
                Ok(((read, _), _)) => {
                    let read = read.len();
                    // All that there was: asking again would only be told so. The end is never cleared away.
                    if read > 0 && read < room {
                        guard.clear_ready();
                    }
                    // SAFETY: `recv` has filled these.
                    unsafe { buffer.assume_init(read) };
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

impl AsyncWrite for Quiet {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |mut stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |mut stream| stream.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.get_ref().shutdown(std::net::Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn pair() -> (Quiet, Quiet) {
        let (one, other) = UnixStream::pair().unwrap();
        let quiet = |stream: UnixStream| {
            stream.set_nonblocking(true).unwrap();
            Quiet::new(stream, false).unwrap()
        };
        (quiet(one), quiet(other))
    }

    #[tokio::test]
    async fn both_ways_at_once_everything_arrives_in_order() {
        let (one, other) = pair();
        let all: Vec<u8> = (0..8_000_000_u32).map(|n| (n % 251) as u8).collect();
        let ends = [one, other].map(|end| {
            let all = all.clone();
            crate::spawn::spawn(async move {
                let (mut reader, mut writer) = tokio::io::split(end);
                let expected = all.clone();
                let reading = crate::spawn::spawn(async move {
                    let mut read = Vec::new();
                    reader.read_to_end(&mut read).await.unwrap();
                    assert!(read == expected);
                });
                writer.write_all(&all).await.unwrap();
                writer.shutdown().await.unwrap();
                reading.await.unwrap();
            })
        });
        for end in ends {
            end.await.unwrap();
        }
    }

    #[tokio::test]
    async fn who_waits_for_room_has_a_second_descriptor_until_it_is_calm() {
        let (mut writer, mut reader) = pair();
        writer.write_all(b"small").await.unwrap();
        assert!(writer.room.is_none(), "there was room");
        let much = vec![1; 4 << 20];
        let reading = crate::spawn::spawn(async move {
            let mut read = vec![0; 5 + (4 << 20)];
            reader.read_exact(&mut read).await.unwrap();
            (reader, read)
        });
        writer.write_all(&much).await.unwrap();
        assert!(writer.room.is_some(), "four megabytes are more than a socket holds");
        let (mut reader, read) = reading.await.unwrap();
        assert!(read[5..] == much);
        let mut byte = [0];
        for _ in 0..=CALM {
            writer.write_all(b"x").await.unwrap();
            reader.read_exact(&mut byte).await.unwrap();
        }
        assert!(writer.room.is_none());
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_an_end_for_who_reads_and_an_error_for_who_writes() {
        let (mut one, other) = pair();
        drop(other);
        assert_eq!(one.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(one.read(&mut [0; 8]).await.unwrap(), 0, "and again");
        let failed = one.write_all(b"x").await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn who_has_read_all_there_was_waits_for_more() {
        let (mut one, mut other) = pair();
        let mut bytes = [0; 64];
        for text in ["a", "bc"] {
            one.write_all(text.as_bytes()).await.unwrap();
            assert_eq!(other.read(&mut bytes).await.unwrap(), text.len());
        }
        let nothing = tokio::time::timeout(Duration::from_millis(20), other.read(&mut bytes)).await;
        assert!(nothing.is_err());
    }
}
