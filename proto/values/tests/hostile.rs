//! Bytes that nobody meant: an error each time, little memory, and no panic.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;

use ndarray::Ix1;
use paraply_values::{
    ArrayError, DecodeError, Dtype, Encoding, NdArray, Order, Payload, RawArray, Timestamp, Value, from_payload,
    to_json, to_payload, to_text,
};
use proptest::prelude::*;
use serde::Deserialize;

fn payload(encoding: Encoding, data: impl Into<Vec<u8>>) -> Payload {
    Payload { encoding, data: data.into().into(), buffers: Vec::new() }
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only read")]
struct Record {
    at: Option<Timestamp>,
    array: NdArray<f64, Ix1>,
    rest: HashMap<String, Vec<u8>>,
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        number in 1..=6_i32,
        data in prop::collection::vec(any::<u8>(), 0..200),
        buffers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..3),
    ) {
        let encoding = Encoding::try_from(number).unwrap();
        let payload = Payload { encoding, data: data.into(), buffers: buffers.into_iter().map(Into::into).collect() };
        let _ = from_payload::<Value>(&payload);
        let _ = from_payload::<Record>(&payload);
        let _ = from_payload::<RawArray>(&payload);
    }

    /// What is nearly a value goes deeper into the reader than noise.
    #[test]
    fn a_changed_byte_never_panics(at in 0..10_000_usize, byte in any::<u8>(), elements in 0..300_usize) {
        let array = RawArray::new(Dtype::Float64, vec![elements], Order::C, vec![0; elements * 8].into()).unwrap();
        let time = Value::Timestamp(Timestamp::new(-5, 7).unwrap());
        let value = Value::List(vec![Value::Array(array), time, Value::Map(vec![(Value::Int(1), Value::Bytes(vec![1; 40]))])]);
        let mut written = to_payload(&value).unwrap();
        let mut data = written.data.to_vec();
        let at = at % data.len();
        data[at] = byte;
        written.data = data.into();
        let _ = from_payload::<Value>(&written);
        let _ = from_payload::<(NdArray<f64, Ix1>, Timestamp, HashMap<i64, Vec<u8>>)>(&written);
    }
}

#[test]
fn lists_are_read_128_deep_and_no_deeper() {
    let nested = |depth: usize| payload(Encoding::Msgpack, [vec![0x91; depth], vec![0xc0]].concat());
    assert!(from_payload::<Value>(&nested(128)).is_ok());
    assert!(from_payload::<Value>(&nested(129)).is_err());
    assert!(from_payload::<Value>(&payload(Encoding::Json, "[".repeat(100_000))).is_err());
}

#[test]
fn a_pickle_is_said_to_be_one() {
    let pickled = payload(Encoding::Pickle5, *b"\x80\x05N.");
    let refused = from_payload::<Value>(&pickled).unwrap_err();
    assert!(matches!(refused, DecodeError::Pickled));
    assert!(refused.to_string().contains("only Python reads it: have the function return"), "{refused}");
}

#[test]
fn another_type_is_an_error_that_says_so() {
    let error = from_payload::<String>(&to_payload(&3).unwrap()).unwrap_err().to_string();
    assert!(error.contains("invalid type: integer `3`, expected a string"), "{error}");
    let error = from_payload::<Timestamp>(&to_payload(&RawArray::from_array(ndarray::array![1_u8]).unwrap()).unwrap());
    assert!(error.unwrap_err().to_string().contains("not a timestamp, but extension type 1"));
    assert!(matches!(Encoding::try_from(7), Err(DecodeError::UnknownEncoding(7))));
    assert!(from_payload::<i64>(&to_text("5")).is_err());
}

#[test]
fn what_json_does_not_have_is_refused() {
    assert!(to_json(&Value::Bytes(vec![1])).is_err());
    assert!(to_json(&[1.0, f64::NAN]).unwrap_err().to_string().contains("result[1]: JSON has no nan"));
    assert!(from_payload::<Timestamp>(&payload(Encoding::Json, "[-1, [0, 0, 0, 0]]")).is_err());
}

#[test]
fn lengths_that_overflow_are_refused() {
    let new = |shape: Vec<usize>| RawArray::new(Dtype::Complex128, shape, Order::C, Vec::new().into());
    assert!(matches!(new(vec![usize::MAX, 2]), Err(ArrayError::Shape(_))));
    assert!(matches!(new(vec![0, usize::MAX, 2]), Err(ArrayError::Shape(_))));
    assert!(matches!(new(vec![1; 65]), Err(ArrayError::Shape(_))));
    assert!(matches!(new(vec![2]), Err(ArrayError::Size { bytes: 0, .. })));
    assert!(new(vec![0, 1 << 40]).is_ok());
}
