//! Values as the vectors in `proto/testdata/values` describe them, in plain JSON: as `tests/python/unit/described.py` does.

use paraply_values::{RawArray, Timestamp, Value};
use serde_json::{Value as Json, from_value, json};

/// Bytes as hexadecimal text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal text.
pub(crate) fn unhex(text: &Json) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The description of a value.
pub(crate) fn describe(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Str(value) => json!(value),
        Value::Int(value) => json!({"int": value.to_string()}),
        Value::Uint(value) => json!({"int": value.to_string()}),
        Value::Float(value) => json!({"float": hex(&value.to_be_bytes())}),
        Value::Bytes(value) => json!({"bytes": hex(value)}),
        Value::List(items) => items.iter().map(describe).collect(),
        Value::Map(entries) => {
            json!({"map": entries.iter().map(|(key, value)| [describe(key), describe(value)]).collect::<Vec<_>>()})
        }
        Value::Timestamp(at) => json!({"time": (at.seconds(), at.nanoseconds())}),
        Value::Array(array) => json!({"array": {
            "dtype": array.dtype(),
            "shape": array.shape(),
            "order": array.order(),
            "elements": hex(array.elements()),
        }}),
    }
}

/// The value of a description.
pub(crate) fn make(described: &Json) -> Value {
    let object = match described {
        Json::Null => return Value::Nil,
        Json::Bool(value) => return Value::Bool(*value),
        Json::String(value) => return Value::Str(value.clone()),
        Json::Array(items) => return Value::List(items.iter().map(make).collect()),
        Json::Object(object) => object,
        Json::Number(_) => panic!("{described} says not what kind of number it is"),
    };
    let (kind, value) = object.iter().next().unwrap();
    match kind.as_str() {
        "int" => {
            let text = value.as_str().unwrap();
            text.parse().map_or_else(|_| Value::Uint(text.parse().unwrap()), Value::Int)
        }
        "float" => Value::Float(f64::from_be_bytes(unhex(value).try_into().unwrap())),
        "bytes" => Value::Bytes(unhex(value)),
        "map" => Value::Map(value.as_array().unwrap().iter().map(|entry| (make(&entry[0]), make(&entry[1]))).collect()),
        "time" => {
            let (seconds, nanoseconds) = from_value(value.clone()).unwrap();
            Value::Timestamp(Timestamp::new(seconds, nanoseconds).unwrap())
        }
        "array" => {
            let field = |name: &str| value[name].clone();
            let (dtype, order) = (from_value(field("dtype")).unwrap(), from_value(field("order")).unwrap());
            let (shape, elements) = (from_value(field("shape")).unwrap(), unhex(&value["elements"]));
            Value::Array(RawArray::new(dtype, shape, order, elements.into()).unwrap())
        }
        _ => panic!("{kind} is no kind of value"),
    }
}
