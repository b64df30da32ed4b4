//! Record batches come back as they went.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use paraply_values::{DecodeError, Encoding, Payload, arrow, arrow::Table, from_payload, to_json, to_payload, to_text};

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

#[test]
fn a_table_is_a_value_where_it_is_alone() {
    let table = Table(vec![batch("n", Int32Array::from(vec![1, 2]))]);
    for payload in [to_payload(&table).unwrap(), to_payload(&(&table,)).unwrap(), to_payload(&Some(&table)).unwrap()] {
        assert_eq!(payload, arrow::to_payload(&table.0).unwrap());
        assert_eq!(from_payload::<Table>(&payload).unwrap(), table);
        assert_eq!(from_payload::<(Table,)>(&payload).unwrap(), (table.clone(),));
        assert_eq!(from_payload::<Option<Table>>(&payload).unwrap(), Some(table.clone()));
        assert!(from_payload::<[(); 0]>(&payload).is_err(), "a function without parameters takes none");
        let error = from_payload::<Vec<i32>>(&payload).unwrap_err().to_string();
        assert!(error.contains("an Arrow table, expected a sequence"), "{error}");
    }
    for refused in [to_payload(&(&table, 1)), to_payload(&(&table, &table)), to_payload(&[(&table,)])] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("travels alone"), "{error}");
    }
    assert!(to_json(&table).unwrap_err().to_string().contains("an Arrow table"));
    assert_eq!(to_payload(&1).unwrap().encoding, Encoding::Msgpack, "nothing is left behind");
    assert!(
        from_payload::<Table>(&to_payload(&1).unwrap()).unwrap_err().to_string().contains("expected an Arrow table")
    );
    assert!(to_payload(&Table(vec![])).unwrap_err().to_string().contains("no batch"));
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
