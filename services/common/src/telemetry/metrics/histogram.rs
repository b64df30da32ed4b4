//! How long things took, in plain numbers that one thread counts in: no lock, no atomic, no allocation.

/// Upper bounds of the buckets, in nanoseconds: 100 µs to 1,000 s, three a decade.
const BOUNDS: [u64; 22] = bounds();

/// For each number of significant bits, the first bucket that a duration of so many bits can be in.
const FIRST: [u8; 65] = first();

/// A distribution of durations. A copy of it is what others see.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Histogram {
    /// The last is beyond all bounds.
    counts: [u64; BOUNDS.len() + 1],
    sum: u128,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, nanos: u64) {
        let mut bucket = usize::from(FIRST[(u64::BITS - nanos.leading_zeros()) as usize]);
        while BOUNDS.get(bucket).is_some_and(|bound| nanos > *bound) {
            bucket += 1;
        }
        self.counts[bucket] += 1;
        self.sum += u128::from(nanos);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together, in seconds.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a sum of times that were measured is no exact number")]
    pub fn sum(&self) -> f64 {
        self.sum as f64 / 1e9
    }

    /// The bounds, in seconds.
    #[allow(clippy::cast_precision_loss, reason = "round numbers below 2⁵³")]
    pub fn bounds() -> impl Iterator<Item = f64> {
        BOUNDS.into_iter().map(|nanos| nanos as f64 / 1e9)
    }

    /// How many are in each bucket; one more than there are bounds.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }
}

const fn bounds() -> [u64; 22] {
    let mut bounds = [0; 22];
    let (mut index, mut decade) = (0, 100_000);
    while index < bounds.len() {
        bounds[index] = match index % 3 {
            0 => decade,
            1 => decade / 2 * 5,
            _ => decade * 5,
        };
        if index % 3 == 2 {
            decade *= 10;
        }
        index += 1;
    }
    bounds
}

const fn first() -> [u8; 65] {
    let mut first = [0; 65];
    let mut bits = 1;
    while bits < first.len() {
        let least = 1 << (bits - 1);
        let mut bucket = 0;
        while bucket < BOUNDS.len() && BOUNDS[bucket] < least {
            bucket += 1;
        }
        #[allow(clippy::cast_possible_truncation, reason = "there are 23 buckets")]
        {
            first[bits] = bucket as u8;
        }
        bits += 1;
    }
    first
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bounds_are_round_numbers_of_seconds() {
        let bounds: Vec<f64> = Histogram::bounds().collect();
        assert_eq!(bounds[..4], [0.0001, 0.00025, 0.0005, 0.001]);
        assert_eq!(bounds[19..], [250.0, 500.0, 1000.0]);
    }

    proptest! {
        #[test]
        fn a_duration_is_in_the_first_bucket_that_holds_it(nanos in prop_oneof![0..2_000_000_000_000u64, any::<u64>()]) {
            let mut histogram = Histogram::default();
            histogram.record(nanos);
            let bucket = histogram.counts().iter().position(|count| *count == 1).unwrap();
            prop_assert_eq!(bucket, BOUNDS.partition_point(|bound| *bound < nanos));
            prop_assert_eq!(histogram.count(), 1);
        }

        #[test]
        fn a_bound_is_in_its_own_bucket(bucket in 0..BOUNDS.len()) {
            let mut histogram = Histogram::default();
            histogram.record(BOUNDS[bucket]);
            histogram.record(BOUNDS[bucket] + 1);
            prop_assert_eq!(&histogram.counts()[bucket..bucket + 2], &[1, 1]);
        }
    }
}
