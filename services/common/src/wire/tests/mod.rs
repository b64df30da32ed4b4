//! Round trips of arbitrary messages, and what malformed ones are told.

mod engine_link;
mod malformed;
mod samples;
mod session_link;
