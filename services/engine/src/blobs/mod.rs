//! Large bytes: what tasks take is fetched before they start, what they return is stored before it is reported.
//!
//! Bulk travels on a connection of its own, so that it delays no control message.

mod fetch;
mod kept;
mod store;
mod transfer;

pub(crate) use fetch::{Fetched, Fetches};
pub(crate) use kept::Kept;
pub(crate) use store::{Stored, store};
pub(crate) use transfer::Bulk;
use transfer::TransferError;
