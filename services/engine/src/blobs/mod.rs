//! Large bytes: what tasks take is fetched before they start, what they return is stored before it is reported.
//!
//! Bulk travels on a connection of its own, so that it delays no control message.

mod fetch;
mod store;
mod transfer;

pub(crate) use fetch::{Fetched, Fetches};
pub(crate) use store::{Stored, store, write_all};
pub(crate) use transfer::Bulk;
use transfer::TransferError;
