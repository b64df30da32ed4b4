//! How messages become bytes and back: as with [`tonic_prost::ProstCodec`], which asks a gRPC buffer anew for every byte of
//! a varint that it writes, and cuts it up for every field that it reads. With batches of many small tasks that is much of
//! what a message costs. This one writes to plain memory first, and reads from what was cut out once.

use std::marker::PhantomData;

use bytes::{Buf as _, BufMut as _};
use prost::Message;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// Messages up to this size are put together in memory that is kept for the next one; of larger ones, most is payloads,
/// which are not to be copied twice.
const KEPT: usize = 64 << 10;

/// Writes `T` and reads `U`.
#[derive(Debug)]
pub struct MessageCodec<T, U>(PhantomData<(T, U)>);

/// Writes messages.
#[derive(Debug)]
pub struct MessageEncoder<T> {
    memory: Vec<u8>,
    message: PhantomData<T>,
}

/// Reads messages.
#[derive(Debug)]
pub struct MessageDecoder<U>(PhantomData<U>);

impl<T, U> Default for MessageCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + 'static, U: Message + Default + 'static> Codec for MessageCodec<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = MessageEncoder<T>;
    type Decoder = MessageDecoder<U>;

    fn encoder(&mut self) -> MessageEncoder<T> {
        MessageEncoder { memory: Vec::new(), message: PhantomData }
    }

    fn decoder(&mut self) -> MessageDecoder<U> {
        MessageDecoder(PhantomData)
    }
}

impl<T: Message> Encoder for MessageEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let length = message.encoded_len();
        buffer.reserve(length);
        if length > KEPT {
            message.encode_raw(buffer);
        } else {
            self.memory.clear();
            self.memory.reserve(length);
            message.encode_raw(&mut self.memory);
            buffer.put_slice(&self.memory);
        }
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl<U: Message + Default> Decoder for MessageDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let length = buffer.remaining();
        // gRPC's code for what is no message of the type (grpc/doc/statuscodes.md).
        U::decode(buffer.copy_to_bytes(length)).map(Some).map_err(|error| Status::internal(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}
