//! Values that every language reads, as Paraply's payloads: what a Rust program sends to Python, and gets back.
//!
//! Whatever serde can write travels as MessagePack, and is an ordinary object in Python. `docs/protocol.md` says what
//! becomes what.
//!
//! | Rust | Python |
//! |---|---|
//! | `()`, `None` | None |
//! | `bool`, integers up to 64 bits, floats | bool, int, float |
//! | `String`, `char`, a variant without fields | str |
//! | [`serde_bytes`] | bytes |
//! | `Vec`, tuples, sets | list |
//! | structs, maps, other variants | dict |
//! | [`Timestamp`] | datetime in UTC |
//! | [`Nd`], [`RawArray`] | numpy.ndarray |
//! | `arrow::Table`, record batches (feature `arrow`) | pyarrow.Table |
//!
//! ```
//! use paraply_values::{from_payload, to_payload};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, PartialEq, Debug)]
//! struct Point {
//!     x: f64,
//!     label: Option<String>,
//! }
//!
//! let point = Point { x: 0.5, label: None };
//! let payload = to_payload(&point)?;
//! assert_eq!(from_payload::<Point>(&payload)?, point);
//!
//! // The arguments of a call are a list of positional ones: a tuple.
//! let arguments = to_payload(&(point, 3, "three"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod array;
#[cfg(feature = "arrow")]
pub mod arrow;
mod buffers;
mod error;
mod json;
mod msgpack;
#[cfg(feature = "ndarray")]
mod nd;
mod payload;
mod timestamp;
mod value;

use serde::{
    Serialize,
    de::{DeserializeOwned, IntoDeserializer, value::Error as TextError},
};
pub use serde_bytes;

#[cfg(feature = "ndarray")]
pub use crate::nd::{Element, Nd, NdArray};
pub use crate::{
    array::{Dtype, Order, RawArray},
    error::{ArrayError, DecodeError, EncodeError},
    payload::{Encoding, Payload},
    timestamp::{OutOfRange, Timestamp},
    value::Value,
};

/// A value as MessagePack.
///
/// A `Vec<u8>` is a list of numbers to serde: bytes are `serde_bytes::Bytes`, `serde_bytes::ByteBuf`, or a field with
/// `#[serde(with = "serde_bytes")]`. Integers of 128 bits have no portable form, and arrive as 16 bytes.
///
/// # Errors
///
/// What the value's `Serialize` says, or more than 4 GiB beside arrays.
pub fn to_payload<T: Serialize + ?Sized>(value: &T) -> Result<Payload, EncodeError> {
    packed(|| msgpack::write(value))
}

fn packed(write: impl FnOnce() -> Result<Vec<u8>, String>) -> Result<Payload, EncodeError> {
    let (data, beside) = buffers::written(write);
    #[cfg(feature = "arrow")]
    if !beside.alone.is_empty() {
        return alone(beside.alone, data);
    }
    let data = data.map_err(|reason| EncodeError::NotPortable { encoding: Encoding::Msgpack, reason })?;
    // No string in it is longer than what its length was written in.
    if u32::try_from(data.len()).is_err() {
        return Err(EncodeError::TooLarge(data.len()));
    }
    Ok(Payload { encoding: Encoding::Msgpack, data: data.into(), buffers: beside.buffers })
}

/// A table, if the rest of the value is nothing, or the list of it that arguments are.
#[cfg(feature = "arrow")]
fn alone(mut tables: Vec<Payload>, rest: Result<Vec<u8>, String>) -> Result<Payload, EncodeError> {
    const NIL: u8 = 0xc0;
    const LIST_OF_ONE: u8 = 0x91;
    match (tables.pop(), rest.as_deref()) {
        (Some(table), Ok([NIL] | [LIST_OF_ONE, NIL])) => Ok(table),
        _ => {
            let reason = "a table travels alone: as the only argument of a call, or as its whole result".to_owned();
            Err(EncodeError::NotPortable { encoding: Encoding::Arrow, reason })
        }
    }
}

/// A value as JSON: datetimes are texts of ISO 8601, arrays are lists of lists, keys that are no texts become some.
///
/// ```
/// let payload = paraply_values::to_json(&[1, 2])?;
/// assert_eq!(&payload.data[..], b"[1,2]");
/// # Ok::<(), paraply_values::EncodeError>(())
/// ```
///
/// # Errors
///
/// What the value's `Serialize` says, or what JSON does not have: bytes (as which integers of 128 bits travel), complex
/// numbers, NaN and the infinities. Then the reason begins with the path to it, such as `result["a"][1]`.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Payload, EncodeError> {
    let encoding = Encoding::Json;
    // In MessagePack every value says what it is.
    let value: Value = from_payload(&packed(|| msgpack::write_readable(value))?)
        .map_err(|error| EncodeError::NotPortable { encoding, reason: format!("result: {error}") })?;
    let data = json::write(&value).map_err(|reason| EncodeError::NotPortable { encoding, reason })?;
    Ok(Payload { encoding, data: data.into(), buffers: Vec::new() })
}

/// Text as it is: a string, source code, or the reference to a function, "module:name".
#[must_use]
pub fn to_text(text: impl Into<String>) -> Payload {
    Payload { encoding: Encoding::Text, data: text.into().into(), buffers: Vec::new() }
}

/// The value of a payload in any encoding but pickle; of a table with the feature `arrow`, as an `arrow::Table`.
///
/// ```
/// use paraply_values::{DecodeError, Encoding, Payload, from_payload, to_text};
///
/// assert_eq!(from_payload::<String>(&to_text("five"))?, "five");
///
/// let pickled = Payload { encoding: Encoding::Pickle5, data: vec![0x80, 5, b'N', b'.'].into(), buffers: vec![] };
/// assert!(matches!(from_payload::<()>(&pickled), Err(DecodeError::Pickled)));
/// # Ok::<(), DecodeError>(())
/// ```
///
/// # Errors
///
/// Bytes that are broken, nested deeper than 128, or a value of another type.
pub fn from_payload<T: DeserializeOwned>(payload: &Payload) -> Result<T, DecodeError> {
    let encoding = payload.encoding;
    let malformed = |reason: String| DecodeError::Malformed { encoding, reason };
    match encoding {
        Encoding::Pickle5 => Err(DecodeError::Pickled),
        Encoding::Msgpack => buffers::reading(&payload.buffers, || msgpack::read(&payload.data)).map_err(malformed),
        Encoding::Ndarray => {
            // As a part of a value it is read by whatever type was asked for.
            let part = to_payload(&RawArray::from_payload(payload)?).map_err(|error| malformed(error.to_string()))?;
            buffers::reading(&part.buffers, || msgpack::read(&part.data)).map_err(malformed)
        }
        #[cfg(feature = "arrow")]
        Encoding::Arrow => arrow::read_alone(payload),
        #[cfg(not(feature = "arrow"))]
        Encoding::Arrow => Err(DecodeError::WrongEncoding { wanted: Encoding::Msgpack, found: encoding }),
        Encoding::Json => serde_json::from_slice(&payload.data).map_err(|error| malformed(error.to_string())),
        Encoding::Text => {
            let text = str::from_utf8(&payload.data).map_err(|error| malformed(error.to_string()))?;
            T::deserialize(text.into_deserializer()).map_err(|error: TextError| malformed(error.to_string()))
        }
    }
}
