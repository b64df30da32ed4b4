//! What travels: bytes, with a number that says how to read them.

use bytes::Bytes;

use crate::DecodeError;

/// How the bytes of a payload are to be read. Numbers are those of `paraply.common.v1.Encoding`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Encoding {
    /// Python pickle protocol 5.
    Pickle5 = 1,
    /// MessagePack.
    Msgpack = 2,
    /// One n-dimensional array.
    Ndarray = 3,
    /// Arrow IPC stream.
    Arrow = 4,
    /// UTF-8 JSON text.
    Json = 5,
    /// UTF-8 text.
    Text = 6,
}

impl Encoding {
    /// Its number in the schema.
    ///
    /// ```
    /// assert_eq!(paraply_values::Encoding::Msgpack.number(), 2);
    /// ```
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pickle5 => "a pickle",
            Self::Msgpack => "MessagePack",
            Self::Ndarray => "an array",
            Self::Arrow => "an Arrow stream",
            Self::Json => "JSON",
            Self::Text => "text",
        }
    }
}

impl TryFrom<i32> for Encoding {
    type Error = DecodeError;

    fn try_from(number: i32) -> Result<Self, DecodeError> {
        Ok(match number {
            1 => Self::Pickle5,
            2 => Self::Msgpack,
            3 => Self::Ndarray,
            4 => Self::Arrow,
            5 => Self::Json,
            6 => Self::Text,
            _ => return Err(DecodeError::UnknownEncoding(number)),
        })
    }
}

/// One value, with all of its bytes here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payload {
    /// How `data` is to be read.
    pub encoding: Encoding,
    /// The value's bytes.
    pub data: Bytes,
    /// Buffers that `data` refers to by position: the elements of arrays.
    pub buffers: Vec<Bytes>,
}
