//! Values of any type.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess},
    ser::{self, SerializeMap},
};
use serde_bytes::ByteBuf;

use crate::{RawArray, Timestamp, array, buffers, timestamp};

/// Memory that a length alone may ask for, in elements.
const CAUTIOUS: usize = 1024;

/// Whatever a payload holds, where its type is not known beforehand.
///
/// ```
/// use paraply_values::{Value, from_payload, to_payload};
///
/// let value: Value = from_payload(&to_payload(&("x", 1, None::<f64>))?)?;
/// assert_eq!(value, Value::List(vec![Value::Str("x".into()), Value::Int(1), Value::Nil]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Python's None.
    Nil,
    /// A bool.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer that is too large for [`Value::Int`].
    Uint(u64),
    /// A float.
    Float(f64),
    /// A string.
    Str(String),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A list; Python's tuples are lists too.
    List(Vec<Self>),
    /// A map: Python's dict, in its order.
    Map(Vec<(Self, Self)>),
    /// A point in time.
    Timestamp(Timestamp),
    /// An array.
    Array(RawArray),
}

impl Value {
    /// What it is, for errors.
    ///
    /// ```
    /// assert_eq!(paraply_values::Value::Uint(1).kind(), "an integer");
    /// ```
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) | Self::Uint(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Str(_) => "a string",
            Self::Bytes(_) => "a byte string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Timestamp(_) => "a datetime",
            Self::Array(_) => "an array",
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Uint(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Str(value) => serializer.serialize_str(value),
            Self::Bytes(_) if serializer.is_human_readable() && !buffers::is_writing() => {
                Err(ser::Error::custom("only MessagePack has byte strings"))
            }
            Self::Bytes(value) => serializer.serialize_bytes(value),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Timestamp(value) => value.serialize(serializer),
            Self::Array(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Uint(value), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Str(value.to_owned()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::with_capacity(access.size_hint().unwrap_or_default().min(CAUTIOUS));
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::with_capacity(access.size_hint().unwrap_or_default().min(CAUTIOUS));
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let (tag, body): (i8, ByteBuf) = Deserialize::deserialize(deserializer)?;
        match tag {
            timestamp::TAG => {
                let found = Timestamp::from_body(&body).ok_or_else(|| de::Error::custom("not a timestamp"))?;
                Ok(Value::Timestamp(found))
            }
            array::TAG => Ok(Value::Array(RawArray::from_body(&body).map_err(de::Error::custom)?)),
            _ => Err(de::Error::custom(format!("extension type {tag} is unknown"))),
        }
    }
}
