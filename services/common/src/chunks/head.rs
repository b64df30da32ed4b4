//! What stands before the bytes of a chunk.

use prost::encoding::{decode_varint, encode_varint};

use super::parser::Malformed;
use crate::transport::MAX_MESSAGE_BYTES;

/// Compression and length, before every message.
pub(super) const PREFIX: usize = 5;

/// More than the prefix, two keys and three lengths that our ends write, and an offset.
pub(super) const LONGEST: usize = 40;

const OFFSET: u8 = 1 << 3;
const DATA: u8 = 15 << 3 | 2;

/// The message that a chunk is a field of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// `WriteBlobRequest`.
    Write,
    /// `ReadBlobResponse`.
    Read,
}

/// What the first bytes of a message say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Head {
    /// Not all yet.
    Partial,
    /// From here on they are so many bytes of a blob, from `offset` on.
    Chunk { offset: u64, length: usize },
    /// A message of so many bytes, laid out in some other way.
    Other { length: usize },
}

impl Carrier {
    /// Key of the chunk's field: its number, and that its length comes next.
    const fn key(self) -> u8 {
        match self {
            Self::Write => 2 << 3 | 2,
            Self::Read => 1 << 3 | 2,
        }
    }

    /// What the bytes so far are, prefix and all.
    pub(super) fn head(self, bytes: &[u8]) -> Result<Head, Malformed> {
        let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return Ok(Head::Partial) };
        let [compressed, length @ ..] = *prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if compressed != 0 {
            return Err(Malformed::Compressed);
        }
        if length > MAX_MESSAGE_BYTES {
            return Err(Malformed::TooLong(length));
        }
        let other = Head::Other { length };
        let (rest, complete) = match rest.split_at_checked(length) {
            Some((message, _)) => (message, true),
            None => (rest, bytes.len() >= LONGEST),
        };
        Ok(match self.chunk(rest, length) {
            Parsed::Chunk { offset, length } => Head::Chunk { offset, length },
            Parsed::Short if !complete => Head::Partial,
            Parsed::Short | Parsed::Otherwise => other,
        })
    }

    /// The chunk that begins a message of `length` bytes.
    fn chunk(self, mut rest: &[u8], length: usize) -> Parsed {
        let mut left = length;
        let mut parse = || -> Result<(u64, usize), Parsed> {
            key(&mut rest, &mut left, self.key())?;
            let inner = number(&mut rest, &mut left)?;
            if inner != left as u64 {
                return Err(Parsed::Otherwise);
            }
            let offset = match rest.first() {
                Some(&OFFSET) => {
                    key(&mut rest, &mut left, OFFSET)?;
                    number(&mut rest, &mut left)?
                }
                _ => 0,
            };
            key(&mut rest, &mut left, DATA)?;
            let data = number(&mut rest, &mut left)?;
            if data == left as u64 { Ok((offset, left)) } else { Err(Parsed::Otherwise) }
        };
        match parse() {
            Ok((offset, length)) => Parsed::Chunk { offset, length },
            Err(other) => other,
        }
    }

    /// The head of a chunk of `length` bytes.
    pub(super) fn write(self, offset: u64, length: usize) -> Vec<u8> {
        let mut inner = Vec::with_capacity(LONGEST);
        if offset > 0 {
            inner.push(OFFSET);
            encode_varint(offset, &mut inner);
        }
        inner.push(DATA);
        encode_varint(length as u64, &mut inner);
        let mut message = Vec::with_capacity(LONGEST);
        message.push(self.key());
        encode_varint((inner.len() + length) as u64, &mut message);
        message.append(&mut inner);
        let mut head = prefix(message.len() + length);
        head.append(&mut message);
        head
    }
}

/// What comes before a message of `length` bytes, which is at most one of ours.
pub(super) fn prefix(length: usize) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(LONGEST);
    prefix.push(0);
    prefix.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    prefix
}

enum Parsed {
    Chunk { offset: u64, length: usize },
    Short,
    Otherwise,
}

fn key(rest: &mut &[u8], left: &mut usize, expected: u8) -> Result<(), Parsed> {
    let (first, after) = rest.split_first().ok_or(Parsed::Short)?;
    if *first != expected {
        return Err(Parsed::Otherwise);
    }
    (*rest, *left) = (after, left.saturating_sub(1));
    Ok(())
}

fn number(rest: &mut &[u8], left: &mut usize) -> Result<u64, Parsed> {
    let before = rest.len();
    if !rest.iter().take(10).any(|byte| *byte < 0x80) {
        return Err(if before < 10 { Parsed::Short } else { Parsed::Otherwise });
    }
    let value = decode_varint(rest).map_err(|_| Parsed::Otherwise)?;
    *left = left.saturating_sub(before - rest.len());
    Ok(value)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use paraply_proto::blob::v1::{BlobChunk, ReadBlobResponse};
    use prost::Message as _;

    use super::*;

    #[test]
    fn a_head_and_its_bytes_are_the_message_and_a_head_is_read_as_it_was_written() {
        for offset in [0, 1, 300, 1 << 40, u64::MAX] {
            for length in [0, 1, 127, 128, 1 << 20] {
                let data = Bytes::from(vec![7; length]);
                let head = Carrier::Read.write(offset, length);
                let (prefix, rest) = head.split_at(PREFIX);
                let message = [rest, &data].concat();
                assert_eq!(prefix, self::prefix(message.len()), "{offset} {length}");
                let expected = ReadBlobResponse { chunk: Some(BlobChunk { offset, data }) };
                assert_eq!(ReadBlobResponse::decode(&*message).unwrap(), expected);
                assert!(head.len() <= LONGEST);
                for cut in 0..head.len() {
                    assert_eq!(Carrier::Read.head(&head[..cut]), Ok(Head::Partial), "{cut} of {head:?}");
                }
                assert_eq!(Carrier::Read.head(&head), Ok(Head::Chunk { offset, length }));
                let other = Carrier::Write.head(&head);
                assert_eq!(other, Ok(Head::Other { length: message.len() }), "another message's field");
            }
        }
    }

    #[test]
    fn what_is_compressed_or_too_long_is_refused() {
        assert_eq!(Carrier::Read.head(&[1, 0, 0, 0, 0]), Err(Malformed::Compressed));
        let length = MAX_MESSAGE_BYTES + 1;
        assert_eq!(Carrier::Read.head(&prefix(length)), Err(Malformed::TooLong(length)));
        assert_eq!(Carrier::Read.head(&prefix(0)), Ok(Head::Other { length: 0 }));
    }
}
