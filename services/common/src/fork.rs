//! What a forked child must not keep: user code forks (`multiprocessing`, C libraries), and a child that holds the
//! engine's sockets keeps them open after the engine is dead, so that nobody sees its death.
//!
//! Descriptors are listed here while they are open. A `pthread_atfork` handler closes them in the child before anything
//! else runs there. Creating a descriptor and listing it is one step as far as forks can tell.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd as _, RawFd},
    sync::{
        Once,
        atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering},
    },
};

const FREE: i32 = -1;

static LISTED: [AtomicI32; 128] = [const { AtomicI32::new(FREE) }; 128];
static CREATING: AtomicBool = AtomicBool::new(false);
static FORKED: AtomicBool = AtomicBool::new(false);
static TERMINATE_HANDLER: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);

/// Keeps a descriptor listed. Drop it before the descriptor is closed: its number may be another's then.
#[derive(Debug)]
#[must_use = "a descriptor is listed for as long as this lives"]
pub struct Listed(usize);

/// Installs the handlers. Does nothing the second time.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: the handlers touch only the statics above and call only async-signal-safe functions.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(in_parent), Some(in_child)) };
    });
}

/// Whether this process is a child that a task forked: nothing of the engine works in it.
#[must_use]
pub fn is_child() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// Makes a descriptor and lists it, with no fork in between.
///
/// # Errors
/// What `create` returns; `ENFILE` if too many are listed.
pub fn list<F: AsFd>(create: impl FnOnce() -> io::Result<F>) -> io::Result<(F, Listed)> {
    let _lock = Creating::lock();
    let made = create()?;
    let listed = enter(made.as_fd().as_raw_fd())?;
    Ok((made, listed))
}

/// What `make` makes, under a number that is not that of a standard stream. A task may have closed these, and they are put
/// back when the next one begins: on top of whatever has their number then.
///
/// # Errors
/// What `make` returns.
pub fn above_standard_streams<F: AsFd>(make: impl Fn() -> io::Result<F>) -> io::Result<F> {
    let mut below = Vec::new();
    loop {
        let made = make()?;
        if made.as_fd().as_raw_fd() > libc::STDERR_FILENO {
            return Ok(made);
        }
        below.push(made);
    }
}

/// Lists every descriptor that `create` opens, for as long as the process lives. For what hides its descriptors, such as
/// a runtime; no other thread may open any meanwhile.
///
/// # Errors
/// If `/proc/self/fd` cannot be read, or too many are listed.
pub fn list_all_opened<T>(create: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let before = open_descriptors()?;
    let made = create()?;
    for fd in open_descriptors()?.into_iter().filter(|fd| !before.contains(fd)) {
        std::mem::forget(enter(fd)?);
    }
    Ok(made)
}

/// Children get back the default action for SIGTERM, where the handler is still the one installed now: ours would
/// swallow the signal by which their parent ends them.
pub fn reset_terminate_handler_in_children() {
    TERMINATE_HANDLER.store(terminate_handler(), Ordering::Relaxed);
}

impl Drop for Listed {
    fn drop(&mut self) {
        LISTED[self.0].store(FREE, Ordering::Release);
    }
}

fn enter(fd: RawFd) -> io::Result<Listed> {
    let free = |slot: &AtomicI32| slot.compare_exchange(FREE, fd, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    LISTED.iter().position(free).map(Listed).ok_or_else(|| io::Error::from_raw_os_error(libc::ENFILE))
}

/// Descriptors that are open still when the listing is over, its own not among them.
fn open_descriptors() -> io::Result<Vec<RawFd>> {
    let listing: Vec<RawFd> =
        fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // SAFETY: F_GETFD on any number only asks.
    Ok(listing.into_iter().filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0).collect())
}

/// Held while a descriptor is made and listed, and while a fork is under way.
struct Creating;

impl Creating {
    fn lock() -> Self {
        while CREATING.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            std::thread::yield_now();
        }
        Self
    }
}

impl Drop for Creating {
    fn drop(&mut self) {
        CREATING.store(false, Ordering::Release);
    }
}

fn terminate_handler() -> usize {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks for the present action; zeroes are a valid sigaction should that fail.
    unsafe {
        libc::sigaction(libc::SIGTERM, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction
    }
}

unsafe extern "C" fn before_fork() {
    std::mem::forget(Creating::lock());
}

unsafe extern "C" fn in_parent() {
    drop(Creating);
}

unsafe extern "C" fn in_child() {
    FORKED.store(true, Ordering::Relaxed);
    for slot in &LISTED {
        let fd = slot.swap(FREE, Ordering::Relaxed);
        if fd != FREE {
            // SAFETY: listed, so open and the engine's; nothing of the engine runs in the child.
            unsafe { libc::close(fd) };
        }
    }
    let ours = TERMINATE_HANDLER.load(Ordering::Relaxed);
    if ours != libc::SIG_DFL && terminate_handler() == ours {
        // SAFETY: async-signal-safe.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_DFL) };
    }
    drop(Creating);
}
