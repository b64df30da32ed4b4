//! Values as the machines see them: opaque bytes, their size, and the blobs they name.

use bytes::Bytes;

use crate::id::{BlobId, Digest, TransferId};

/// How a payload is to be read. The machines only carry it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Encoding {
    /// Python pickle protocol 5.
    #[default]
    Pickle5,
    /// MessagePack.
    Msgpack,
    /// One n-dimensional array.
    Ndarray,
    /// Arrow IPC stream.
    Arrow,
    /// UTF-8 JSON text.
    Json,
    /// UTF-8 text.
    Text,
    /// One of a later release, by its number: who reads the value cannot.
    Unknown(i32),
}

/// One value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Payload {
    /// How `data` is to be read.
    pub encoding: Encoding,
    /// "3.11" where only that Python can read the bytes, else empty.
    pub python_version: Bytes,
    /// Buffers that `data` refers to by position.
    pub buffers: Vec<Buffer>,
    /// The value's bytes; empty where `data_blob` holds them.
    pub data: Bytes,
    /// Where the value's bytes are if they are too large for a message.
    pub data_blob: Option<BlobRef>,
}

/// A run of bytes: here, or in the blob store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Buffer {
    /// Here.
    Inline(Bytes),
    /// In the blob store.
    Blob(BlobRef),
}

/// Bytes in the blob store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BlobRef {
    /// Its name.
    pub id: BlobId,
    /// Its size in bytes.
    pub size: u64,
    /// Who names it keeps its bytes until they are wanted; else they are in the store, or on their way there.
    pub kept: bool,
}

/// Somebody reads a blob that a client or an engine keeps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BlobWant {
    /// Which.
    pub blob: BlobId,
    /// What to call the answer.
    pub transfer: TransferId,
    /// From where on.
    pub offset: u64,
}

impl Payload {
    /// Bytes that this payload keeps in memory, blobs not counted.
    #[must_use]
    pub fn inline_size(&self) -> u64 {
        let buffers: usize =
            self.buffers.iter().map(|b| if let Buffer::Inline(bytes) = b { bytes.len() } else { 0 }).sum();
        (self.data.len() + buffers) as u64
    }

    /// The blobs that it names.
    pub fn blobs(&self) -> impl Iterator<Item = BlobRef> + '_ {
        let buffers = self.buffers.iter().filter_map(|b| if let Buffer::Blob(blob) = b { Some(*blob) } else { None });
        self.data_blob.into_iter().chain(buffers)
    }
}

/// A function by its digest, with its bytes and what to call it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// SHA-256 of `payload.data`, checked where it enters the scheduler.
    pub digest: Digest,
    /// The pickled function or a reference to it.
    pub payload: Payload,
    /// For errors and logs.
    pub name: Bytes,
}
