//! Bytes between the two worlds, copied as little as their owners allow.

use std::{ffi::c_int, ptr, thread};

use bytes::{Bytes, BytesMut};
use paraply_common::heap;
use pyo3::{
    buffer::PyUntypedBuffer,
    exceptions::{PyBufferError, PyMemoryError},
    ffi, intern,
    prelude::*,
    pybacked::PyBackedBytes,
    types::{PyByteArray, PyBytes, PyMemoryView},
};

use crate::engine;

/// Below this a copy costs less than keeping a message alive.
const COPY_BELOW: usize = 64 << 10;

/// From here on other threads of Python run while bytes are copied.
const DETACH_FROM: usize = 1 << 20;

/// From here on several threads copy: most of the time goes into pages that the system makes and clears for it, and each
/// core does that for itself.
const SHARED_FROM: usize = 64 << 20;

/// The most that do. Few already take all that memory gives.
const COPIERS: usize = 4;

/// Large bytes that arrived, as a writable buffer: arrays made over it own their memory like any other.
#[pyclass(module = "paraply_engine._native")]
pub(crate) struct Memory(BytesMut);

#[pymethods]
impl Memory {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    // SAFETY: called by the interpreter with a valid `view`. The bytes neither move nor go while a view keeps `slf`
    // alive, since nothing resizes them.
    unsafe fn __getbuffer__(mut slf: PyRefMut<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let length = ffi::Py_ssize_t::try_from(slf.0.len()).map_err(|_| PyBufferError::new_err("too large"))?;
        let start = slf.0.as_mut_ptr();
        // SAFETY: as above; PyBuffer_FillInfo takes a new reference to the object.
        let filled = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start.cast(), length, 0, flags) };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// As something to unpickle from: `bytes`, or a buffer where that would cost a large copy.
pub(crate) fn readable(py: Python<'_>, bytes: Bytes) -> PyResult<Bound<'_, PyAny>> {
    if bytes.len() < COPY_BELOW { Ok(PyBytes::new(py, &bytes).into_any()) } else { memory(py, bytes) }
}

/// As a writable buffer that nobody else sees.
pub(crate) fn writable(py: Python<'_>, bytes: Bytes) -> PyResult<Bound<'_, PyAny>> {
    if bytes.len() < COPY_BELOW { Ok(PyByteArray::new(py, &bytes).into_any()) } else { memory(py, bytes) }
}

fn memory(py: Python<'_>, bytes: Bytes) -> PyResult<Bound<'_, PyAny>> {
    // Taken over where nobody else holds it, as with bytes that came through the blob store; else copied.
    let owned = match bytes.try_into_mut() {
        Ok(owned) => owned,
        Err(shared) => {
            let mut copy = room_for(shared.len())?;
            py.detach(|| copy.extend_from_slice(&shared));
            copy
        }
    };
    Ok(Bound::new(py, Memory(owned))?.into_any())
}

impl Drop for Memory {
    fn drop(&mut self) {
        heap::reuse(std::mem::take(&mut self.0));
    }
}

/// Room for so many bytes.
///
/// # Errors
/// MemoryError if there is none.
fn room_for(length: usize) -> PyResult<BytesMut> {
    heap::room_for(length).map_err(|_| too_many(length))
}

pub(crate) fn too_many(bytes: usize) -> PyErr {
    PyMemoryError::new_err(format!("{bytes} bytes are more than this engine's memory can take"))
}

/// The bytes of an object.
pub(crate) enum Found {
    /// Nobody changes them.
    Fixed(Bytes),
    /// User code may change them as soon as it runs again. They are contiguous.
    Changeable(PyUntypedBuffer),
}

/// The bytes of `object`. Those of immutable `bytes` are held, if they are many, also where a view of all of them is given.
pub(crate) fn find(object: &Bound<'_, PyAny>) -> PyResult<Found> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Found::Fixed(hold(bytes)));
    }
    let buffer = PyUntypedBuffer::get(object)?;
    if !buffer.is_c_contiguous() && !buffer.is_fortran_contiguous() {
        return Err(PyBufferError::new_err("a buffer of a result must be contiguous"));
    }
    Ok(match viewed_whole(object, buffer.len_bytes()) {
        Some(bytes) => Found::Fixed(hold(&bytes)),
        None => Found::Changeable(buffer),
    })
}

/// The bytes of `object` as they are now.
pub(crate) fn take(object: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    match find(object)? {
        Found::Fixed(bytes) => Ok(bytes),
        Found::Changeable(buffer) => copy(object.py(), buffer),
    }
}

/// A copy of a contiguous buffer.
pub(crate) fn copy(py: Python<'_>, buffer: PyUntypedBuffer) -> PyResult<Bytes> {
    let length = buffer.len_bytes();
    let mut copy = room_for(length)?;
    // SAFETY: the buffer is contiguous, that long, and held for the copy.
    unsafe { append(py, buffer.buf_ptr() as usize, length, &mut copy) };
    buffer.release(py);
    Ok(copy.freeze())
}

/// Copies `length` bytes from an address to the end of what is in `room`, which has as much left.
///
/// # Safety
/// They can be read, and nobody writes to them meanwhile.
pub(crate) unsafe fn append(py: Python<'_>, from: usize, length: usize, room: &mut BytesMut) {
    let left = room.spare_capacity_mut();
    assert!(left.len() >= length, "there is less room than was asked for");
    // As numbers: other threads may have them while the interpreter does not wait.
    let to = left.as_mut_ptr() as usize;
    // SAFETY: the caller's word for what is read; there is that much room, which overlaps nothing.
    let copy_part = |start, length| unsafe {
        ptr::copy_nonoverlapping((from + start) as *const u8, (to + start) as *mut u8, length);
    };
    match length {
        ..DETACH_FROM => copy_part(0, length),
        DETACH_FROM..SHARED_FROM => py.detach(|| copy_part(0, length)),
        SHARED_FROM.. => py.detach(|| share(length, copy_part)),
    }
    // SAFETY: they were written just now.
    unsafe { room.set_len(room.len() + length) };
}

/// Has some threads work on `length` bytes, each on a part: where it starts, and how long it is.
fn share(length: usize, work: impl Fn(usize, usize) + Copy + Send) {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(COPIERS);
    let part = length.div_ceil(threads);
    thread::scope(|scope| {
        for start in (0..length).step_by(part) {
            let work = move || work(start, part.min(length - start));
            // The last part is this thread's, and any for which the system has no other.
            if start + part >= length || thread::Builder::new().spawn_scoped(scope, work).is_err() {
                work();
            }
        }
    });
}

fn hold(bytes: &Bound<'_, PyBytes>) -> Bytes {
    if bytes.as_bytes().len() < COPY_BELOW {
        Bytes::copy_from_slice(bytes.as_bytes())
    } else {
        Bytes::from_owner(Held(Some(PyBackedBytes::from(bytes.clone()))))
    }
}

/// Bytes of Python's, which only a thread of Python can let go of: the main thread is called for that.
struct Held(Option<PyBackedBytes>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let size = self.as_ref().len();
        drop(self.0.take());
        if size >= DETACH_FROM
            && let Some(runtime) = engine::runtime()
        {
            runtime.bell.ring();
        }
    }
}

/// The `bytes` that `object` is a view of, if it is one of all of them: contiguous, and `length` bytes long.
fn viewed_whole<'py>(object: &Bound<'py, PyAny>, length: usize) -> Option<Bound<'py, PyBytes>> {
    let view = object.cast::<PyMemoryView>().ok()?;
    let viewed = view.getattr(intern!(object.py(), "obj")).ok()?.cast_into::<PyBytes>().ok()?;
    (viewed.as_bytes().len() == length).then_some(viewed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_held_and_what_can_change_is_copied() {
        Python::initialize();
        Python::attach(|py| {
            for size in [100_000, 5 << 20, SHARED_FROM + 12_345] {
                let bytes = PyBytes::new(py, &vec![7; size]);
                let view = PyMemoryView::from(bytes.as_any()).unwrap();
                assert_eq!(take(&view).unwrap().as_ptr(), bytes.as_bytes().as_ptr(), "a view of all of it");
                let part = view.get_item(pyo3::types::PySlice::new(py, 1, isize::MAX, 1)).unwrap();
                let copied = take(&part).unwrap();
                assert_ne!(copied.as_ptr(), bytes.as_bytes()[1..].as_ptr());
                assert_eq!(copied, bytes.as_bytes()[1..]);
                let changing = PyByteArray::new(py, bytes.as_bytes());
                let copied = take(&changing).unwrap();
                changing.set_item(0, 8).unwrap();
                assert_eq!(copied, bytes.as_bytes());
            }
        });
    }

    #[test]
    fn more_than_memory_takes_is_an_error() {
        Python::initialize();
        Python::attach(|py| {
            let error = room_for(usize::MAX >> 2).unwrap_err();
            assert!(error.is_instance_of::<PyMemoryError>(py), "{error}");
        });
    }
}
