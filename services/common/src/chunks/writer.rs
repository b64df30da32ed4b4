//! Messages as frames of a body.

use bytes::{BufMut as _, Bytes};
use http::HeaderMap;
use http_body::Frame;
use prost::Message;
use tonic::Status;

use super::head::{Carrier, prefix};

/// A chunk: its head, and its bytes as they are.
#[must_use]
pub fn chunk(carrier: Carrier, offset: u64, data: Bytes) -> [Frame<Bytes>; 2] {
    let head = carrier.write(offset, data.len());
    [Frame::data(head.into()), Frame::data(data)]
}

/// Any other message, which is small.
pub fn message(message: &impl Message) -> Frame<Bytes> {
    let mut framed = prefix(message.encoded_len());
    framed.put_slice(&message.encode_to_vec());
    Frame::data(framed.into())
}

/// How a server ends a stream.
#[must_use]
pub fn trailers(status: &Status) -> Frame<Bytes> {
    let mut headers = HeaderMap::new();
    // It refuses what is no header value, and a message is encoded as one.
    let _encoded = status.add_header(&mut headers);
    Frame::trailers(headers)
}
