//! Values as they travel: what every language reads, as `paraply_values` writes it.

use bytes::Bytes;
use paraply_common::portable;
use paraply_core::payload::{Encoding, Payload};
use paraply_values::DecodeError;
use serde::{Serialize, de::DeserializeOwned};

/// Why a value could not be written, or a result could not be read as what was asked for.
///
/// ```no_run
/// use paraply::{Error, ValueError};
///
/// # async fn example(client: paraply::Client) {
/// let root = client.balanced().apply::<String>("math:sqrt", (2,)).await;
/// if let Err(Error::Value(ValueError::Decode { wanted, message })) = root {
///     println!("no {wanted}: {message}");
/// }
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// It has something in it that no other language reads.
    #[error("{0}")]
    Encode(String),
    /// It is something else than the type that it was read as.
    #[error("the result is no {wanted}: {message}")]
    Decode {
        /// The type that was asked for.
        wanted: &'static str,
        /// What is in the way.
        message: String,
    },
    /// It came in a form that only Python reads.
    #[error("{0}")]
    Pickled(String),
}

/// A value as a payload.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Payload, ValueError> {
    portable::encode(value).map_err(|error| ValueError::Encode(error.to_string()))
}

/// The value of a payload, all of whose bytes are in it.
pub(crate) fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, ValueError> {
    portable::decode(payload).map_err(|error| match error {
        DecodeError::Pickled => ValueError::Pickled(error.to_string()),
        error => ValueError::Decode { wanted: std::any::type_name::<T>(), message: error.to_string() },
    })
}

/// No arguments at all, in the encoding that the result is to have.
pub(crate) fn nothing() -> Payload {
    Payload { encoding: Encoding::Msgpack, data: Bytes::new(), ..Payload::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn payload(encoding: Encoding, data: &'static [u8]) -> Payload {
        Payload { encoding, data: Bytes::from_static(data), ..Payload::default() }
    }

    #[test]
    fn what_is_written_is_read_and_has_names() {
        #[derive(Serialize, serde::Deserialize, PartialEq, Debug)]
        struct Point {
            x: f64,
            tags: Vec<String>,
        }
        let point = Point { x: 1.5, tags: vec!["a".into()] };
        let written = encode(&point).unwrap();
        assert_eq!(decode::<Point>(&written).unwrap(), point);
        let map: BTreeMap<String, serde_json::Value> = decode(&written).unwrap();
        assert_eq!(map["x"], 1.5, "a dictionary to Python");
        assert_eq!(encode(&(1, "a")).unwrap().data.as_ref(), b"\x92\x01\xa1a", "a list of positional arguments");
    }

    #[test]
    fn text_and_json_are_read_too() {
        assert_eq!(decode::<String>(&payload(Encoding::Text, b"abc")).unwrap(), "abc");
        assert_eq!(decode::<Vec<u8>>(&payload(Encoding::Json, b"[1, 2]")).unwrap(), [1, 2]);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let error = decode::<u8>(&payload(Encoding::Pickle5, b"\x80\x05N.")).unwrap_err().to_string();
        assert!(error.contains("pickle"), "{error}");
        let error = decode::<u8>(&payload(Encoding::Msgpack, b"\xa1a")).unwrap_err().to_string();
        assert!(error.contains("no u8"), "{error}");
    }
}
