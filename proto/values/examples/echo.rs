//! Reads values and writes them again: the other end of Python's round trips.
//!
//! A payload is four bytes of its encoding, four of the number of its parts, and the parts, each after its length in four
//! bytes: data first, then buffers. What cannot be read is answered with encoding 0 and the reason.

use std::io::{self, Read, Write};

use bytes::Bytes;
#[cfg(feature = "arrow")]
use paraply_values::DecodeError;
use paraply_values::{Encoding, Payload, Value, from_payload, to_payload};

fn main() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    while let Some((number, parts)) = receive(&mut input)? {
        let (number, parts) = match answer(number, parts) {
            Ok(payload) => (payload.encoding.number(), [vec![payload.data], payload.buffers].concat()),
            Err(error) => (0, vec![error.to_string().into()]),
        };
        send(&mut output, number, &parts)?;
    }
    Ok(())
}

fn answer(number: i32, mut parts: Vec<Bytes>) -> Result<Payload, Box<dyn std::error::Error>> {
    let encoding = Encoding::try_from(number)?;
    if parts.is_empty() {
        return Err("a payload has data".into());
    }
    let payload = Payload { encoding, data: parts.remove(0), buffers: parts };
    Ok(match from_payload(&payload) {
        Ok(Value::Array(array)) if encoding == Encoding::Ndarray => array.into_payload()?,
        Ok(value) => to_payload(&value)?,
        #[cfg(feature = "arrow")]
        Err(DecodeError::WrongEncoding { .. }) => {
            paraply_values::arrow::to_payload(&paraply_values::arrow::from_payload(&payload)?)?
        }
        Err(error) => return Err(error.into()),
    })
}

fn number(input: &mut impl Read) -> io::Result<i32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(i32::from_le_bytes(bytes))
}

fn receive(input: &mut impl Read) -> io::Result<Option<(i32, Vec<Bytes>)>> {
    let encoding = match number(input) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let mut parts = Vec::new();
    for _ in 0..number(input)? {
        let length = u64::from(number(input)?.unsigned_abs());
        let mut part = Vec::new();
        input.take(length).read_to_end(&mut part)?;
        parts.push(part.into());
    }
    Ok(Some((encoding, parts)))
}

fn send(output: &mut impl Write, encoding: i32, parts: &[Bytes]) -> io::Result<()> {
    let length = |value: usize| i32::try_from(value).map(i32::to_le_bytes).map_err(io::Error::other);
    output.write_all(&encoding.to_le_bytes())?;
    output.write_all(&length(parts.len())?)?;
    for part in parts {
        output.write_all(&length(part.len())?)?;
        output.write_all(part)?;
    }
    output.flush()
}
