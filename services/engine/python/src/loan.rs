//! Large results stay in the memory of what the task returned, and are read from there, until another task could change
//! them: only then are they copied. Most have been read by then.

use std::{
    fmt, mem,
    ops::Range,
    slice,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use paraply_common::heap;
use paraply_engine::Lent;
use pyo3::{buffer::PyUntypedBuffer, prelude::*};

use crate::{bell::Bell, mappings, memory, runtime::lock};

/// Smaller ones are copied at once: a loan costs a look at all mappings of the process.
const FROM: usize = 16 << 20;

/// Bytes that are copied before it is asked whether they are still needed.
const STEP: usize = 128 << 20;

/// What is lent, and what came back. Locked last: nobody who holds one of these locks waits for another.
#[derive(Debug)]
pub(crate) struct Loans {
    bell: Arc<Bell>,
    /// Buffers that are not released, as the main thread knows, which is the only one to count.
    held: AtomicUsize,
    // Bounded by the buffers of one result: they are called in before there is another.
    lent: Mutex<Vec<Arc<Loan>>>,
    /// Buffers that nobody reads any more. Only the main thread can let go of them.
    back: Mutex<Vec<PyUntypedBuffer>>,
}

/// The bytes of a buffer, which has been checked to be contiguous.
struct Loan {
    place: Mutex<Place>,
    size: usize,
    loans: Arc<Loans>,
}

/// The borrower's end of a loan, which ends with it.
#[derive(Debug)]
struct Borrowed(Arc<Loan>);

/// Where the bytes are.
enum Place {
    /// In their owner's memory, which no user code runs to change. There is room for a copy, so that what was promised as a
    /// result does not fail for want of it.
    Theirs { buffer: PyUntypedBuffer, room: BytesMut },
    /// In a copy.
    Ours(Bytes),
    /// They are not needed any more.
    Nowhere,
}

impl Loans {
    /// `bell` calls the main thread, when there is something to let go of.
    pub(crate) fn new(bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Self { bell, held: AtomicUsize::new(0), lent: Mutex::default(), back: Mutex::default() })
    }

    /// Whether a buffer is large enough to be lent.
    pub(crate) fn is_large(buffer: &PyUntypedBuffer) -> bool {
        buffer.len_bytes() >= FROM
    }

    /// Whether nobody but this process has the memory of a buffer, as far as the system says.
    pub(crate) fn is_private(buffer: &PyUntypedBuffer) -> bool {
        let start = buffer.buf_ptr().addr();
        mappings::are_private(start..start.saturating_add(buffer.len_bytes())).unwrap_or(false)
    }

    /// Lends a buffer, which is contiguous.
    ///
    /// # Errors
    /// MemoryError if there is no room for a copy.
    pub(crate) fn lend(self: &Arc<Self>, buffer: PyUntypedBuffer) -> PyResult<Arc<dyn Lent>> {
        let size = buffer.len_bytes();
        let room = heap::new_room_for(size).map_err(|_| memory::too_many(size))?;
        let place = Mutex::new(Place::Theirs { buffer, room });
        let loan = Arc::new(Loan { place, size, loans: Arc::clone(self) });
        self.held.fetch_add(1, Relaxed);
        lock(&self.lent).push(Arc::clone(&loan));
        Ok(Arc::new(Borrowed(loan)))
    }

    /// User code is to run: what is still lent is copied first.
    pub(crate) fn call_in(&self, py: Python<'_>) {
        if self.held.load(Relaxed) == 0 {
            return;
        }
        let lent = mem::take(&mut *lock(&self.lent));
        for loan in &lent {
            loan.copy(py);
        }
        // Only now: what happens when an array is gone may be user code too.
        self.clear(py);
    }

    /// Lets go of what came back.
    pub(crate) fn clear(&self, py: Python<'_>) {
        if self.held.load(Relaxed) == 0 {
            return;
        }
        let back = mem::take(&mut *lock(&self.back));
        if self.held.fetch_sub(back.len(), Relaxed) == back.len() {
            lock(&self.lent).clear();
        }
        back.into_iter().for_each(|buffer| buffer.release(py));
    }
}

impl Loan {
    /// Copies the bytes, if they are needed and still elsewhere. The buffer is one to let go of then.
    fn copy(&self, py: Python<'_>) {
        let (from, room) = match &mut *lock(&self.place) {
            Place::Theirs { buffer, room } => (buffer.buf_ptr() as usize, mem::take(room)),
            _ => return,
        };
        let mut copy = heap::take(self.size).unwrap_or(room);
        while copy.len() < self.size && self.is_lent() {
            let (start, length) = (from + copy.len(), STEP.min(self.size - copy.len()));
            // SAFETY: the buffer is contiguous, that long, and held: only this thread lets go of buffers. Nobody writes to
            // it; the session may go on reading.
            unsafe { memory::append(py, start, length, &mut copy) };
        }
        let mut place = lock(&self.place);
        if matches!(*place, Place::Theirs { .. }) {
            self.give_back(mem::replace(&mut *place, Place::Ours(copy.freeze())));
        } else {
            heap::reuse(copy);
        }
    }

    fn is_lent(&self) -> bool {
        matches!(*lock(&self.place), Place::Theirs { .. })
    }

    /// Nobody reads there any more. While the place is locked: who finds it empty finds the buffer among those that came
    /// back.
    fn give_back(&self, place: Place) {
        match place {
            Place::Theirs { buffer, .. } => lock(&self.loans.back).push(buffer),
            Place::Ours(bytes) => heap::reuse_bytes(bytes),
            Place::Nowhere => {}
        }
    }
}

impl Lent for Borrowed {
    fn size(&self) -> usize {
        self.0.size
    }

    fn piece(&self, range: Range<usize>) -> Option<Bytes> {
        // Held until they are copied: user code waits for it.
        match &*lock(&self.0.place) {
            Place::Theirs { buffer, .. } => {
                // SAFETY: the buffer is contiguous, that long, and held; nobody writes to it as long as it is here.
                let all = unsafe { slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), self.0.size) };
                all.get(range).map(Bytes::copy_from_slice)
            }
            Place::Ours(bytes) => (range.end <= bytes.len()).then(|| bytes.slice(range)),
            Place::Nowhere => None,
        }
    }

    fn let_go(&self) {
        let mut place = lock(&self.0.place);
        let before = mem::replace(&mut *place, Place::Nowhere);
        let is_to_be_let_go = matches!(before, Place::Theirs { .. });
        self.0.give_back(before);
        drop(place);
        if is_to_be_let_go {
            self.0.loans.bell.ring();
        }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use pyo3::types::PyByteArray;

    use super::*;
    use crate::bell::SignalsHeld;

    const SIZE: usize = FROM + 3;

    fn lent<'py>(py: Python<'py>, loans: &Arc<Loans>) -> (Bound<'py, PyByteArray>, Arc<dyn Lent>) {
        let bytes = PyByteArray::new(py, &[7; SIZE]);
        let lent = loans.lend(PyUntypedBuffer::get(&bytes).unwrap()).unwrap();
        (bytes, lent)
    }

    fn loans() -> Arc<Loans> {
        Python::initialize();
        Loans::new(Arc::new(Bell::new().unwrap()))
    }

    /// Python resizes no bytes that a buffer has been given of.
    fn is_held(bytes: &Bound<'_, PyByteArray>) -> bool {
        bytes.resize(SIZE + 1).is_err()
    }

    #[test]
    fn bytes_are_read_where_they_are_and_copied_before_user_code_runs() {
        let loans = loans();
        Python::attach(|py| {
            let (bytes, lent) = lent(py, &loans);
            assert_eq!(lent.size(), SIZE);
            bytes.set_item(1, 8).unwrap();
            assert_eq!(lent.piece(0..3).unwrap(), [7, 8, 7][..], "not copied");
            assert!(is_held(&bytes));
            loans.call_in(py);
            bytes.set_item(1, 9).unwrap();
            assert!(!is_held(&bytes));
            assert_eq!(lent.piece(0..3).unwrap(), [7, 8, 7][..], "copied");
            assert_eq!(lent.piece(SIZE - 1..SIZE).unwrap(), [7][..]);
        });
    }

    #[test]
    fn what_was_let_go_is_not_read_and_the_main_thread_lets_go_of_it() {
        let loans = loans();
        Python::attach(|py| {
            let (bytes, lent) = lent(py, &loans);
            lent.let_go();
            assert!(lent.piece(0..1).is_none());
            assert!(is_held(&bytes), "it was perhaps another thread");
            loans.bell.wait(&SignalsHeld::new()).unwrap();
            loans.clear(py);
            assert!(!is_held(&bytes));
        });
    }

    #[test]
    fn a_result_of_several_is_copied_before_anything_is_let_go() {
        /// Bytes whose end scrubs others.
        fn scrubbing<'py>(py: Python<'py>, other: &Bound<'py, PyByteArray>) -> Bound<'py, PyAny> {
            let source = c"\
class Scrubbing(bytearray):
    def __del__(self):
        self.other[0] = 9
";
            let module = PyModule::from_code(py, source, c"scrubbing.py", c"scrubbing").unwrap();
            let made = module.getattr("Scrubbing").unwrap().call1((SIZE,)).unwrap();
            made.setattr("other", other).unwrap();
            made
        }

        let loans = loans();
        Python::attach(|py| {
            let other = PyByteArray::new(py, &[7; SIZE]);
            let first = scrubbing(py, &other);
            let lent = [&first, other.as_any()].map(|of| loans.lend(PyUntypedBuffer::get(of).unwrap()).unwrap());
            drop(first);
            loans.call_in(py);
            assert_eq!(other.get_item(0).unwrap().extract::<u8>().unwrap(), 9);
            assert_eq!(lent[1].piece(0..1).unwrap(), [7][..]);
        });
    }

    #[test]
    fn what_nobody_has_any_more_is_let_go() {
        let loans = loans();
        Python::attach(|py| {
            for is_copied in [false, true] {
                let (bytes, lent) = lent(py, &loans);
                if is_copied {
                    loans.call_in(py);
                }
                let reads = lent.piece(0..1).is_some();
                drop(lent);
                loans.call_in(py);
                assert!(reads && !is_held(&bytes));
            }
        });
    }
}
