//! Output capture at descriptor level: what C code and subprocesses write counts too.
//!
//! Descriptors 1 and 2 are pipes. A thread of its own reads them and never needs the interpreter, so a task that holds
//! the GIL cannot fill a pipe that nobody reads. When a task ends, the main thread asks each pipe how much is unread and
//! reads just that much itself: that is where the task's output ends, though a child it left behind may go on writing.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError},
    time::Duration,
};

use bytes::Bytes;
use paraply_common::{
    clock,
    fork::{self, Listed},
};
use paraply_core::{id::AttemptId, outcome::OutputKind};
use paraply_engine::{
    Reporter,
    output::{RecordError, Std, TaskOutput, Written},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fstat},
    pipe::{PipeFlags, fcntl_setpipe_size, pipe_with},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stderr, stdin, stdout},
};

const PIPE_BYTES: usize = 1 << 20;
const READ_BYTES: usize = 64 << 10;

/// This process's, for whoever ends the process.
static CAPTURE: OnceLock<Arc<Capture>> = OnceLock::new();

/// The captured descriptors 1 and 2 of this process.
#[derive(Debug)]
pub(crate) struct Capture {
    _listed: [Listed; 2],
    pipes: [OwnedFd; 2],
    /// Keep the pipes open whatever user code does to its descriptors.
    writers: [OwnedFd; 2],
    /// Device and inode of each: what descriptors 1 and 2 are while nobody has put them elsewhere.
    identities: [(u64, u64); 2],
    /// What descriptor 0 is: nobody types anything into an engine.
    nothing: File,
    nothing_identity: (u64, u64),
    /// Where the descriptors pointed before: the engine's own log, and what is written while no task runs.
    before: [File; 2],
    state: Mutex<State>,
    reporter: Reporter,
}

#[derive(Debug)]
struct State {
    output: TaskOutput,
    buffer: Box<[u8]>,
}

impl Capture {
    /// Takes descriptors 1 and 2 over, and makes 0 give nothing.
    pub(crate) fn install(reporter: Reporter, limit: u64) -> io::Result<Arc<Self>> {
        let before = [
            File::from(io::stdout().as_fd().try_clone_to_owned()?),
            File::from(io::stderr().as_fd().try_clone_to_owned()?),
        ];
        let nothing = File::open("/dev/null")?;
        dup2_stdin(&nothing)?;
        let (out, out_listed, out_write) = pipe()?;
        let (err, err_listed, err_write) = pipe()?;
        let output = TaskOutput::new(reporter.clone(), limit);
        let state = State { output, buffer: vec![0; READ_BYTES].into() };
        let identities = [identity(&out_write)?, identity(&err_write)?];
        dup2_stdout(&out_write)?;
        dup2_stderr(&err_write)?;
        let capture = Arc::new(Self {
            _listed: [out_listed, err_listed],
            pipes: [out, err],
            writers: [out_write, err_write],
            identities,
            nothing_identity: identity(&nothing)?,
            nothing,
            before,
            state: Mutex::new(state),
            reporter,
        });
        Ok(Arc::clone(CAPTURE.get_or_init(|| capture)))
    }

    /// Descriptors 1 and 2 are again what they were: there will be no engine, and somebody has to hear why.
    pub(crate) fn give_back(&self) {
        let _restored = dup2_stdout(&self.before[0]).and(dup2_stderr(&self.before[1]));
    }

    /// Reads for as long as the process lives, or until user code closes the pipes under it. Needs a thread of its own.
    pub(crate) fn read_on(&self) {
        loop {
            let mut waiting = self.pipes.each_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
            if poll(&mut waiting, None).is_err() {
                continue;
            }
            if waiting.iter().any(|pipe| pipe.revents().contains(PollFlags::NVAL)) {
                tracing::error!("user code has closed the engine's descriptors: no output is captured any more");
                return;
            }
            let ready = waiting.map(|pipe| !pipe.revents().is_empty());
            let mut state = self.lock();
            for which in (0..2).filter(|which| ready[*which]) {
                self.read(&mut state, which, READ_BYTES);
            }
            drop(state);
            self.reporter.wake();
        }
    }

    /// What is written from now on is this task's. Descriptors 0 to 2 are put back if an earlier task has closed them or
    /// put them elsewhere.
    pub(crate) fn begin(&self, attempt: AttemptId) {
        // What cannot be put back (user code has closed the writer too) only costs output.
        if !identity(stdin()).is_ok_and(|found| found == self.nothing_identity) {
            let _put_back = dup2_stdin(&self.nothing);
        }
        if !self.is_writer(0, stdout()) {
            let _put_back = dup2_stdout(&self.writers[0]);
        }
        if !self.is_writer(1, stderr()) {
            let _put_back = dup2_stderr(&self.writers[1]);
        }
        self.lock().output.begin(attempt);
    }

    fn is_writer(&self, which: usize, descriptor: BorrowedFd<'_>) -> bool {
        identity(descriptor).is_ok_and(|found| found == self.identities[which])
    }

    /// The task has ended and its output is flushed: what is in the pipes is its last.
    pub(crate) fn finish(&self) -> Written {
        let mut state = self.lock();
        let mut waiting = self.pipes.each_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        if poll(&mut waiting, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) {
            for which in 0..2 {
                let mut unread = rustix::io::ioctl_fionread(&self.pipes[which]).map_or(0, |n| n as usize);
                while unread > 0 {
                    match self.read(&mut state, which, unread.min(READ_BYTES)) {
                        0 => break,
                        read => unread -= read,
                    }
                }
            }
        }
        state.output.finish()
    }

    /// Sends a display, a result or published data of the running task.
    pub(crate) fn record(&self, kind: OutputKind, data: Bytes) -> Result<(), RecordError> {
        self.lock().output.record(kind, data)
    }

    /// The process is about to end: what is in the pipes goes to the engine's log, as far as it gets in this time.
    fn drain(&self, time: Duration) {
        let until = clock::now() + time;
        let mut state = loop {
            match self.state.try_lock() {
                Ok(state) => break state,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if clock::now() < until => std::thread::yield_now(),
                Err(TryLockError::WouldBlock) => return,
            }
        };
        // Nobody will send what the running task wrote last.
        state.output.abandon();
        for which in 0..2 {
            while clock::now() < until && self.read(&mut state, which, READ_BYTES) > 0 {}
        }
    }

    /// Keeps at most this much of each stream of a task from now on.
    pub(crate) fn limit(&self, bytes: u64) {
        self.lock().output.limit(bytes);
    }

    /// Reads once, at most `most` bytes. Never waits. How much it read.
    fn read(&self, state: &mut State, which: usize, most: usize) -> usize {
        let State { output, buffer } = state;
        let Ok(read) = rustix::io::read(&self.pipes[which], &mut buffer[..most]) else { return 0 };
        let data = &buffer[..read];
        let std = if which == 0 { Std::Out } else { Std::Err };
        if !output.write(std, data) {
            self.pass_on(which, data);
        }
        read
    }

    /// Nobody's output goes where the engine's goes, as long as that does not make anyone wait.
    fn pass_on(&self, which: usize, data: &[u8]) {
        let mut target = &self.before[which];
        for chunk in data.chunks(4096) {
            let mut room = [PollFd::new(target, PollFlags::OUT)];
            let free = poll(&mut room, Some(&Timespec::default())).is_ok_and(|ready| ready > 0);
            if !free || target.write_all(chunk).is_err() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is still in the pipes goes to the engine's log, as far as it gets in this time. For processes that end.
pub(crate) fn drain(time: Duration) {
    if let Some(capture) = CAPTURE.get() {
        capture.drain(time);
    }
}

fn identity(descriptor: impl AsFd) -> rustix::io::Result<(u64, u64)> {
    fstat(descriptor).map(|found| (found.st_dev, found.st_ino))
}

/// Read end, listed and non-blocking, and write end of a pipe with room.
fn pipe() -> io::Result<(OwnedFd, Listed, OwnedFd)> {
    let mut write = None;
    let (read, listed) = fork::list(|| {
        let (read, write_end) = pipe_with(PipeFlags::CLOEXEC)?;
        write = Some(write_end);
        Ok(read)
    })?;
    let write = write.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
    // A smaller pipe (the user's limit may be reached) only makes more wake-ups.
    let _size = fcntl_setpipe_size(&read, PIPE_BYTES);
    rustix::fs::fcntl_setfl(&read, OFlags::NONBLOCK)?;
    Ok((read, listed, write))
}
