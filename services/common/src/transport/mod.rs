//! How bytes come and go: listeners, dialling, TLS, HTTP/2 settings. The rest of the workspace sees `tonic`'s servers and
//! channels, but not how they are set up.

pub mod address;
mod boot_id;
mod crowd;
mod dial;
mod http2;
mod incoming;
mod listener;
mod quiet;
mod serve;
mod socket;
pub mod tls;

pub use boot_id::boot_id;
pub use dial::{DialError, connect, dial_lazily, dial_other, said};
pub use http2::{INLINE_BYTES, MAX_MESSAGE_BYTES, MESSAGE_BYTES};
pub use listener::{ListenError, Listener, MAX_SOCKET_PATH};
pub use serve::{ServeError, Server, serve};
