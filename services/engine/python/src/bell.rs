//! Wakes the main thread, which waits for work and for signals at once.

use std::{io, mem::MaybeUninit, os::fd::AsRawFd as _, os::fd::OwnedFd};

use paraply_common::fork::{self, Listed};
use rustix::{
    event::{EventfdFlags, eventfd},
    io::Errno,
};

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

    /// Returns when the bell was rung or a signal was handled, also one that came while `held` held it back. Fails where
    /// the bell is no longer one: user code has closed its descriptor, and perhaps opened something else under its number.
    pub(crate) fn wait(&self, held: &SignalsHeld) -> io::Result<()> {
        let mut poll = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd, no time-out, a signal mask that outlives the call.
        if unsafe { libc::ppoll(&raw mut poll, 1, std::ptr::null(), &raw const held.0) } <= 0 {
            return Ok(());
        }
        match rustix::io::read(&self.fd, &mut [0_u8; 8]) {
            Ok(8) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Ok(_) => Err(io::Error::other("its descriptor is something else now")),
            Err(error) => Err(error.into()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_whose_descriptor_is_gone_says_so_instead_of_ringing_for_ever() {
        let held = SignalsHeld::new();
        let bell = Bell::new().unwrap();
        bell.ring();
        bell.wait(&held).unwrap();
        let kept = bell.fd.try_clone().unwrap();
        // SAFETY: the number is put back below, before the bell closes it.
        unsafe { libc::close(bell.fd.as_raw_fd()) };
        assert_eq!(bell.wait(&held).unwrap_err().raw_os_error(), Some(libc::EBADF));
        // SAFETY: both numbers are this test's.
        unsafe { libc::dup2(kept.as_raw_fd(), bell.fd.as_raw_fd()) };
    }
}
