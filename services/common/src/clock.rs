//! The only clock. Everything else is told the time, or asks here.

#![allow(clippy::disallowed_methods, reason = "this is where the clock is read")]

use std::{
    sync::OnceLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use paraply_core::time::Time;
use tokio::time::Sleep;

/// Distance between the origin of [`Time`] and the first reading, so that no moment a runtime can name (a test may stop
/// its clock a little before the first reading) lies before the origin.
const HEAD_START: Duration = Duration::from_secs(3600);

/// Now, on the monotonic clock of the runtime (which a test may stop and advance).
#[must_use]
pub fn now() -> Time {
    time(tokio::time::Instant::now())
}

/// Sleeps until `time`.
pub fn sleep_until(time: Time) -> Sleep {
    tokio::time::sleep_until(instant(time))
}

/// The runtime's name for `time`.
#[must_use]
pub fn instant(time: Time) -> tokio::time::Instant {
    let elapsed = time.since(Time::default());
    (origin() + elapsed).checked_sub(HEAD_START).unwrap_or_else(origin).into()
}

/// The inverse of [`instant`].
#[must_use]
pub fn time(instant: tokio::time::Instant) -> Time {
    let elapsed = (instant.into_std() + HEAD_START).saturating_duration_since(origin());
    Time::default() + elapsed
}

/// Wall clock, in nanoseconds since the Unix epoch. For people and for other machines; never for order.
#[must_use]
pub fn unix_nanos() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// Wall clock at the origin of [`Time`], nanoseconds since the Unix epoch, as far as the two clocks agree.
#[must_use]
pub fn unix_origin() -> u64 {
    unix_nanos().saturating_sub(now().0)
}

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn follows_the_runtime_and_names_its_instants() {
        let before = now();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(now().since(before), Duration::from_secs(5));
        sleep_until(now() + Duration::from_secs(2)).await;
        let slept = now().since(before);
        assert!(slept >= Duration::from_secs(7) && slept <= Duration::from_millis(7002), "{slept:?}");
    }
}
