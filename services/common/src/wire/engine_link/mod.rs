//! The link between an engine and the scheduler, both ways: `scheduler/v1/engine_link.proto`.

mod request;
mod response;

pub use request::{decode_hello, decode_request, encode_request};
pub use response::{decode_response, encode_response};
