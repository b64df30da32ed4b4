//! Between the messages of the schema and the words of the state machines.
//!
//! Decoding checks everything that a type can promise: lengths of ids and digests, the digest of a function, enum
//! values, presence. A [`WireError`] names the field. Encoding cannot fail. Neither copies a payload, except that small
//! fields are copied out of the message they came in, so that they do not keep its whole buffer alive.

mod call;
pub mod endpoint;
pub mod engine_link;
mod error;
pub mod field;
pub mod id;
pub mod members;
pub mod outcome;
pub mod payload;
pub mod peer;
pub mod session_link;
pub mod status;
pub mod tasks;

#[cfg(test)]
mod tests;

pub use error::{Problem, WireError};
pub use peer::ServerIdentity;
