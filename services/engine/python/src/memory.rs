//! Bytes between the two worlds, copied as little as their owners allow.

use std::{ffi::c_int, ptr};

use bytes::{Bytes, BytesMut};
use pyo3::{
    buffer::PyUntypedBuffer,
    exceptions::PyBufferError,
    ffi,
    prelude::*,
    pybacked::PyBackedBytes,
    types::{PyByteArray, PyBytes},
};

/// Below this a copy costs less than keeping a message alive.
const COPY_BELOW: usize = 64 << 10;

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
    let owned = bytes.try_into_mut().unwrap_or_else(|shared| py.detach(|| BytesMut::from(&shared[..])));
    Ok(Bound::new(py, Memory(owned))?.into_any())
}

/// The bytes of `object`. Those of immutable `bytes` are held, if they are many; all others are copied now, because user
/// code may change them as soon as it runs again.
pub(crate) fn take(object: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    let py = object.py();
    if let Ok(bytes) = object.cast::<PyBytes>() {
        let length = bytes.as_bytes().len();
        return Ok(if length < COPY_BELOW {
            Bytes::copy_from_slice(bytes.as_bytes())
        } else {
            Bytes::from_owner(PyBackedBytes::from(bytes.clone()))
        });
    }
    let buffer = PyUntypedBuffer::get(object)?;
    if !buffer.is_c_contiguous() && !buffer.is_fortran_contiguous() {
        return Err(PyBufferError::new_err("a buffer of a result must be contiguous"));
    }
    let mut copy = Vec::<u8>::with_capacity(buffer.len_bytes());
    // SAFETY: the buffer is contiguous, len_bytes long, and held for the copy; the vector has that much room.
    unsafe {
        ptr::copy_nonoverlapping(buffer.buf_ptr().cast::<u8>(), copy.as_mut_ptr(), buffer.len_bytes());
        copy.set_len(buffer.len_bytes());
    }
    buffer.release(py);
    Ok(copy.into())
}
