//! When to dial again: doubling delays with jitter, so that a scheduler that comes back is not met by everyone at once.

use std::time::Duration;

use crate::time::Time;

/// The delays between dials.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DialConfig {
    /// Delay after the first failure, before jitter.
    pub min_delay: Duration,
    /// No delay is longer.
    pub max_delay: Duration,
    /// How long a dial or a hello may go unanswered.
    pub answer_timeout: Duration,
    /// Any number that differs between peers.
    pub jitter_seed: u64,
}

impl Default for DialConfig {
    fn default() -> Self {
        Self {
            min_delay: Duration::from_millis(50),
            max_delay: Duration::from_secs(2),
            answer_timeout: Duration::from_secs(10),
            jitter_seed: 0,
        }
    }
}

/// Counts failures and draws the delay after each.
#[derive(Debug)]
pub(crate) struct Backoff {
    config: DialConfig,
    failures: u32,
    random: u64,
}

impl Backoff {
    pub(crate) fn new(config: DialConfig) -> Self {
        Self { config, failures: 0, random: config.jitter_seed }
    }

    pub(crate) fn answer_deadline(&self, now: Time) -> Time {
        now + self.config.answer_timeout
    }

    /// The peer answered: the next failure is a first one.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// When to dial after a failure: between half the doubled delay and all of it.
    pub(crate) fn failed(&mut self, now: Time) -> Time {
        let doubled = self.config.min_delay.saturating_mul(1 << self.failures.min(20)).min(self.config.max_delay);
        self.failures = self.failures.saturating_add(1);
        let half = doubled / 2;
        let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).saturating_add(1);
        now + half + Duration::from_nanos(self.draw() % spread)
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_the_maximum_and_start_over_after_success() {
        let mut backoff = Backoff::new(DialConfig { jitter_seed: 7, ..DialConfig::default() });
        for doubled in [50, 100, 200, 400, 800, 1600, 2000, 2000] {
            let delay = backoff.failed(Time(0)).since(Time(0));
            let doubled = Duration::from_millis(doubled);
            assert!(doubled / 2 <= delay && delay <= doubled, "{delay:?} is not within half of {doubled:?} and it");
        }
        backoff.succeeded();
        assert!(backoff.failed(Time(0)).since(Time(0)) <= Duration::from_millis(50));
    }

    #[test]
    fn two_seeds_differ() {
        let first = |seed| Backoff::new(DialConfig { jitter_seed: seed, ..DialConfig::default() }).failed(Time(0));
        assert_ne!(first(1), first(2));
    }
}
