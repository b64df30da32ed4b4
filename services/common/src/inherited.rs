//! Descriptors that whoever started this process has passed on, named by number on the command line.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
    path::Path,
};

use rustix::io::{FdFlags, fcntl_setfd};

/// Takes the descriptor; no child of this process will have it too.
///
/// # Errors
/// If it is one of the standard streams, or not open.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    let refused =
        |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, format!("file descriptor {number} {why}")));
    if number <= 2 {
        return refused("is one of the standard streams");
    }
    if !Path::new("/proc/self/fd").join(number.to_string()).exists() {
        return refused("is not open");
    }
    // SAFETY: it is open, and the command line names it because it was passed to this process for this purpose; nothing
    // else in it knows the number. Each option that names one is taken once.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
    Ok(descriptor)
}

/// Resolves when the other end of the pipe is closed: the process that holds it is dead, or wants us to end.
///
/// # Errors
/// If it is not the reading end of a pipe.
pub fn closed(pipe: OwnedFd) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut pipe = tokio::net::unix::pipe::Receiver::from_owned_fd(pipe)?;
    Ok(async move {
        use tokio::io::AsyncReadExt as _;
        while matches!(pipe.read(&mut [0; 64]).await, Ok(1..)) {}
    })
}
