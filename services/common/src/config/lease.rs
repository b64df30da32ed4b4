//! How long a member may be silent.

use serde::{Deserialize as _, Deserializer, de::Error as _};

/// The shortest lease that members can be expected to keep, in milliseconds.
const SHORTEST: u32 = 300;

/// Milliseconds of a lease, for `deserialize_with`: one that nobody can keep loses every member again and again.
///
/// # Errors
/// If it is no number, or too small.
pub fn lease_millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let millis = u32::deserialize(deserializer)?;
    if millis < SHORTEST {
        return Err(D::Error::custom(format!("must be at least {SHORTEST}: members miss a shorter one")));
    }
    Ok(millis)
}
