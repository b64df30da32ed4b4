//! The link between a client and the scheduler, both ways: `scheduler/v1/session.proto`. The client's end is that of a
//! Rust client; clients in other languages have their own.

mod client_request;
mod client_response;
mod request;
mod response;

pub use client_request::encode_request;
pub use client_response::decode_response;
pub(crate) use request::decode_cancel_mode;
pub use request::{decode_hello, decode_request};
pub(crate) use response::encode_cancel_mode;
pub use response::encode_response;
