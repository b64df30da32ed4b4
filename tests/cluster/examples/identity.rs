//! Sends values of many types to a function in Python that gives them back: `identity CASES`, on the default cluster.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, Ix1, Ix2};
use paraply::{
    Function, args,
    blocking::Client,
    values::{Nd, NdArray, Timestamp, serde_bytes::ByteBuf},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Kind {
    Nothing,
    Number(i32),
    Named { name: String, weight: f32 },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Sample {
    integers: (i8, u64, i64),
    real: f64,
    text: String,
    bytes: ByteBuf,
    maybe: Option<bool>,
    kinds: Vec<Kind>,
    rows: BTreeMap<String, Vec<f64>>,
    by_number: BTreeMap<i64, ()>,
    when: Timestamp,
    matrix: NdArray<f64, Ix2>,
    counts: NdArray<u16, Ix1>,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Nothing),
        any::<i32>().prop_map(Kind::Number),
        (".{0,9}", any::<f32>()).prop_map(|(name, weight)| Kind::Named { name, weight }),
    ]
}

/// What Python's datetime has: years 1 to 9999, in microseconds.
fn time() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800..253_402_300_800_i64, 0..1_000_000_u32)
        .prop_filter_map("a time", |(seconds, micros)| Timestamp::new(seconds, micros * 1000))
}

/// Few elements lie in the MessagePack, many in a buffer, and more than fit a message go on a way of their own.
fn matrix() -> impl Strategy<Value = NdArray<f64, Ix2>> {
    (prop_oneof![0..9_usize, 200..220_usize], 0..70_usize, any::<f64>(), any::<bool>()).prop_map(
        |(rows, columns, scale, turned)| {
            let array = Array2::from_shape_fn((rows, columns), |(row, column)| scale / (1 + row * 31 + column) as f64);
            Nd(if turned { array.reversed_axes() } else { array })
        },
    )
}

fn sample() -> impl Strategy<Value = Sample> {
    let counts = prop::collection::vec(any::<u16>(), 0..600).prop_map(|items| Nd(Array1::from(items)));
    let rows = prop::collection::btree_map(".{0,9}", prop::collection::vec(any::<f64>(), 0..4), 0..4);
    let plain = (any::<(i8, u64, i64)>(), any::<f64>(), ".{0,40}", prop::collection::vec(any::<u8>(), 0..300));
    let numbers = prop::collection::btree_map(any::<i64>(), Just(()), 0..4);
    let parts =
        (plain, any::<Option<bool>>(), prop::collection::vec(kind(), 0..4), rows, numbers, time(), matrix(), counts);
    parts.prop_map(|(plain, maybe, kinds, rows, by_number, when, matrix, counts)| {
        let (integers, real, text, bytes) = plain;
        let bytes = ByteBuf::from(bytes);
        Sample { integers, real, text, bytes, maybe, kinds, rows, by_number, when, matrix, counts }
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cases = std::env::args().nth(1).ok_or("how many cases?")?.parse()?;
    let client = Client::connect()?;
    client.wait_for_engines(1)?;
    let identity = Function::source("lambda *values, **named: named['value'] if named else values[0]");
    // What it failed with is printed, smallest case first; nothing is to be kept beside the sources.
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner.run(&sample(), |sample| {
        let failed = |error: paraply::Error| TestCaseError::fail(error.to_string());
        let view = client.balanced();
        prop_assert_eq!(&view.apply::<Sample>(&identity, (&sample,)).wait().map_err(failed)?, &sample);
        let named = view.apply::<Sample>(&identity, args!(0, value = &sample)).wait().map_err(failed)?;
        prop_assert_eq!(&named, &sample);
        let engine = client.direct(0);
        engine.push("sample", &sample).wait().map_err(failed)?;
        prop_assert_eq!(&engine.pull::<Sample>("sample").wait().map_err(failed)?[0], &sample);
        let array = engine.pull::<NdArray<f64, Ix2>>("sample['matrix']").wait().map_err(failed)?;
        prop_assert_eq!(&array[0], &sample.matrix);
        Ok(())
    })?;
    println!("{cases} values came back as they went");
    client.close();
    Ok(())
}
