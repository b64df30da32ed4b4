//! Membership: which engines and which scheduler there are. See [`Endpoint`] for where they can be reached.

mod endpoint;

pub use endpoint::Endpoint;
