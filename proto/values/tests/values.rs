//! Values come back as they went.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use paraply_proto::common::v1::Encoding as Wire;
use paraply_values::{
    Dtype, Encoding, Order, RawArray, Timestamp, Value, from_payload, serde_bytes, to_json, to_payload,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

fn key() -> impl Strategy<Value = Value> {
    prop_oneof![any::<i64>().prop_map(Value::Int), ".{0,8}".prop_map(Value::Str)]
}

fn value() -> impl Strategy<Value = Value> {
    let time = (any::<i64>(), 0..1_000_000_000_u32).prop_map(|(s, n)| Value::Timestamp(Timestamp::new(s, n).unwrap()));
    let array = prop_oneof![0..9_usize, 500..520_usize].prop_map(|length| {
        let elements = vec![7; length * 3 * 2];
        Value::Array(RawArray::new(Dtype::Int16, vec![3, length], Order::F, elements.into()).unwrap())
    });
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (i64::MAX as u64 + 1..).prop_map(Value::Uint),
        any::<f64>().prop_map(Value::Float),
        ".{0,40}".prop_map(Value::Str),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
        time,
        array,
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::List),
            prop::collection::vec((key(), inner), 0..20).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_comes_back(value in value()) {
        prop_assert_eq!(from_payload::<Value>(&to_payload(&value).unwrap()).unwrap(), value);
    }

    #[test]
    fn any_time_comes_back(seconds in -1_000_000_000_000..1_000_000_000_000_i64, nanoseconds in 0..1_000_000_000_u32) {
        let time = Timestamp::new(seconds, nanoseconds).unwrap();
        prop_assert_eq!(Timestamp::from(SystemTime::try_from(time).unwrap()), time);
    }
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
enum Shape {
    Nothing,
    Circle(f64),
    Box { width: u32, height: u32 },
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Everything {
    none: Option<i32>,
    some: Option<i32>,
    unit: (),
    letter: char,
    shapes: Vec<Shape>,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    by_number: BTreeMap<i64, String>,
    at: Timestamp,
}

#[test]
fn types_come_back_and_are_plain_to_others() {
    let everything = Everything {
        none: None,
        some: Some(3),
        unit: (),
        letter: 'é',
        shapes: vec![Shape::Nothing, Shape::Circle(1.0), Shape::Box { width: 2, height: 3 }],
        bytes: vec![1, 2],
        by_number: [(-1, "minus one".to_owned())].into(),
        at: Timestamp::new(1, 5000).unwrap(),
    };
    let payload = to_payload(&everything).unwrap();
    assert_eq!(from_payload::<Everything>(&payload).unwrap(), everything);

    let text = |text: &str| Value::Str(text.to_owned());
    let plain = Value::Map(vec![
        (text("none"), Value::Nil),
        (text("some"), Value::Int(3)),
        (text("unit"), Value::Nil),
        (text("letter"), text("é")),
        (
            text("shapes"),
            Value::List(vec![
                text("Nothing"),
                Value::Map(vec![(text("Circle"), Value::Float(1.0))]),
                Value::Map(vec![(
                    text("Box"),
                    Value::Map(vec![(text("width"), Value::Int(2)), (text("height"), Value::Int(3))]),
                )]),
            ]),
        ),
        (text("bytes"), Value::Bytes(vec![1, 2])),
        (text("by_number"), Value::Map(vec![(Value::Int(-1), text("minus one"))])),
        (text("at"), Value::Timestamp(everything.at)),
    ]);
    assert_eq!(from_payload::<Value>(&payload).unwrap(), plain);
}

#[test]
fn bytes_from_python_fill_a_vec() {
    let payload = to_payload(&Value::Bytes(vec![1, 255])).unwrap();
    assert_eq!(from_payload::<Vec<u8>>(&payload).unwrap(), [1, 255]);
}

#[test]
fn json_is_read_as_the_same_types() {
    let address = std::net::IpAddr::from([127, 0, 0, 1]);
    let payload = to_json(&address).unwrap();
    assert_eq!(payload.data.as_ref(), br#""127.0.0.1""#);
    assert_eq!(from_payload::<std::net::IpAddr>(&payload).unwrap(), address);
    let shapes = vec![Shape::Nothing, Shape::Box { width: 2, height: 3 }];
    assert_eq!(from_payload::<Vec<Shape>>(&to_json(&shapes).unwrap()).unwrap(), shapes);
}

#[test]
fn datetimes_and_arrays_are_read_wherever_serde_keeps_them_meanwhile() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    #[serde(untagged)]
    enum Either {
        Array(RawArray),
        At(Timestamp),
        Text(String),
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    #[serde(tag = "kind")]
    enum Tagged {
        At { at: Timestamp },
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Outer {
        #[serde(flatten)]
        inner: BTreeMap<String, Timestamp>,
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Meeting {
        #[serde(flatten)]
        when: When,
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    enum When {
        Between { from: Timestamp, to: Timestamp },
    }

    let at = Timestamp::new(5, 6).unwrap();
    let array = RawArray::new(Dtype::Uint8, vec![2000], Order::C, vec![7; 2000].into()).unwrap();
    let all = (
        vec![Either::Array(array), Either::At(at), Either::Text("x".into())],
        Tagged::At { at },
        Outer { inner: BTreeMap::from([("a".to_owned(), at)]) },
        Meeting { when: When::Between { from: at, to: at } },
    );
    let payload = to_payload(&all).unwrap();
    assert_eq!(payload.buffers.len(), 1);
    assert_eq!(from_payload::<(Vec<Either>, Tagged, Outer, Meeting)>(&payload).unwrap(), all);
}

#[test]
fn times_at_the_ends_of_the_range_are_no_panic() {
    for seconds in [i64::MIN, i64::MIN + 1, i64::MAX] {
        let time = Timestamp::new(seconds, 999_999_999).unwrap();
        assert_eq!(from_payload::<Timestamp>(&to_payload(&time).unwrap()).unwrap(), time);
        let _ = SystemTime::try_from(time);
    }
    let early = SystemTime::UNIX_EPOCH - Duration::new(5, 1);
    assert_eq!(Timestamp::from(early), Timestamp::new(-6, 999_999_999).unwrap());
}

#[test]
fn numbers_are_those_of_the_schema() {
    for (ours, wire) in [
        (Encoding::Pickle5, Wire::Pickle5),
        (Encoding::Msgpack, Wire::Msgpack),
        (Encoding::Ndarray, Wire::Ndarray),
        (Encoding::Arrow, Wire::Arrow),
        (Encoding::Json, Wire::Json),
        (Encoding::Text, Wire::Text),
    ] {
        assert_eq!(ours.number(), i32::from(wire));
        assert_eq!(Encoding::try_from(ours.number()).unwrap(), ours);
    }
}
