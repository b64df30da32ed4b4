//! Large bytes: what tasks take is fetched before they are claimed, what they return is kept until their client has read
//! it, or put into the store where there is no room for it.
//!
//! Bulk travels on a connection of its own, so that it delays no control message.

mod fetch;
mod held;
mod kept;
mod place;

pub(crate) use fetch::{Fetched, Fetches};
pub(crate) use held::Held;
pub(crate) use kept::Kept;
pub(crate) use paraply_common::transfer::Bulk;
use paraply_common::transfer::TransferError;
pub(crate) use place::{Stored, place};
