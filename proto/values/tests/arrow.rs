//! Record batches come back as they went.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use paraply_values::{DecodeError, Encoding, Payload, arrow, to_text};

fn batch(name: &str, column: impl arrow_array::Array + 'static) -> RecordBatch {
    RecordBatch::try_from_iter([(name, Arc::new(column) as ArrayRef)]).unwrap()
}

#[test]
fn batches_come_back() {
    let batches = [batch("n", Int32Array::from(vec![Some(1), None])), batch("n", Int32Array::from(vec![3]))];
    // A column without a null in one batch is nullable in the other.
    let batches = batches.map(|each| {
        RecordBatch::try_new(batch("n", Int32Array::from(vec![None])).schema(), each.columns().to_vec()).unwrap()
    });
    let payload = arrow::to_payload(&batches).unwrap();
    assert_eq!(payload.encoding, Encoding::Arrow);
    assert_eq!(arrow::from_payload(&payload).unwrap(), batches);
}

#[test]
fn what_is_no_table_is_refused() {
    assert!(arrow::to_payload(&[]).is_err());
    let mixed = [batch("n", Int32Array::from(vec![1])), batch("m", StringArray::from(vec!["x"]))];
    assert!(arrow::to_payload(&mixed).is_err());
    assert!(matches!(arrow::from_payload(&to_text("x")), Err(DecodeError::WrongEncoding { .. })));
}

/// Nothing of this may panic, and a stream that was cut is never a whole one.
#[test]
fn a_cut_stream_is_an_error() {
    let whole = arrow::to_payload(&[batch("n", Int64Array::from_iter_values(0..100))]).unwrap();
    for length in 0..whole.data.len() {
        let cut = Payload { data: whole.data.slice(..length), ..whole.clone() };
        let read = arrow::from_payload(&cut);
        assert!(read.as_ref().is_ok_and(|batches| batches.len() <= 1) || read.is_err());
    }
}
