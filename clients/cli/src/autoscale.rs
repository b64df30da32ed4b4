//! Engines that come and go with the work, as a command line says it.

use std::{str::FromStr, time::Duration};

use crate::supervisor::MOST_ENGINES;

/// How long an engine has nothing to do until it may have to leave, if nobody says.
const IDLE: Duration = Duration::from_secs(60);

/// What engines do is told once a second: less cannot be seen.
const SHORTEST_IDLE: Duration = Duration::from_millis(500);
const LONGEST_IDLE: Duration = Duration::from_secs(1_000_000);

/// How many engines there are to be at the least, and at the most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bounds {
    pub(crate) min: u32,
    pub(crate) max: u32,
}

/// What the controller of a cluster on this machine is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Autoscale {
    pub(crate) bounds: Bounds,
    pub(crate) idle: Duration,
}

impl Autoscale {
    pub(crate) fn new(bounds: Bounds, idle: Option<Duration>) -> Self {
        Self { bounds, idle: idle.unwrap_or(IDLE) }
    }
}

impl Bounds {
    /// What is nearest to a number.
    pub(crate) fn nearest(self, engines: u32) -> u32 {
        engines.clamp(self.min, self.max)
    }
}

impl FromStr for Bounds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bounds = text.split_once(':').and_then(|(min, max)| Some((min.parse().ok()?, max.parse().ok()?)));
        match bounds {
            Some((min, max)) if min <= max && (1..=MOST_ENGINES).contains(&max) => Ok(Self { min, max }),
            _ => Err(format!("it is MIN:MAX, such as 0:8, and MAX is 1 to {MOST_ENGINES}, and not less than MIN")),
        }
    }
}

/// Seconds, as a person writes them.
pub(crate) fn idle(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let kept = seconds.filter(|time| (SHORTEST_IDLE..=LONGEST_IDLE).contains(time));
    kept.ok_or_else(|| "it is a number from 0.5 to 1000000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_two_numbers_in_order() {
        assert_eq!("0:8".parse(), Ok(Bounds { min: 0, max: 8 }));
        assert_eq!("3:3".parse(), Ok(Bounds { min: 3, max: 3 }));
        for wrong in ["", "8", ":8", "0:", "0:0", "4:3", "-1:3", "0:4097", "0:8:9", "a:b"] {
            assert!(wrong.parse::<Bounds>().is_err(), "{wrong}");
        }
        let bounds = Bounds { min: 2, max: 4 };
        assert_eq!([0, 3, 9].map(|engines| bounds.nearest(engines)), [2, 3, 4]);
    }

    #[test]
    fn idle_is_a_time_that_can_be_kept() {
        assert_eq!(idle("1.5"), Ok(Duration::from_millis(1500)));
        for wrong in ["", "0", "0.1", "-3", "nan", "inf", "1e7", "1e300", "soon"] {
            assert!(idle(wrong).is_err(), "{wrong}");
        }
    }
}
