//! Wakes the main thread, which waits for work and for signals at once.

use std::{io, mem::MaybeUninit, os::fd::AsRawFd as _, os::fd::OwnedFd};

use paraply_common::fork::{self, Listed};
use rustix::event::{EventfdFlags, eventfd};

/// An eventfd: rung from any thread, waited for on one.
#[derive(Debug)]
pub(crate) struct Bell {
    _listed: Listed,
    fd: OwnedFd,
}

/// All signals are blocked on this thread while it lives, so that none slips in between looking and waiting.
pub(crate) struct SignalsHeld(libc::sigset_t);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        let (fd, listed) = fork::list(|| Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))?;
        Ok(Self { _listed: listed, fd })
    }

    pub(crate) fn ring(&self) {
        // It can only fail because the bell has not been heard 2^64 times.
        let _rung = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// Returns when the bell was rung or a signal was handled, also one that came while `held` held it back.
    pub(crate) fn wait(&self, held: &SignalsHeld) {
        let mut poll = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd, no time-out, a signal mask that outlives the call.
        if unsafe { libc::ppoll(&raw mut poll, 1, std::ptr::null(), &raw const held.0) } > 0 {
            let _heard = rustix::io::read(&self.fd, &mut [0_u8; 8]);
        }
    }
}

impl SignalsHeld {
    pub(crate) fn new() -> Self {
        let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: both sets are written before they are read; the call cannot fail with these arguments.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for SignalsHeld {
    fn drop(&mut self) {
        // SAFETY: restores what `new` found.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}
