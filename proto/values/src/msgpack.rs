//! MessagePack: values with their names, limits on what is read, and extension types.

use rmp_serde::decode::Error;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::{ByteBuf, Bytes as ByteSlice};

use crate::buffers;

/// How deep lists and maps may be inside each other.
pub(crate) const MAX_DEPTH: usize = 128;

/// `value` as MessagePack: structs are maps by the names of their fields.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(value).map_err(|error| error.to_string())
}

/// The same where what is written is for people: addresses and the like are texts then.
pub(crate) fn write_readable<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    let mut writer = rmp_serde::Serializer::new(Vec::new()).with_struct_map().with_human_readable();
    value.serialize(&mut writer).map_err(|error| error.to_string())?;
    Ok(writer.into_inner())
}

/// The one value that `bytes` are.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    // It counts down, and refuses at zero.
    reader.set_max_depth(MAX_DEPTH + 1);
    let value = T::deserialize(&mut reader).map_err(in_words)?;
    // It does not say how far it came, but at the end there is no further marker.
    match bool::deserialize(&mut reader) {
        Err(Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err("bytes follow the value".to_owned()),
    }
}

/// What is wrong, in the words of the value and not of its bytes.
fn in_words(error: Error) -> String {
    match error {
        Error::TypeMismatch(marker) => format!("{} is where something else belongs", kind(marker.to_u8())),
        Error::LengthMismatch(items) => format!("{items} items are too many"),
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => "it ends too early".to_owned(),
        error => error.to_string(),
    }
}

/// What a value that begins with this byte is (the specification of MessagePack, "Formats").
fn kind(first: u8) -> &'static str {
    match first {
        0x00..=0x7f | 0xcc..=0xd3 | 0xe0..=0xff => "an integer",
        0x80..=0x8f | 0xde..=0xdf => "a map",
        0x90..=0x9f | 0xdc..=0xdd => "a list",
        0xa0..=0xbf | 0xd9..=0xdb => "a string",
        0xc0 => "None",
        0xc1 => "a byte that begins no value",
        0xc2..=0xc3 => "a bool",
        0xc4..=0xc6 => "a byte string",
        0xc7..=0xc9 | 0xd4..=0xd8 => "an array or a datetime",
        0xca..=0xcb => "a float",
    }
}

/// An extension type, by the name that the format knows it by.
#[derive(Serialize, Deserialize)]
#[serde(rename = "_ExtStruct")]
struct Ext<B>((i8, B));

/// Writes a value of an extension type.
pub(crate) fn serialize_ext<S: serde::Serializer>(serializer: S, tag: i8, body: &[u8]) -> Result<S::Ok, S::Error> {
    // Not what the serializer says of itself alone: serde's own, of a flattened enum for one, do not say what they are for.
    if serializer.is_human_readable() && !buffers::is_writing() {
        return Err(serde::ser::Error::custom("only MessagePack has datetimes and arrays"));
    }
    Ext((tag, ByteSlice::new(body))).serialize(serializer)
}

/// Reads a value of the extension type `tag`, which is called `name`.
pub(crate) fn deserialize_ext<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
    tag: i8,
    name: &str,
) -> Result<ByteBuf, D::Error> {
    // Not what the deserializer says of itself alone: what serde has kept of MessagePack, for an untagged enum for one, does not
    // remember where it is from.
    if deserializer.is_human_readable() && !buffers::is_reading() {
        return Err(serde::de::Error::custom("only MessagePack has datetimes and arrays"));
    }
    let Ext((found, body)) = Ext::<ByteBuf>::deserialize(deserializer)?;
    if found == tag {
        Ok(body)
    } else {
        Err(serde::de::Error::custom(format!("not {name}, but extension type {found}")))
    }
}
