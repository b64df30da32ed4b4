//! A body's frames, read as messages.

use std::{fmt::Display, future::poll_fn, pin::Pin};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use prost::Message;
use tonic::{Code, Status, body::Body};

use super::{head::Carrier, parser::Parser};

/// What comes next on a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrived {
    /// Bytes of a blob, from `offset` on: a chunk, or what of it was in one frame. They share a frame's memory.
    Piece {
        /// Of the first byte.
        offset: u64,
        /// Empty only where the chunk is.
        data: Bytes,
    },
    /// A message that is no chunk, or not as our ends lay chunks out.
    Message(Bytes),
}

/// The messages of a stream.
#[derive(Debug)]
pub struct Chunks {
    carrier: Carrier,
    body: Body,
    parser: Parser,
}

impl Chunks {
    /// Of a request's or a response's body.
    #[must_use]
    pub fn new(carrier: Carrier, body: Body) -> Self {
        Self { carrier, body, parser: Parser::new(carrier) }
    }

    /// What comes next, as soon as any of it is there; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// If it cannot be read as messages, INVALID_ARGUMENT where a client wrote it and INTERNAL where a server did; what
    /// broke the stream; the status with which a server ended it.
    pub async fn next(&mut self) -> Result<Option<Arrived>, Status> {
        loop {
            if let Some(arrived) = self.parser.next().map_err(|why| self.unreadable(&why))? {
                return Ok(Some(arrived));
            }
            let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await;
            let Some(frame) = frame.transpose()? else { break };
            match frame.into_data() {
                Ok(data) => self.parser.feed(data),
                Err(frame) => {
                    let status = frame.trailers_ref().and_then(Status::from_header_map);
                    if let Some(status) = status.filter(|status| status.code() != Code::Ok) {
                        return Err(status);
                    }
                }
            }
        }
        self.parser.end().map_err(|why| self.unreadable(&why))?;
        Ok(None)
    }

    /// A whole message; `None` at the end.
    ///
    /// # Errors
    /// As [`Chunks::next`], and the same if it is a chunk or cannot be decoded.
    pub async fn message<M: Message + Default>(&mut self) -> Result<Option<M>, Status> {
        match self.next().await? {
            None => Ok(None),
            Some(Arrived::Message(message)) => self.decode(message).map(Some),
            Some(Arrived::Piece { .. }) => Err(self.unreadable(&"it is a chunk, and another is due")),
        }
    }

    /// Decodes a message of the stream.
    ///
    /// # Errors
    /// As [`Chunks::next`], if it is no such message.
    pub fn decode<M: Message + Default>(&self, message: Bytes) -> Result<M, Status> {
        M::decode(message).map_err(|error| self.unreadable(&error))
    }

    /// The rest of a chunk whose first piece is `data`, put together in memory of its own.
    ///
    /// # Errors
    /// As [`Chunks::next`].
    pub async fn whole(&mut self, data: Bytes) -> Result<Bytes, Status> {
        let mut whole = BytesMut::with_capacity(data.len() + self.parser.left());
        whole.extend_from_slice(&data);
        while self.parser.left() > 0 {
            let Some(Arrived::Piece { data, .. }) = self.next().await? else { break };
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }

    fn unreadable(&self, why: &dyn Display) -> Status {
        let message = format!("a message of the stream cannot be read: {why}");
        match self.carrier {
            Carrier::Write => Status::invalid_argument(message),
            Carrier::Read => Status::internal(message),
        }
    }
}
