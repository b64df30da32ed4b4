//! The engine as a process: the head of a process group, gone when its parent is.

use std::{io, os::fd::FromRawFd as _, os::fd::OwnedFd, os::fd::RawFd, sync::OnceLock, thread, time::Duration};

use paraply_common::{fork, telemetry::Spans};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::{Errno, FdFlags, fcntl_setfd},
    process::{Signal, getpgrp, getpid, kill_current_process_group, setpgid},
};

use crate::{bell::SignalsHeld, output};

/// How long the end of the process may wait for the last output to be passed on.
pub(crate) const LAST_OUTPUT: Duration = Duration::from_millis(200);

static SPANS: OnceLock<Spans> = OnceLock::new();

/// The end of the process waits a moment for these spans to be exported.
pub(crate) fn export_at_end(spans: Spans) {
    let _first = SPANS.set(spans);
}

/// No more spans come: those that wait are exported while the main thread cleans up.
pub(crate) fn begin_last_export() {
    SPANS.get().into_iter().for_each(Spans::end);
}

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

/// Ends this process without finalising the interpreter under the feet of other threads. What was written last is passed
/// on before: it may say why.
pub(crate) fn leave(code: i32) -> ! {
    if !fork::is_child() {
        output::drain(LAST_OUTPUT);
        SPANS.get().into_iter().for_each(Spans::finish);
    }
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// A thread that no signal is delivered to: they are the main thread's. The process ends if it panics: an engine that
/// lacks one of its threads would look alive and do nothing.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let _held = SignalsHeld::new();
    let guarded = move || {
        let _guard = EndsOnPanic;
        body();
    };
    thread::Builder::new().name(name.into()).spawn(guarded).map(drop)
}

struct EndsOnPanic;

impl Drop for EndsOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            tracing::error!(thread = thread::current().name(), "a thread of the engine panicked: the engine ends");
            leave(1);
        }
    }
}

/// Panics are told to the engine's log: on standard error they would be a task's output.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// This process, made by the test below.
    const PANICS: &str = "PARAPLY_TEST_THREAD_PANICS";

    #[test]
    #[allow(clippy::panic, reason = "what is tested")]
    fn a_panic_in_a_thread_ends_the_process() {
        if std::env::var_os(PANICS).is_some() {
            spawn("test", || panic!("on purpose")).unwrap();
            loop {
                thread::park();
            }
        }
        let this_test = "process::tests::a_panic_in_a_thread_ends_the_process";
        let mut child = Command::new(std::env::current_exe().unwrap());
        let ended = child.args(["--exact", this_test, "--nocapture"]).env(PANICS, "1").output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&ended.stderr).contains("on purpose"));
    }
}
