//! Payloads and failures between the machines' words and Python's.

use std::sync::Arc;

use bytes::Bytes;
use paraply_core::{
    outcome::{Failure, FailureKind},
    payload::{Buffer, Encoding, Payload},
};
use paraply_engine::LentBuffer;
use pyo3::{
    exceptions::PyValueError,
    intern,
    prelude::*,
    types::{PyBytes, PyList, PyString},
};

use crate::{
    loan::Loans,
    memory::{self, Found},
};

const ENCODINGS: [(Encoding, u8); 6] = [
    (Encoding::Pickle5, 1),
    (Encoding::Msgpack, 2),
    (Encoding::Ndarray, 3),
    (Encoding::Arrow, 4),
    (Encoding::Json, 5),
    (Encoding::Text, 6),
];

const KINDS: [(FailureKind, u8); 8] = [
    (FailureKind::Exception, 1),
    (FailureKind::EngineLost, 2),
    (FailureKind::Aborted, 3),
    (FailureKind::QueueTimeout, 4),
    (FailureKind::RunTimeout, 5),
    (FailureKind::Unreadable, 6),
    (FailureKind::Refused, 7),
    (FailureKind::Cancelled, 8),
];

/// The fields of a Python payload: encoding, buffers and after them the data, Python version.
pub(crate) type Fields<'py> = (u8, Bound<'py, PyList>, Bound<'py, PyString>);

/// What Python makes a payload of. Buffers are writable. All bytes are in a list, so that whoever has read them can let
/// them go while the caller still holds the list.
pub(crate) fn fields(py: Python<'_>, payload: Payload) -> PyResult<Fields<'_>> {
    let encoding =
        ENCODINGS.iter().find(|(encoding, _)| *encoding == payload.encoding).map_or(0, |(_, number)| *number);
    let received = PyList::empty(py);
    for buffer in payload.buffers {
        match buffer {
            Buffer::Inline(bytes) => received.append(memory::writable(py, bytes)?)?,
            Buffer::Blob(blob) => return Err(PyValueError::new_err(format!("blob {} was not fetched", blob.id))),
        }
    }
    received.append(memory::readable(py, payload.data)?)?;
    Ok((encoding, received, PyString::new(py, &String::from_utf8_lossy(&payload.python_version))))
}

/// A `paraply._serialize.Payload`.
pub(crate) fn payload(object: &Bound<'_, PyAny>) -> PyResult<Payload> {
    read_payload(object, |_, buffer| memory::take(buffer))
}

/// A payload that a task returned. Its large buffers are lent if `may_lend` says so; others are copied now, because user
/// code may change them as soon as it runs again.
pub(crate) fn result(
    object: &Bound<'_, PyAny>,
    loans: &Arc<Loans>,
    may_lend: impl Fn() -> bool,
) -> PyResult<(Payload, Vec<LentBuffer>)> {
    let mut lent = Vec::new();
    let payload = read_payload(object, |position, buffer| match memory::find(buffer)? {
        Found::Fixed(bytes) => Ok(bytes),
        Found::Changeable(buffer) if Loans::is_large(&buffer) && may_lend() && Loans::is_private(&buffer) => {
            lent.push(LentBuffer { position, bytes: loans.lend(buffer)? });
            Ok(Bytes::new())
        }
        Found::Changeable(buffer) => memory::copy(object.py(), buffer),
    })?;
    Ok((payload, lent))
}

fn read_payload(
    object: &Bound<'_, PyAny>,
    mut take: impl FnMut(usize, &Bound<'_, PyAny>) -> PyResult<Bytes>,
) -> PyResult<Payload> {
    let py = object.py();
    let number: u8 = object.getattr(intern!(py, "encoding"))?.extract()?;
    let encoding = ENCODINGS.iter().find(|(_, known)| *known == number).map(|(encoding, _)| *encoding);
    let buffers = object.getattr(intern!(py, "buffers"))?.try_iter()?.enumerate();
    Ok(Payload {
        encoding: encoding.ok_or_else(|| PyValueError::new_err(format!("unknown encoding {number}")))?,
        python_version: text(&object.getattr(intern!(py, "python_version"))?),
        buffers: buffers.map(|(nth, item)| Ok(Buffer::Inline(take(nth, &item?)?))).collect::<PyResult<_>>()?,
        data: memory::take(&object.getattr(intern!(py, "data"))?)?,
        data_blob: None,
    })
}

/// A `paraply_engine._failure.Failure`.
pub(crate) fn failure(object: &Bound<'_, PyAny>) -> PyResult<Failure> {
    let py = object.py();
    let number: u8 = object.getattr(intern!(py, "kind"))?.extract()?;
    let exception = object.getattr(intern!(py, "exception"))?;
    Ok(Failure {
        kind: KINDS.iter().find(|(_, known)| *known == number).map_or(FailureKind::Exception, |(kind, _)| *kind),
        type_name: text(&object.getattr(intern!(py, "type_name"))?),
        message: text(&object.getattr(intern!(py, "message"))?),
        traceback: text(&object.getattr(intern!(py, "traceback"))?),
        exception: if exception.is_none() { None } else { Some(payload(&exception)?) },
        engine: None,
    })
}

/// An exception that escaped the Python part, such as an interrupt that came while a failure was being described.
pub(crate) fn escaped(py: Python<'_>, error: &PyErr) -> Failure {
    let name = error.get_type(py).name().map_or_else(|_| "Exception".into(), |name| name.to_string());
    let message =
        error.value(py).str().map_or_else(|_| String::new(), |message| message.to_string_lossy().into_owned());
    Failure {
        kind: FailureKind::Exception,
        type_name: name.into(),
        message: message.into(),
        traceback: Bytes::new(),
        exception: None,
        engine: None,
    }
}

/// Text as UTF-8; lone surrogates become question marks.
fn text(object: &Bound<'_, PyAny>) -> Bytes {
    let encode = || object.call_method1(intern!(object.py(), "encode"), ("utf-8", "replace"));
    encode()
        .ok()
        .and_then(|bytes| Some(Bytes::copy_from_slice(bytes.cast::<PyBytes>().ok()?.as_bytes())))
        .unwrap_or_default()
}
