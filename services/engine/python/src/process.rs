//! The engine as a process: the head of a process group, gone when its parent is.

use std::{io, os::fd::FromRawFd as _, os::fd::OwnedFd, os::fd::RawFd, thread};

use paraply_common::fork;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::{Errno, FdFlags, fcntl_setfd},
    process::{Signal, getpgrp, getpid, kill_current_process_group, setpgid},
};

use crate::bell::SignalsHeld;

/// Makes this process lead a group of its own, so that whatever tasks start can be ended together with it.
pub(crate) fn lead_group() {
    // Fails where the process leads a session, and with it a group, already.
    let _led = setpgid(None, None);
}

/// Ends the whole process group when the other end of the pipe `fd` is closed: whoever held it is dead.
pub(crate) fn die_with_parent(fd: RawFd) -> io::Result<()> {
    if fd <= 2 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "0 to 2 are the standard streams"));
    }
    // SAFETY: the command line says that this descriptor was passed on for this purpose. One that is not open is refused
    // by the next call, and then its number is not closed.
    let pipe = unsafe { OwnedFd::from_raw_fd(fd) };
    let (pipe, listed) = match fcntl_setfd(&pipe, FdFlags::CLOEXEC) {
        Ok(()) => fork::list(|| Ok(pipe))?,
        Err(error) => {
            std::mem::forget(pipe);
            return Err(error.into());
        }
    };
    spawn("paraply-parent", move || {
        let _listed = listed;
        match wait_for_end(&pipe) {
            Ok(()) => end_group(),
            Err(error) => tracing::warn!(%error, "cannot watch the parent any more"),
        }
    })
}

/// Returns when nobody can write to `pipe` any more. It may be non-blocking: whoever made it says.
fn wait_for_end(pipe: &OwnedFd) -> io::Result<()> {
    loop {
        poll(&mut [PollFd::new(pipe, PollFlags::IN)], None).or_else(ignore_interrupt)?;
        match rustix::io::read(pipe, &mut [0_u8; 64]) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn ignore_interrupt(error: Errno) -> Result<usize, Errno> {
    if error == Errno::INTR { Ok(0) } else { Err(error) }
}

/// Ends this process and all that its tasks started, at once.
pub(crate) fn end_group() -> ! {
    if getpgrp() == getpid() {
        let _killed = kill_current_process_group(Signal::KILL);
    }
    leave(1)
}

/// Ends this process without finalising the interpreter under the feet of other threads.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// A thread that no signal is delivered to: they are the main thread's.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let _held = SignalsHeld::new();
    thread::Builder::new().name(name.into()).spawn(body).map(drop)
}
