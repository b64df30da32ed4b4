//! What can be wrong with a value, and with bytes that should be one.

use thiserror::Error;

use crate::{Dtype, Encoding};

/// A value that cannot be sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Its `Serialize` failed, or it has something that the encoding has no words for.
    #[error("the value cannot be written as {}: {reason}", encoding.name())]
    NotPortable {
        /// As what it was to be sent.
        encoding: Encoding,
        /// What is in the way.
        reason: String,
    },
    /// MessagePack counts bytes in 32 bits.
    #[error("the value takes {0} bytes, and MessagePack has at most 4 GiB: send large data as arrays")]
    TooLarge(usize),
}

/// A payload that is no value, or not the one that was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Python had no portable words for the value.
    #[error(
        "this value was pickled by Python, and only Python reads it: have the function return None, numbers below 64 bits, \
         str, bytes, lists, dicts whose keys are str, bytes or int, datetimes with a time zone, numpy arrays of numbers, or \
         Arrow tables"
    )]
    Pickled,
    /// An encoding of another version of the protocol.
    #[error("the value is in encoding {0}, which this version does not know")]
    UnknownEncoding(i32),
    /// There is another way to read such a value.
    #[error("the value is {}, and was to be read as {}", found.name(), wanted.name())]
    WrongEncoding {
        /// What the reader reads.
        wanted: Encoding,
        /// What the payload says.
        found: Encoding,
    },
    /// The bytes are broken, or hold a value of another type.
    #[error("the value is not the one asked for, or not {}: {reason}", encoding.name())]
    Malformed {
        /// What the payload says it is.
        encoding: Encoding,
        /// What is wrong.
        reason: String,
    },
    /// An array that is none, or not the one that was asked for.
    #[error(transparent)]
    Array(#[from] ArrayError),
}

/// An array that is none, or not the one that was asked for.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArrayError {
    /// The bytes are more or fewer than the shape says.
    #[error("an array of shape {shape:?} and dtype {dtype} does not have {bytes} bytes")]
    Size {
        /// Its shape.
        shape: Vec<usize>,
        /// Its element type.
        dtype: Dtype,
        /// How many bytes there are.
        bytes: usize,
    },
    /// Too many dimensions, or lengths that overflow.
    #[error("an array cannot have the shape {0:?}")]
    Shape(Vec<u64>),
    /// Elements of another type.
    #[error("the elements are {found}, not {wanted}")]
    Dtype {
        /// What was asked for.
        wanted: Dtype,
        /// What is there.
        found: Dtype,
    },
    /// Another number of dimensions.
    #[error("the array has {found} dimensions, not {wanted}")]
    Dimensions {
        /// What was asked for.
        wanted: usize,
        /// What is there.
        found: usize,
    },
    /// Bytes that no element has, such as a 2 for a bool.
    #[error("not every element is a {0}")]
    Element(Dtype),
    /// A position that no buffer has.
    #[error("the payload has no buffer {0}")]
    NoBuffer(u64),
}
