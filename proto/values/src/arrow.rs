//! Tables: Arrow's record batches as an IPC stream.

use std::{fmt, io::Cursor, iter};

use arrow_array::RecordBatch;
use arrow_ipc::{reader::StreamReader, writer::StreamWriter};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer, de,
    de::{
        DeserializeOwned, IntoDeserializer,
        value::{Error, SeqDeserializer},
    },
    ser,
};

/// The crate that batches are of, in the version that is used here.
pub use arrow_array;

use crate::{DecodeError, EncodeError, Encoding, Payload, buffers};

/// What serde knows a table by.
const NAME: &str = "$paraply::Table";

/// Record batches of one schema, as the only argument of a call or as its whole result: in Python a `pyarrow.Table`.
///
/// A table travels alone in its payload. As a part of another value it cannot be sent, and a list of one table is the table.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch};
/// use paraply_values::{arrow::Table, from_payload, to_payload};
///
/// let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// let table = Table(vec![RecordBatch::try_from_iter([("n", numbers)])?]);
/// let arguments = to_payload(&(&table,))?;
/// assert_eq!(from_payload::<Table>(&arguments)?, table);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Table(pub Vec<RecordBatch>);

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let payload = to_payload(&self.0).map_err(ser::Error::custom)?;
        if !buffers::put_alone(payload) {
            return Err(ser::Error::custom("only a payload of its own has a table"));
        }
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Table;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an Arrow table")
            }

            fn visit_bytes<E: de::Error>(self, stream: &[u8]) -> Result<Table, E> {
                read(stream).map(Table).map_err(E::custom)
            }
        }

        deserializer.deserialize_newtype_struct(NAME, Visitor)
    }
}

/// A value of which a table is all.
pub(crate) fn read_alone<T: DeserializeOwned>(payload: &Payload) -> Result<T, DecodeError> {
    T::deserialize(Alone(&payload.data))
        .map_err(|error| DecodeError::Malformed { encoding: Encoding::Arrow, reason: error.to_string() })
}

/// A table, or the list of it as arguments are one.
struct Alone<'a>(&'a [u8]);

impl<'de> Deserializer<'de> for Alone<'_> {
    type Error = Error;

    fn deserialize_newtype_struct<V: de::Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == NAME { visitor.visit_bytes(self.0) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_tuple<V: de::Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        let mut one = SeqDeserializer::new(iter::once(self));
        let value = visitor.visit_seq(&mut one)?;
        one.end()?;
        Ok(value)
    }

    fn deserialize_option<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        Err(de::Error::invalid_type(de::Unexpected::Other("an Arrow table"), &visitor))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Alone<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Batches of one schema as a value: in Python a `pyarrow.Table`.
///
/// # Errors
///
/// No batch, or batches of different schemas.
pub fn to_payload(batches: &[RecordBatch]) -> Result<Payload, EncodeError> {
    let failed = |reason: String| EncodeError::NotPortable { encoding: Encoding::Arrow, reason };
    let schema = batches.first().ok_or_else(|| failed("a stream has a schema, and there is no batch".into()))?.schema();
    if batches.iter().any(|batch| batch.schema() != schema) {
        return Err(failed("all batches of a stream have the same schema".into()));
    }
    let write = || {
        let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
        for batch in batches {
            writer.write(batch)?;
        }
        writer.into_inner()
    };
    let data = write().map_err(|error| failed(error.to_string()))?;
    Ok(Payload { encoding: Encoding::Arrow, data: data.into(), buffers: Vec::new() })
}

/// The batches of a table.
///
/// # Errors
///
/// A payload that is not an Arrow stream, or broken.
pub fn from_payload(payload: &Payload) -> Result<Vec<RecordBatch>, DecodeError> {
    match payload.encoding {
        Encoding::Arrow => {
            read(&payload.data).map_err(|reason| DecodeError::Malformed { encoding: Encoding::Arrow, reason })
        }
        Encoding::Pickle5 => Err(DecodeError::Pickled),
        found => Err(DecodeError::WrongEncoding { wanted: Encoding::Arrow, found }),
    }
}

fn read(stream: &[u8]) -> Result<Vec<RecordBatch>, String> {
    let reader = StreamReader::try_new(Cursor::new(stream), None).map_err(|error| error.to_string())?;
    reader.collect::<Result<_, _>>().map_err(|error| error.to_string())
}
