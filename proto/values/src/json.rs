//! JSON for those who have nothing else: every value that has a JSON form, by the rules of `docs/protocol.md`.

use std::fmt::Write as _;

use crate::{Dtype, Order, RawArray, Timestamp, Value};

/// `value` as JSON. An error begins with the path from `result` to what has no JSON form.
pub(crate) fn write(value: &Value) -> Result<String, String> {
    let mut writer = Writer { text: String::new(), path: String::from("result") };
    match writer.value(value) {
        Ok(()) => Ok(writer.text),
        Err(reason) => Err(format!("{}: {reason}", writer.path)),
    }
}

/// An array of no elements may have a shape of any size.
const MOST_EMPTY_LISTS: usize = 1 << 16;

struct Writer {
    text: String,
    /// Where it is; at an error it stays there.
    path: String,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::Nil => self.text.push_str("null"),
            Value::Bool(value) => self.put(value),
            Value::Int(value) => self.put(value),
            Value::Uint(value) => self.put(value),
            Value::Float(value) => self.float(*value)?,
            Value::Str(value) => self.string(value),
            Value::Bytes(_) => {
                let what = "bytes (and integers of 128 bits) have no JSON form";
                return Err(format!("{what}: return a text, or call the function in a session"));
            }
            Value::List(items) => {
                self.list(items.len(), |writer, index| items.get(index).map_or(Ok(()), |item| writer.value(item)))?;
            }
            Value::Map(entries) => self.map(entries)?,
            Value::Timestamp(time) => {
                let text = iso_8601(*time).ok_or("a datetime is of the years 0 to 9999")?;
                self.string(&text);
            }
            Value::Array(array) => self.array(array)?,
        }
        Ok(())
    }

    fn put(&mut self, value: impl std::fmt::Display) {
        // Nothing fails to be written into a string.
        let _ = write!(self.text, "{value}");
    }

    fn string(&mut self, text: &str) {
        self.put(serde_json::Value::from(text));
    }

    fn float(&mut self, value: f64) -> Result<(), String> {
        let Some(number) = serde_json::Number::from_f64(value) else {
            let name = if value.is_nan() { "nan".to_owned() } else { value.to_string() };
            return Err(format!("JSON has no {name}: return None or a text in its place"));
        };
        self.put(number);
        Ok(())
    }

    fn list(
        &mut self,
        length: usize,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        self.text.push('[');
        for index in 0..length {
            if index > 0 {
                self.text.push(',');
            }
            self.part(&format_args!("{index}"), |writer| item(writer, index))?;
        }
        self.text.push(']');
        Ok(())
    }

    fn map(&mut self, entries: &[(Value, Value)]) -> Result<(), String> {
        self.text.push('{');
        for (position, (key, value)) in entries.iter().enumerate() {
            if position > 0 {
                self.text.push(',');
            }
            let key = match key {
                Value::Str(key) => key.clone(),
                Value::Nil => "null".into(),
                Value::Bool(key) => key.to_string(),
                Value::Int(key) => key.to_string(),
                Value::Uint(key) => key.to_string(),
                Value::Float(key) => match serde_json::Number::from_f64(*key) {
                    Some(key) => key.to_string(),
                    None => return Err("a key is no number that JSON has".into()),
                },
                _ => return Err("the keys of a JSON object are texts (numbers, bools and None become texts)".into()),
            };
            self.string(&key);
            self.text.push(':');
            self.part(&format_args!("{key:?}"), |writer| writer.value(value))?;
        }
        self.text.push('}');
        Ok(())
    }

    /// Writes a part of a value, which has this name in there.
    fn part(
        &mut self,
        name: &dyn std::fmt::Display,
        write: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let before = self.path.len();
        let _ = write!(self.path, "[{name}]");
        write(self)?;
        self.path.truncate(before);
        Ok(())
    }

    /// Lists of lists, by the first index first however the elements lie.
    fn array(&mut self, array: &RawArray) -> Result<(), String> {
        let (shape, size) = (array.shape(), array.dtype().size());
        // Lists of nothing cost a few bytes each, where the array itself has none.
        let lists = shape.iter().take_while(|length| **length > 0).fold(1_usize, |so_far, n| so_far.saturating_mul(*n));
        if shape.contains(&0) && lists > MOST_EMPTY_LISTS {
            return Err(format!("an array without elements would be {lists} empty lists"));
        }
        let mut strides = vec![size; shape.len()];
        // No overflow: the product of all lengths fits, and where one is zero nothing is at any position.
        let mut so_far = size;
        let axes: Vec<usize> = match array.order() {
            Order::C => (0..shape.len()).rev().collect(),
            Order::F => (0..shape.len()).collect(),
        };
        for axis in axes {
            strides[axis] = so_far;
            so_far = so_far.saturating_mul(shape[axis]);
        }
        self.axis(array, &strides, 0, 0)
    }

    fn axis(&mut self, array: &RawArray, strides: &[usize], axis: usize, at: usize) -> Result<(), String> {
        match (array.shape().get(axis), strides.get(axis)) {
            (Some(&length), Some(&stride)) => {
                self.list(length, |writer, index| writer.axis(array, strides, axis + 1, at + index * stride))
            }
            _ => self.element(array, at),
        }
    }

    fn element(&mut self, array: &RawArray, at: usize) -> Result<(), String> {
        macro_rules! number {
            ($kind:ty) => {
                array.elements()[at..].first_chunk().map(|bytes| <$kind>::from_le_bytes(*bytes)).unwrap_or_default()
            };
        }
        match array.dtype() {
            Dtype::Bool => self.put(number!(u8) != 0),
            Dtype::Int8 => self.put(number!(i8)),
            Dtype::Int16 => self.put(number!(i16)),
            Dtype::Int32 => self.put(number!(i32)),
            Dtype::Int64 => self.put(number!(i64)),
            Dtype::Uint8 => self.put(number!(u8)),
            Dtype::Uint16 => self.put(number!(u16)),
            Dtype::Uint32 => self.put(number!(u32)),
            Dtype::Uint64 => self.put(number!(u64)),
            Dtype::Float16 => self.float(half(number!(u16)))?,
            Dtype::Float32 => self.float(number!(f32).into())?,
            Dtype::Float64 => self.float(number!(f64))?,
            Dtype::Complex64 | Dtype::Complex128 => return Err("JSON has no complex numbers".into()),
        }
        Ok(())
    }
}

/// A float of 16 bits (IEEE 754, binary16).
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    sign * match i32::from(bits >> 10 & 0x1f) {
        0 => fraction * 2_f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1.0 + fraction) * 2_f64.powi(exponent - 15),
    }
}

/// As Python's `isoformat` has it for UTC. None where a year has other than four digits.
fn iso_8601(time: Timestamp) -> Option<String> {
    let at = time::OffsetDateTime::from_unix_timestamp(time.seconds()).ok()?;
    let year = u32::try_from(at.year()).ok().filter(|year| *year <= 9999)?;
    let part = match time.nanoseconds() {
        0 => String::new(),
        part if part % 1000 == 0 => format!(".{:06}", part / 1000),
        part => format!(".{part:09}"),
    };
    let (month, day) = (u8::from(at.month()), at.day());
    let (hour, minute, second) = at.to_hms();
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{part}+00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{from_payload, to_payload};

    fn json<T: serde::Serialize>(value: &T) -> Result<String, String> {
        write(&from_payload(&to_payload(value).unwrap()).unwrap())
    }

    #[test]
    fn floats_of_16_bits() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x3555, 0.333_251_953_125), (1, 2_f64.powi(-24)), (0x7bff, 65504.0)]
        {
            assert_eq!(half(bits), value, "{bits:x}");
        }
        assert!(half(0x7e00).is_nan() && half(0xfc00) == f64::NEG_INFINITY);
    }

    #[test]
    fn what_has_a_form_is_written_in_it() {
        assert_eq!(json(&("x\"\n", 1, -1, u64::MAX, 0.5, None::<u8>, true)).unwrap(), {
            r#"["x\"\n",1,-1,18446744073709551615,0.5,null,true]"#
        });
        assert_eq!(json(&1e300).unwrap(), "1e+300");
        let floats = Value::Map(vec![(Value::Float(1.0), Value::Nil), (Value::Float(1e300), Value::Nil)]);
        assert_eq!(write(&floats).unwrap(), r#"{"1.0":null,"1e+300":null}"#);
        let map = std::collections::BTreeMap::from([(1, 'a'), (2, 'b')]);
        assert_eq!(json(&map).unwrap(), r#"{"1":"a","2":"b"}"#);
        let time = Timestamp::new(1_700_000_000, 1_000).unwrap();
        assert_eq!(json(&time).unwrap(), r#""2023-11-14T22:13:20.000001+00:00""#);
        assert_eq!(json(&Timestamp::new(-1, 0).unwrap()).unwrap(), r#""1969-12-31T23:59:59+00:00""#);
        let elements: Vec<u8> = (0..6_i16).flat_map(i16::to_le_bytes).collect();
        for (order, text) in [(Order::C, "[[0,1,2],[3,4,5]]"), (Order::F, "[[0,2,4],[1,3,5]]")] {
            let array = RawArray::new(Dtype::Int16, vec![2, 3], order, elements.clone().into()).unwrap();
            assert_eq!(json(&array).unwrap(), text);
        }
        let empty = RawArray::new(Dtype::Int16, vec![2, 0], Order::C, bytes::Bytes::new()).unwrap();
        assert_eq!(json(&empty).unwrap(), "[[],[]]");
        let scalar = RawArray::new(Dtype::Bool, vec![], Order::C, vec![1].into()).unwrap();
        assert_eq!(json(&scalar).unwrap(), "true");
    }

    #[test]
    fn what_has_none_is_an_error_that_says_where_it_is() {
        let deep = serde_json::json!({"a": [0, {"b": null}]});
        assert!(json(&deep).is_ok());
        let error = json(&(1, [f64::NAN])).unwrap_err();
        assert_eq!(error, "result[1][0]: JSON has no nan: return None or a text in its place");
        let named = std::collections::BTreeMap::from([("a", f32::NEG_INFINITY)]);
        assert_eq!(json(&named).unwrap_err(), "result[\"a\"]: JSON has no -inf: return None or a text in its place");
        assert!(
            json(&serde_bytes::Bytes::new(b"x"))
                .unwrap_err()
                .starts_with("result: bytes (and integers of 128 bits) have no JSON form")
        );
        assert!(json(&i128::MAX).unwrap_err().contains("bytes"), "which is what they travel as");
        let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(json(&keys).unwrap_err().contains("keys of a JSON object"));
        let array = RawArray::new(Dtype::Complex64, vec![1], Order::C, vec![0; 8].into()).unwrap();
        assert_eq!(json(&array).unwrap_err(), "result[0]: JSON has no complex numbers");
        let empty = RawArray::new(Dtype::Int8, vec![1 << 40, 0], Order::C, bytes::Bytes::new()).unwrap();
        assert!(json(&empty).unwrap_err().contains("empty lists"));
        assert!(json(&Timestamp::new(i64::MAX, 0).unwrap()).unwrap_err().contains("years 0 to 9999"));
    }
}
