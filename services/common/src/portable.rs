//! Values that every language reads, as the payloads of the machines.

use paraply_core::payload::{Buffer, Encoding, Payload};
use paraply_values::{DecodeError, EncodeError, Encoding as Written};
use serde::{Serialize, de::DeserializeOwned};

/// A value as MessagePack, arrays beside it.
///
/// # Errors
/// It has something in it that no other language reads.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Payload, EncodeError> {
    paraply_values::to_payload(value).map(payload)
}

/// A value as JSON.
///
/// # Errors
/// It has something in it that JSON has no words for.
pub fn encode_json<T: Serialize + ?Sized>(value: &T) -> Result<Payload, EncodeError> {
    paraply_values::to_json(value).map(payload)
}

/// The value of a payload, all of whose bytes are in it.
///
/// # Errors
/// It was pickled, or is in an encoding of a later release, its bytes are broken or elsewhere, or it is a value of another type.
pub fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, DecodeError> {
    let encoding = written(payload.encoding)?;
    let inline = |buffer: &Buffer| match buffer {
        Buffer::Inline(bytes) => Ok(bytes.clone()),
        Buffer::Blob(_) => Err(DecodeError::Malformed { encoding, reason: "a part of it is elsewhere".into() }),
    };
    let buffers = payload.buffers.iter().map(inline).collect::<Result<_, _>>()?;
    paraply_values::from_payload(&paraply_values::Payload { encoding, data: payload.data.clone(), buffers })
}

fn payload(written: paraply_values::Payload) -> Payload {
    let buffers = written.buffers.into_iter().map(Buffer::Inline).collect();
    let encoding = match written.encoding {
        Written::Pickle5 => Encoding::Pickle5,
        Written::Msgpack => Encoding::Msgpack,
        Written::Ndarray => Encoding::Ndarray,
        Written::Arrow => Encoding::Arrow,
        Written::Json => Encoding::Json,
        Written::Text => Encoding::Text,
    };
    Payload { encoding, data: written.data, buffers, ..Payload::default() }
}

fn written(encoding: Encoding) -> Result<Written, DecodeError> {
    Ok(match encoding {
        Encoding::Pickle5 => Written::Pickle5,
        Encoding::Msgpack => Written::Msgpack,
        Encoding::Ndarray => Written::Ndarray,
        Encoding::Arrow => Written::Arrow,
        Encoding::Json => Written::Json,
        Encoding::Text => Written::Text,
        Encoding::Unknown(number) => return Err(DecodeError::UnknownEncoding(number)),
    })
}
