//! Values and functions.

use std::sync::Arc;

use paraply_core::{
    id::Digest,
    payload::{BlobRef, BlobWant, Buffer, Encoding, Function, Payload},
};
use paraply_proto::common::v1 as proto;
use proto::buffer::Holder;
use sha2::{Digest as _, Sha256};

use super::{
    error::{Inside as _, Problem, WireError, each, required},
    field::{NAME_BYTES, cut, detach, text},
    id,
};

/// A value.
///
/// # Errors
/// On an encoding that this version does not know, a buffer that is neither inline nor a blob, or data in both places.
pub fn decode(message: proto::Payload) -> Result<Payload, WireError> {
    let encoding = encoding(message.encoding)?;
    decode_as(message, encoding)
}

/// The same in whatever encoding a later release may have, for who carries it to its reader.
pub(crate) fn decode_any(message: proto::Payload) -> Result<Payload, WireError> {
    let encoding = match message.encoding {
        number if proto::Encoding::try_from(number).is_err() => Encoding::Unknown(number),
        number => encoding(number)?,
    };
    decode_as(message, encoding)
}

fn decode_as(message: proto::Payload, encoding: Encoding) -> Result<Payload, WireError> {
    let data_blob = message.data_blob.as_ref().map(blob_ref).transpose().inside("data_blob")?;
    if data_blob.is_some() && !message.data.is_empty() {
        return Err(WireError::new("data", Problem::Rule("must be empty where data_blob is set")));
    }
    Ok(Payload {
        encoding,
        python_version: message.python_version.into(),
        buffers: each(message.buffers, "buffers", buffer)?,
        data: detach(message.data),
        data_blob,
    })
}

/// What a call is made with. One that says nothing at all is a call without arguments.
pub(crate) fn decode_argument(message: proto::Payload) -> Result<Payload, WireError> {
    if message == proto::Payload::default() { Ok(Payload::default()) } else { decode(message) }
}

/// A value in a field that must be set.
pub(crate) fn decode_required(message: Option<proto::Payload>, field: &str) -> Result<Payload, WireError> {
    decode(required(message, field)?).inside(field)
}

/// The wire form of a value.
#[must_use]
pub fn encode(payload: Payload) -> proto::Payload {
    proto::Payload {
        encoding: encode_encoding(payload.encoding),
        python_version: text(&payload.python_version),
        buffers: payload.buffers.into_iter().map(encode_buffer).collect(),
        data_blob: payload.data_blob.map(encode_blob_ref),
        data: payload.data,
    }
}

/// A function of this process's own making, under the digest of its data.
#[must_use]
pub fn new_function(payload: Payload, name: String) -> Arc<Function> {
    let digest = Digest(Sha256::digest(&payload.data).into());
    Arc::new(Function { digest, payload, name: cut(name, NAME_BYTES) })
}

/// A function, whose digest is checked.
///
/// # Errors
/// If the digest is not the SHA-256 of the data, or bytes are kept apart from the data, which the digest would not cover.
pub fn decode_function(message: proto::Function) -> Result<Arc<Function>, WireError> {
    let digest = id::digest(&message.digest, "digest")?;
    let payload = decode_required(message.payload, "payload")?;
    if payload.data_blob.is_some() || !payload.buffers.is_empty() {
        let rule = "a function is one run of bytes in `data`, which is what its digest covers";
        return Err(WireError::new("payload", Problem::Rule(rule)));
    }
    if Sha256::digest(&payload.data).as_slice() != digest.0 {
        return Err(WireError::new("digest", Problem::Digest));
    }
    Ok(Arc::new(Function { digest, payload, name: cut(message.name, NAME_BYTES) }))
}

/// The wire form of a function.
#[must_use]
pub fn encode_function(function: &Function) -> proto::Function {
    proto::Function {
        digest: id::encode_digest(function.digest),
        payload: Some(encode(function.payload.clone())),
        name: text(&function.name),
    }
}

fn encoding(value: i32) -> Result<Encoding, WireError> {
    use proto::Encoding as Wire;
    match Wire::try_from(value) {
        Ok(Wire::Pickle5) => Ok(Encoding::Pickle5),
        Ok(Wire::Msgpack) => Ok(Encoding::Msgpack),
        Ok(Wire::Ndarray) => Ok(Encoding::Ndarray),
        Ok(Wire::Arrow) => Ok(Encoding::Arrow),
        Ok(Wire::Json) => Ok(Encoding::Json),
        Ok(Wire::Text) => Ok(Encoding::Text),
        Ok(Wire::Unspecified) | Err(_) => {
            Err(WireError::new("encoding", Problem::UnknownValue { name: "Encoding", value }))
        }
    }
}

fn encode_encoding(encoding: Encoding) -> i32 {
    let known = match encoding {
        Encoding::Pickle5 => proto::Encoding::Pickle5,
        Encoding::Msgpack => proto::Encoding::Msgpack,
        Encoding::Ndarray => proto::Encoding::Ndarray,
        Encoding::Arrow => proto::Encoding::Arrow,
        Encoding::Json => proto::Encoding::Json,
        Encoding::Text => proto::Encoding::Text,
        Encoding::Unknown(number) => return number,
    };
    known.into()
}

fn buffer(message: proto::Buffer) -> Result<Buffer, WireError> {
    match required(message.holder, "holder")? {
        Holder::Inline(bytes) => Ok(Buffer::Inline(detach(bytes))),
        Holder::Blob(blob) => Ok(Buffer::Blob(blob_ref(&blob).inside("blob")?)),
    }
}

fn encode_buffer(buffer: Buffer) -> proto::Buffer {
    let holder = match buffer {
        Buffer::Inline(bytes) => Holder::Inline(bytes),
        Buffer::Blob(blob) => Holder::Blob(encode_blob_ref(blob)),
    };
    proto::Buffer { holder: Some(holder) }
}

fn blob_ref(message: &proto::BlobRef) -> Result<BlobRef, WireError> {
    Ok(BlobRef { id: id::blob(&message.blob_id, "blob_id")?, size: message.size_bytes, kept: message.kept })
}

fn encode_blob_ref(blob: BlobRef) -> proto::BlobRef {
    proto::BlobRef { blob_id: id::encode_id(blob.id.to_bytes()), size_bytes: blob.size, kept: blob.kept }
}

/// A blob that somebody reads.
pub(crate) fn blob_want(message: proto::BlobWant) -> Result<BlobWant, WireError> {
    let blob = id::blob(&message.blob_id, "blob_id")?;
    let transfer = id::transfer(message.transfer_id, "transfer_id")?;
    Ok(BlobWant { blob, transfer, offset: message.offset })
}

/// The wire form of a blob that somebody reads.
pub(crate) fn encode_blob_want(want: BlobWant) -> proto::BlobWant {
    proto::BlobWant { blob_id: id::encode_id(want.blob.to_bytes()), transfer_id: want.transfer.0, offset: want.offset }
}
