//! Frames in, pieces of chunks out: no I/O.

use bytes::{Buf as _, Bytes, BytesMut};

use super::{
    head::{Carrier, Head, LONGEST, PREFIX},
    reader::Arrived,
};
use crate::transport::MAX_MESSAGE_BYTES;

/// Why a stream cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a message of the stream is compressed, and compression was not agreed on")]
    Compressed,
    #[error("a message of the stream has {0} bytes, and the limit is {MAX_MESSAGE_BYTES}")]
    TooLong(usize),
    #[error("the stream ended within a message")]
    CutOff,
}

/// Where a stream is.
#[derive(Debug)]
pub(super) struct Parser {
    carrier: Carrier,
    /// What is left of the frame that came last.
    frame: Bytes,
    state: State,
}

#[derive(Debug)]
enum State {
    Head { bytes: [u8; LONGEST], length: usize },
    Chunk { offset: u64, left: usize },
    Message { message: BytesMut, left: usize },
}

const BEGIN: State = State::Head { bytes: [0; LONGEST], length: 0 };

impl Parser {
    pub(super) fn new(carrier: Carrier) -> Self {
        Self { carrier, frame: Bytes::new(), state: BEGIN }
    }

    /// Takes the next frame. Only when nothing is left of the last one.
    pub(super) fn feed(&mut self, frame: Bytes) {
        debug_assert!(self.frame.is_empty(), "the last frame is read to its end first");
        self.frame = frame;
    }

    /// What is in the frame next; `None`: another frame is needed.
    pub(super) fn next(&mut self) -> Result<Option<Arrived>, Malformed> {
        loop {
            match &mut self.state {
                State::Head { bytes, length } => {
                    let Some((first, room)) = self.frame.first().zip(bytes.get_mut(*length)) else { return Ok(None) };
                    *room = *first;
                    *length += 1;
                    self.frame.advance(1);
                    let read = bytes.get(..*length).unwrap_or_default();
                    match self.carrier.head(read)? {
                        Head::Partial => {}
                        Head::Chunk { offset, length: 0 } => {
                            self.state = BEGIN;
                            return Ok(Some(Arrived::Piece { offset, data: Bytes::new() }));
                        }
                        Head::Chunk { offset, length } => self.state = State::Chunk { offset, left: length },
                        Head::Other { length } => {
                            let mut message = BytesMut::with_capacity(length);
                            message.extend_from_slice(read.get(PREFIX..).unwrap_or_default());
                            let left = length.saturating_sub(message.len());
                            self.state = State::Message { message, left };
                        }
                    }
                }
                State::Chunk { offset, left } => {
                    if self.frame.is_empty() {
                        return Ok(None);
                    }
                    let data = self.frame.split_to(self.frame.len().min(*left));
                    let piece = Arrived::Piece { offset: *offset, data: data.clone() };
                    (*offset, *left) = (offset.saturating_add(data.len() as u64), *left - data.len());
                    if *left == 0 {
                        self.state = BEGIN;
                    }
                    return Ok(Some(piece));
                }
                State::Message { message, left } => {
                    let part = self.frame.split_to(self.frame.len().min(*left));
                    message.extend_from_slice(&part);
                    *left -= part.len();
                    if *left > 0 {
                        return Ok(None);
                    }
                    let message = std::mem::take(message).freeze();
                    self.state = BEGIN;
                    return Ok(Some(Arrived::Message(message)));
                }
            }
        }
    }

    /// Bytes of the present chunk that have not come yet.
    pub(super) fn left(&self) -> usize {
        if let State::Chunk { left, .. } = self.state { left } else { 0 }
    }

    /// The stream has ended.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        if matches!(self.state, State::Head { length: 0, .. }) { Ok(()) } else { Err(Malformed::CutOff) }
    }
}

#[cfg(test)]
mod tests {
    use paraply_proto::blob::v1::{BlobChunk, BlobHeader, WriteBlobRequest, write_blob_request::Message};
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::chunks::{chunk, message};

    fn bytes(frame: http_body::Frame<Bytes>) -> Bytes {
        frame.into_data().unwrap()
    }

    /// Reads a stream that arrives in frames of these lengths, the last one again and again.
    fn read(stream: &[u8], frames: &[usize]) -> Result<Vec<Arrived>, Malformed> {
        let (mut parser, mut stream) = (Parser::new(Carrier::Write), Bytes::copy_from_slice(stream));
        let mut arrived = Vec::new();
        for nth in 0.. {
            while let Some(next) = parser.next()? {
                arrived.push(next);
            }
            if stream.is_empty() {
                break;
            }
            let length = frames.get(nth).or(frames.last()).copied().unwrap_or(1).clamp(1, stream.len());
            parser.feed(stream.split_to(length));
        }
        parser.end().map(|()| arrived)
    }

    /// Pieces of one chunk put together again.
    fn joined(arrived: Vec<Arrived>) -> Vec<(u64, Vec<u8>)> {
        let mut chunks: Vec<(u64, Vec<u8>)> = Vec::new();
        for next in arrived {
            let Arrived::Piece { offset, data } = next else { continue };
            match chunks.last_mut() {
                Some((start, before)) if *start + before.len() as u64 == offset => before.extend_from_slice(&data),
                _ => chunks.push((offset, data.to_vec())),
            }
        }
        chunks
    }

    proptest! {
        #[test]
        fn chunks_arrive_whole_whatever_the_frames(
            lengths in prop::collection::vec(1..300_usize, 1..6),
            frames in prop::collection::vec(1..400_usize, 1..8),
            canonical in any::<bool>(),
        ) {
            let header = WriteBlobRequest { message: Some(Message::Header(BlobHeader::default())) };
            let mut stream = bytes(message(&header)).to_vec();
            let mut expected = Vec::new();
            for (nth, length) in lengths.into_iter().enumerate() {
                let (offset, data) = (nth as u64 * 1000, vec![nth as u8 + 1; length]);
                if canonical {
                    for frame in chunk(Carrier::Write, offset, data.clone().into()) {
                        stream.extend(bytes(frame));
                    }
                } else {
                    let chunk = BlobChunk { offset, data: data.clone().into() };
                    stream.extend(bytes(message(&WriteBlobRequest { message: Some(Message::Chunk(chunk)) })));
                }
                expected.push((offset, data));
            }
            let arrived = read(&stream, &frames).unwrap();
            prop_assert_eq!(&arrived[0], &Arrived::Message(header.encode_to_vec().into()));
            prop_assert_eq!(joined(arrived), expected);
            prop_assert_eq!(read(&stream[..stream.len() - 1], &frames), Err(Malformed::CutOff));
        }

        #[test]
        fn no_bytes_are_too_strange(stream in prop::collection::vec(any::<u8>(), 0..200), frame in 1..50_usize) {
            let _outcome = read(&stream, &[frame]);
        }
    }

    #[test]
    fn what_another_lays_out_otherwise_is_a_message() {
        let mut other = vec![0x12, 6, 0x7A, 2, b'a', b'b', 0x08, 5];
        let mut stream = super::super::head::prefix(other.len());
        stream.append(&mut other.clone());
        assert_eq!(read(&stream, &[3]).unwrap(), [Arrived::Message(other.split_off(0).into())]);
    }
}
