//! Certificates that the system makes for itself: an authority of its own, and certificates by it, as PEM text in memory.
//! Whoever has them puts them into files or Secrets; [`bundle`] says which.

mod authority;
pub mod bundle;
mod read;

use std::time::Duration;

use crate::clock;

pub use authority::{Authority, CertificateError, CertifiedKey, Purpose};
pub use read::Certificate;

/// How long a certificate that is made counts as valid before it was made, for machines whose clocks are late.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);

/// Wall clock, in seconds since the Unix epoch.
fn unix_seconds() -> u64 {
    clock::unix_nanos() / 1_000_000_000
}
