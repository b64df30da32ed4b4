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
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

/// Numbers that descriptors can have: Linux's own limit, `fs.nr_open`, where nobody has raised it.
const NUMBERS: usize = 1 << 20;
const WORD: usize = u64::BITS as usize;

/// A bit for each of them. Pages that nobody writes to take no memory.
static LISTED: [AtomicU64; NUMBERS / WORD] = [const { AtomicU64::new(0) }; NUMBERS / WORD];
static CREATING: AtomicBool = AtomicBool::new(false);
static FORKED: AtomicBool = AtomicBool::new(false);
static TERMINATE_HANDLER: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);

/// Keeps a descriptor listed. Drop it before the descriptor is closed: its number may be another's then.
#[derive(Debug)]
#[must_use = "a descriptor is listed for as long as this lives"]
pub struct Listed(RawFd);

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
/// What `create` returns; `EMFILE` if its number is beyond those that can be listed.
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
/// If `/proc/self/fd` cannot be read, or as [`list`].
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
        if let Some((word, bit)) = place(self.0) {
            word.fetch_and(!bit, Ordering::Release);
        }
    }
}

fn enter(fd: RawFd) -> io::Result<Listed> {
    let (word, bit) = place(fd).ok_or_else(|| io::Error::from_raw_os_error(libc::EMFILE))?;
    word.fetch_or(bit, Ordering::AcqRel);
    Ok(Listed(fd))
}

fn place(fd: RawFd) -> Option<(&'static AtomicU64, u64)> {
    let number = usize::try_from(fd).ok()?;
    Some((LISTED.get(number / WORD)?, 1 << (number % WORD)))
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
    for (nth, word) in LISTED.iter().enumerate() {
        // Written to only where there is something: the child is to have no pages of its own for the rest.
        let mut bits = word.load(Ordering::Relaxed);
        if bits != 0 {
            word.store(0, Ordering::Relaxed);
        }
        while bits != 0 {
            let fd = (nth * WORD) as RawFd + bits.trailing_zeros() as RawFd;
            bits &= bits - 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_listed_as_a_process_can_have_open() {
        let is_listed = |fd: RawFd| place(fd).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0);
        // Numbers that no test has open.
        let last = NUMBERS as RawFd - 1;
        let listed: Vec<Listed> = (last - 5000..=last).map(|fd| enter(fd).unwrap()).collect();
        assert!(is_listed(last) && is_listed(last - 5000) && !is_listed(last - 5001));
        drop(listed);
        assert!(!is_listed(last) && !is_listed(last - 5000));
        for beyond in [last + 1, -1] {
            assert_eq!(enter(beyond).unwrap_err().raw_os_error(), Some(libc::EMFILE));
        }
    }
}
