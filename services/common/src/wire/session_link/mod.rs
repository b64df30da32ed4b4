//! The scheduler's side of the link between a client and the scheduler: `scheduler/v1/session.proto`.

mod request;
mod response;

pub(crate) use request::decode_cancel_mode;
pub use request::{decode_hello, decode_request};
pub(crate) use response::encode_cancel_mode;
pub use response::{encode_outcome, encode_response};
