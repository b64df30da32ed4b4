//! Points in time: MessagePack's timestamp, Python's `datetime` with a time zone.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::msgpack;

pub(crate) const TAG: i8 = -1;
const SECOND: u32 = 1_000_000_000;

/// A point in time. In Python an aware `datetime` in UTC, which has microseconds: what is below them is cut off there.
///
/// ```
/// use std::time::SystemTime;
/// use paraply_values::{Timestamp, from_payload, to_payload};
///
/// let now = Timestamp::from(SystemTime::now());
/// let back: Timestamp = from_payload(&to_payload(&now)?)?;
/// assert_eq!(back, now);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

impl Timestamp {
    /// `nanoseconds` after `seconds` since 1970 in UTC; None from a second of nanoseconds on.
    #[must_use]
    pub const fn new(seconds: i64, nanoseconds: u32) -> Option<Self> {
        if nanoseconds < SECOND { Some(Self { seconds, nanoseconds }) } else { None }
    }

    /// Whole seconds since 1970 in UTC.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds since then.
    #[must_use]
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// The shortest of the three forms.
    fn body(self) -> Vec<u8> {
        match (u32::try_from(self.seconds), u64::try_from(self.seconds)) {
            (Ok(seconds), _) if self.nanoseconds == 0 => seconds.to_be_bytes().to_vec(),
            (_, Ok(seconds)) if seconds < 1 << 34 => {
                (u64::from(self.nanoseconds) << 34 | seconds).to_be_bytes().to_vec()
            }
            _ => [&self.nanoseconds.to_be_bytes()[..], &self.seconds.to_be_bytes()].concat(),
        }
    }

    pub(crate) fn from_body(body: &[u8]) -> Option<Self> {
        if let Ok(short) = <[u8; 4]>::try_from(body) {
            return Self::new(u32::from_be_bytes(short).into(), 0);
        }
        if let Ok(both) = <[u8; 8]>::try_from(body) {
            let both = u64::from_be_bytes(both);
            return Self::new(i64::try_from(both & ((1 << 34) - 1)).ok()?, u32::try_from(both >> 34).ok()?);
        }
        let (nanoseconds, seconds) = body.split_first_chunk()?;
        Self::new(i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes(*nanoseconds))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let whole = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self { seconds: whole(after), nanoseconds: after.subsec_nanos() },
            Err(before) => {
                let before = before.duration();
                match before.subsec_nanos() {
                    0 => Self { seconds: -whole(before), nanoseconds: 0 },
                    part => Self { seconds: (-whole(before)).saturating_sub(1), nanoseconds: SECOND - part },
                }
            }
        }
    }
}

/// The system's clock does not reach so far.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("{0:?} is out of range")]
pub struct OutOfRange(Timestamp);

impl TryFrom<Timestamp> for SystemTime {
    type Error = OutOfRange;

    fn try_from(timestamp: Timestamp) -> Result<Self, OutOfRange> {
        let whole = Duration::from_secs(timestamp.seconds.unsigned_abs());
        let start = if timestamp.seconds < 0 {
            Self::UNIX_EPOCH.checked_sub(whole)
        } else {
            Self::UNIX_EPOCH.checked_add(whole)
        };
        start
            .and_then(|start| start.checked_add(Duration::from_nanos(timestamp.nanoseconds.into())))
            .ok_or(OutOfRange(timestamp))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        msgpack::serialize_ext(serializer, TAG, &self.body())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = msgpack::deserialize_ext(deserializer, TAG, "a timestamp")?;
        Self::from_body(&body).ok_or_else(|| de::Error::custom("not a timestamp"))
    }
}
