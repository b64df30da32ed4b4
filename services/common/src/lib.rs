//! What the services share: wire conversion, configuration, transport, tower layers, telemetry.
//!
//! The machines of `paraply-core` do no I/O. A service runs its machine as an [`actor`] on one task; streams reach it
//! through a [`mailbox`] and leave it through a [`line`].

pub mod actor;
pub mod clock;
pub mod health;
pub mod line;
pub mod mailbox;
pub mod shutdown;
pub mod spawn;
pub mod wire;
