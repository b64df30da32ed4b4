//! What the services share: wire conversion, configuration, transport, tower layers, telemetry.
//!
//! The machines of `paraply-core` do no I/O. A service runs its machine as an [`actor`] on one task; streams reach it
//! through a [`mailbox`] and leave it through a [`mod@line`].

pub mod actor;
pub mod admin;
pub mod bearer;
pub mod certificates;
pub mod chunks;
pub mod clock;
pub mod config;
pub mod connection;
pub mod feed;
pub mod fork;
pub mod health;
pub mod heap;
pub mod home;
pub mod inherited;
pub mod line;
pub mod mailbox;
pub mod native;
pub mod peer;
pub mod portable;
pub mod private_file;
pub mod reflection;
pub mod reload;
pub mod secret;
pub mod shutdown;
pub mod signal;
pub mod spawn;
pub mod telemetry;
pub mod thread;
pub mod ticket;
pub mod tokens;
pub mod tower;
pub mod transfer;
pub mod transport;
pub mod wire;
