//! Large results stay in the memory of what the task returned, and are read from there, until another task could change
//! them: only then are they copied. Most have been read by then.

use std::{
    fmt, mem,
    ops::Range,
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use bytes::{Bytes, BytesMut};
use paraply_common::heap;
use paraply_engine::Lent;
use pyo3::{buffer::PyUntypedBuffer, prelude::*};

use crate::{bell::Bell, mappings, memory};

/// Smaller ones are copied at once: a loan costs a look at all mappings of the process.
const FROM: usize = 16 << 20;

/// What is lent, and what came back.
#[derive(Debug)]
pub(crate) struct Loans {
    bell: Arc<Bell>,
    lent: Mutex<Vec<Weak<Loan>>>,
    /// Buffers that nobody reads any more. Only the main thread can let go of them.
    back: Mutex<Vec<PyUntypedBuffer>>,
}

/// The bytes of a buffer, which has been checked to be contiguous.
struct Loan {
    place: Mutex<Place>,
    size: usize,
    loans: Arc<Loans>,
}

/// Where the bytes are.
enum Place {
    /// In their owner's memory, which no user code runs to change. There is room for a copy: what was promised as a result
    /// cannot fail for want of memory.
    Theirs { buffer: PyUntypedBuffer, room: BytesMut },
    /// In a copy.
    Ours(Bytes),
    /// They are not needed any more.
    Nowhere,
}

impl Loans {
    /// `bell` calls the main thread, when there is something to let go of.
    pub(crate) fn new(bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Self { bell, lent: Mutex::default(), back: Mutex::default() })
    }

    /// Whether a buffer can be lent: it is large, and nobody but this process has its memory.
    pub(crate) fn can_be_lent(buffer: &PyUntypedBuffer) -> bool {
        let (start, size) = (buffer.buf_ptr().addr(), buffer.len_bytes());
        size >= FROM && mappings::are_private(start..start.saturating_add(size)).unwrap_or(false)
    }

    /// Lends a buffer that can be, and is contiguous.
    ///
    /// # Errors
    /// MemoryError if there is no room for a copy.
    pub(crate) fn lend(self: &Arc<Self>, buffer: PyUntypedBuffer) -> PyResult<Arc<dyn Lent>> {
        let size = buffer.len_bytes();
        let room = memory::room_for(size)?;
        let place = Mutex::new(Place::Theirs { buffer, room });
        let loan = Arc::new(Loan { place, size, loans: Arc::clone(self) });
        lock(&self.lent).push(Arc::downgrade(&loan));
        Ok(loan)
    }

    /// User code is to run: what is still lent is copied first.
    pub(crate) fn call_in(&self, py: Python<'_>) {
        let lent = mem::take(&mut *lock(&self.lent));
        for loan in lent.iter().filter_map(Weak::upgrade) {
            loan.copy(py);
        }
        self.clear(py);
    }

    /// Lets go of what came back.
    pub(crate) fn clear(&self, py: Python<'_>) {
        let back = mem::take(&mut *lock(&self.back));
        back.into_iter().for_each(|buffer| buffer.release(py));
    }
}

impl Loan {
    /// Copies the bytes, if they are still elsewhere, and lets go of the buffer.
    fn copy(&self, py: Python<'_>) {
        let (from, mut copy) = match &mut *lock(&self.place) {
            Place::Theirs { buffer, room } => (buffer.buf_ptr() as usize, mem::take(room)),
            _ => return,
        };
        // The session may go on reading meanwhile. The buffer stays: only this thread lets go of buffers.
        // SAFETY: the buffer is contiguous, that long, and held; nobody writes to it.
        unsafe { memory::append(py, from, self.size, &mut copy) };
        let before = match &mut *lock(&self.place) {
            theirs @ Place::Theirs { .. } => mem::replace(theirs, Place::Ours(copy.freeze())),
            _ => return,
        };
        if let Place::Theirs { buffer, .. } = before {
            buffer.release(py);
        }
    }
}

impl Lent for Loan {
    fn size(&self) -> usize {
        self.size
    }

    fn piece(&self, range: Range<usize>) -> Option<Bytes> {
        // Held until they are copied: user code waits for it.
        match &*lock(&self.place) {
            Place::Theirs { buffer, .. } => {
                // SAFETY: the buffer is contiguous, that long, and held; nobody writes to it as long as it is here.
                let all = unsafe { slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), self.size) };
                all.get(range).map(Bytes::copy_from_slice)
            }
            Place::Ours(bytes) => Some(bytes.slice(range)),
            Place::Nowhere => None,
        }
    }

    fn let_go(&self) {
        let place = mem::replace(&mut *lock(&self.place), Place::Nowhere);
        match place {
            Place::Theirs { buffer, room } => {
                lock(&self.loans.back).push(buffer);
                self.loans.bell.ring();
                heap::reuse(room);
            }
            Place::Ours(bytes) => {
                if let Ok(room) = bytes.try_into_mut() {
                    heap::reuse(room);
                }
            }
            Place::Nowhere => {}
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan").field("size", &self.size).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn what_nobody_has_any_more_is_let_go() {
        let loans = loans();
        Python::attach(|py| {
            for is_copied in [false, true] {
                let (bytes, lent) = lent(py, &loans);
                if is_copied {
                    loans.call_in(py);
                }
                drop(lent);
                loans.call_in(py);
                assert!(!is_held(&bytes));
                assert!(lock(&loans.lent).is_empty());
            }
        });
    }
}
