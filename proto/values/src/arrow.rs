//! Tables: Arrow's record batches as an IPC stream.

use std::io::Cursor;

use arrow_array::RecordBatch;
use arrow_ipc::{reader::StreamReader, writer::StreamWriter};

use crate::{DecodeError, EncodeError, Encoding, Payload};

/// Batches of one schema as a value: in Python a `pyarrow.Table`.
///
/// # Errors
///
/// No batch, or batches of different schemas.
pub fn to_payload(batches: &[RecordBatch]) -> Result<Payload, EncodeError> {
    let failed = |reason: String| EncodeError::NotPortable { encoding: Encoding::Arrow, reason };
    let schema = batches.first().ok_or_else(|| failed("a stream has a schema, and there is no batch".into()))?.schema();
    if batches.iter().any(|batch| batch.schema() != schema) {
        return Err(failed("all batches of a stream have the same schema".into()));
    }
    let write = || {
        let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
        for batch in batches {
            writer.write(batch)?;
        }
        writer.into_inner()
    };
    let data = write().map_err(|error| failed(error.to_string()))?;
    Ok(Payload { encoding: Encoding::Arrow, data: data.into(), buffers: Vec::new() })
}

/// The batches of a table.
///
/// # Errors
///
/// A payload that is not an Arrow stream, or broken.
pub fn from_payload(payload: &Payload) -> Result<Vec<RecordBatch>, DecodeError> {
    match payload.encoding {
        Encoding::Arrow => {}
        Encoding::Pickle5 => return Err(DecodeError::Pickled),
        found => return Err(DecodeError::WrongEncoding { wanted: Encoding::Arrow, found }),
    }
    let malformed = |reason: String| DecodeError::Malformed { encoding: Encoding::Arrow, reason };
    let reader =
        StreamReader::try_new(Cursor::new(&payload.data), None).map_err(|error| malformed(error.to_string()))?;
    reader.collect::<Result<_, _>>().map_err(|error| malformed(error.to_string()))
}
