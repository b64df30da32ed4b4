//! N-dimensional arrays as they travel: element type, shape, order, and the bytes of the elements.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::{ArrayError, Encoding, Payload, buffers, msgpack};

pub(crate) const TAG: i8 = 1;

/// Elements of fewer bytes are written between the other values, where they cost less than a buffer of their own.
const OUT_OF_BAND_BYTES: usize = 1024;

/// As many as numpy has.
const MAX_DIMENSIONS: usize = 64;

/// What the elements of an array are. All are little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are the names that numpy has for them")]
pub enum Dtype {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float16,
    Float32,
    Float64,
    Complex64,
    Complex128,
}

impl Dtype {
    /// Bytes of one element.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 | Self::Float16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Int64 | Self::Uint64 | Self::Float64 | Self::Complex64 => 8,
            Self::Complex128 => 16,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// Which index counts fastest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Order {
    /// The last.
    C,
    /// The first.
    F,
}

#[derive(Serialize, Deserialize)]
struct Header {
    dtype: Dtype,
    shape: Vec<u64>,
    order: Order,
}

/// Where the elements are: in a buffer of the payload, or here.
#[derive(Serialize)]
#[serde(untagged)]
enum Place {
    Buffer(u64),
    #[serde(with = "serde_bytes")]
    Here(Vec<u8>),
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Place;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the position of a buffer, or bytes")
            }

            fn visit_u64<E>(self, position: u64) -> Result<Place, E> {
                Ok(Place::Buffer(position))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Place, E> {
                Ok(Place::Here(bytes.to_vec()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// An array of any element type and shape. Feature `ndarray` has typed ones.
///
/// Large elements travel beside the value that has the array in it, wherever it is in there.
///
/// ```
/// use paraply_values::{Dtype, Order, RawArray, from_payload, to_payload};
///
/// let array = RawArray::new(Dtype::Uint8, vec![2, 3], Order::C, vec![1, 2, 3, 4, 5, 6].into())?;
/// let back: Vec<RawArray> = from_payload(&to_payload(&[&array])?)?;
/// assert_eq!(back, [array]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawArray {
    dtype: Dtype,
    shape: Vec<usize>,
    order: Order,
    elements: Bytes,
}

impl RawArray {
    /// An array of these bytes.
    ///
    /// # Errors
    ///
    /// Where the shape asks for more or fewer of them.
    pub fn new(dtype: Dtype, shape: Vec<usize>, order: Order, elements: Bytes) -> Result<Self, ArrayError> {
        let refused = || ArrayError::Shape(shape.iter().map(|length| *length as u64).collect());
        if shape.len() > MAX_DIMENSIONS {
            return Err(refused());
        }
        // Also where there are no elements, readers multiply the other lengths.
        let lengths = shape.iter().filter(|length| **length > 0);
        let most = lengths.copied().try_fold(dtype.size(), usize::checked_mul);
        let most = most.filter(|size| isize::try_from(*size).is_ok()).ok_or_else(refused)?;
        let size = if shape.contains(&0) { 0 } else { most };
        if size != elements.len() {
            return Err(ArrayError::Size { shape, dtype, bytes: elements.len() });
        }
        Ok(Self { dtype, shape, order, elements })
    }

    /// What its elements are.
    #[must_use]
    pub const fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// How long it is in each dimension.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How its elements are laid out.
    #[must_use]
    pub const fn order(&self) -> Order {
        self.order
    }

    /// Its elements, little-endian.
    #[must_use]
    pub const fn elements(&self) -> &Bytes {
        &self.elements
    }

    /// The array alone as a value, without a copy of its elements.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn into_payload(self) -> Result<Payload, crate::EncodeError> {
        let data = msgpack::write(&self.header())
            .map_err(|reason| crate::EncodeError::NotPortable { encoding: Encoding::Ndarray, reason })?;
        Ok(Payload { encoding: Encoding::Ndarray, data: data.into(), buffers: vec![self.elements] })
    }

    pub(crate) fn from_payload(payload: &Payload) -> Result<Self, crate::DecodeError> {
        let malformed = |reason| crate::DecodeError::Malformed { encoding: Encoding::Ndarray, reason };
        let header: Header = msgpack::read(&payload.data).map_err(malformed)?;
        let [elements] = &payload.buffers[..] else {
            return Err(malformed(format!("an array has one buffer, not {}", payload.buffers.len())));
        };
        Ok(Self::from_parts(header, elements.clone())?)
    }

    fn from_parts(header: Header, elements: Bytes) -> Result<Self, ArrayError> {
        let shape: Result<Vec<usize>, _> = header.shape.iter().map(|length| usize::try_from(*length)).collect();
        let Ok(shape) = shape else { return Err(ArrayError::Shape(header.shape)) };
        Self::new(header.dtype, shape, header.order, elements)
    }

    fn header(&self) -> Header {
        let shape = self.shape.iter().map(|length| *length as u64).collect();
        Header { dtype: self.dtype, shape, order: self.order }
    }

    pub(crate) fn from_body(body: &[u8]) -> Result<Self, String> {
        let (header, place): (Header, Place) = msgpack::read(body)?;
        let elements = match place {
            Place::Here(bytes) => bytes.into(),
            Place::Buffer(position) => {
                buffers::get(position).ok_or(ArrayError::NoBuffer(position)).map_err(|error| error.to_string())?
            }
        };
        Self::from_parts(header, elements).map_err(|error| error.to_string())
    }
}

impl Serialize for RawArray {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let large = self.elements.len() >= OUT_OF_BAND_BYTES;
        let beside = if large { buffers::put(&self.elements) } else { None };
        let place = beside.map_or_else(|| Place::Here(self.elements.to_vec()), Place::Buffer);
        let body = msgpack::write(&(self.header(), place)).map_err(ser::Error::custom)?;
        if u32::try_from(body.len()).is_err() {
            return Err(ser::Error::custom("an array of more than 4 GiB needs a buffer of its own"));
        }
        msgpack::serialize_ext(serializer, TAG, &body)
    }
}

impl<'de> Deserialize<'de> for RawArray {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = msgpack::deserialize_ext(deserializer, TAG, "an array")?;
        Self::from_body(&body).map_err(de::Error::custom)
    }
}
