//! The vectors in `proto/testdata/values`: payloads, what they hold, and payloads that hold nothing.
//! `tests/python/unit/test_portable_vectors.py` reads the same file.

#![allow(clippy::unwrap_used, reason = "tests")]

mod described;

use std::{fs, path::Path};

use described::{describe, hex, make, unhex};
use paraply_values::{Encoding, Payload, Value, from_payload, to_payload};
use serde_json::Value as Json;

fn encoding(name: &Json) -> Encoding {
    match name.as_str().unwrap() {
        "MSGPACK" => Encoding::Msgpack,
        "NDARRAY" => Encoding::Ndarray,
        "ARROW" => Encoding::Arrow,
        "JSON" => Encoding::Json,
        "TEXT" => Encoding::Text,
        name => panic!("{name} is no encoding"),
    }
}

/// Every vector with its payload.
fn vectors() -> Vec<(Json, Payload)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/values/vectors.json");
    let vectors: Vec<Json> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert!(!vectors.is_empty());
    let payload = |vector: &Json| Payload {
        encoding: encoding(&vector["encoding"]),
        data: unhex(&vector["data"]).into(),
        buffers: vector["buffers"].as_array().into_iter().flatten().map(|buffer| unhex(buffer).into()).collect(),
    };
    vectors.into_iter().map(|vector| (vector.clone(), payload(&vector))).collect()
}

#[test]
fn payloads_are_read_as_their_description() {
    for (vector, payload) in vectors() {
        let name = &vector["name"];
        if let Some(described) = vector.get("value").filter(|_| payload.encoding != Encoding::Arrow) {
            let value: Value = from_payload(&payload).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(describe(&value), *described, "{name}");
        }
    }
}

#[test]
fn values_are_written_as_these_bytes() {
    for (vector, payload) in vectors() {
        let name = &vector["name"];
        let Some(described) = vector.get("value").filter(|_| vector["written"] != false) else { continue };
        let written = match make(described) {
            Value::Array(array) => array.into_payload(),
            value => to_payload(&value),
        };
        let written = written.unwrap();
        assert_eq!(hex(&written.data), hex(&payload.data), "{name}");
        assert_eq!(written, payload, "{name}");
    }
}

#[test]
fn bytes_that_are_no_value_are_refused() {
    for (vector, payload) in vectors() {
        if vector["refused"] == true {
            assert!(from_payload::<Value>(&payload).is_err(), "{}", vector["name"]);
        }
    }
}

#[cfg(feature = "arrow")]
#[test]
fn the_table_is_read() {
    use arrow_array::{Array, cast::AsArray, types::Int64Type};

    let mut tables = vectors().into_iter().filter(|(_, payload)| payload.encoding == Encoding::Arrow);
    let (vector, payload) = tables.next().unwrap();
    assert_eq!(
        vector["value"],
        serde_json::json!({"table": [["n", [{"int": "1"}, null, {"int": "3"}]], ["s", ["a", "b", "é"]]]})
    );
    let [batch] = &paraply_values::arrow::from_payload(&payload).unwrap()[..] else { panic!("one batch") };
    let (n, s) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_string::<i32>());
    assert_eq!(n.iter().collect::<Vec<_>>(), [Some(1), None, Some(3)]);
    assert_eq!((s.value(0), s.value(1), s.value(2), s.len()), ("a", "b", "é", 3));

    let (_, broken) = tables.next().unwrap();
    assert!(paraply_values::arrow::from_payload(&broken).is_err());
}
