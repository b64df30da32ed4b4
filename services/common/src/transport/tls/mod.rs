//! TLS: what a service shows where it listens, what everybody trusts where they dial, and how files become either.

mod client;
mod handshake;
mod pem;
mod refuse;
mod server;
mod settings;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use client::ClientTls;
pub(super) use handshake::shake_hands;
pub use pem::{Pem, TlsError};
pub use server::{ServerFiles, ServerTls};
pub use settings::TlsSettings;

/// The only protocol that both ends speak inside.
const ALPN: &[u8] = b"h2";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
