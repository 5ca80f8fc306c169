//! A log-linear histogram of nanoseconds (Gil Tene's HDR layout): three significant digits over the whole `u64` range.
//!
//! Values below 2048 have a bucket each; above, every power of two is split into 1024 equal buckets, so a reported
//! value is at most 1/1024 above the recorded one. Buckets exist up to the largest value seen.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "bucket indexes stay below 56 * 1024; ranks and means are statistics"
)]

/// Buckets per power of two.
const HALF: u64 = 1024;
/// Bits of a value that select a bucket within its power of two.
const HALF_BITS: u32 = HALF.ilog2();

/// Counts of nanosecond values.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max: u64,
    sum: u128,
}

impl Histogram {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one value.
    #[inline]
    pub fn record(&mut self, nanoseconds: u64) {
        let index = bucket(nanoseconds);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.count += 1;
        self.sum += u128::from(nanoseconds);
        self.max = self.max.max(nanoseconds);
    }

    /// The value that `percent` of the recorded values do not exceed, at most 1/1024 too high; 0 when empty.
    ///
    /// `percent` is limited to 0..=100; NaN counts as 0.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> u64 {
        let exact = percent.clamp(0.0, 100.0) / 100.0 * self.count as f64;
        // 99.9 / 100 * 1000 must be rank 999, not 1000 because of a binary fraction's last bit.
        let rank = ((exact - exact * f64::EPSILON * 4.0).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return highest(index).min(self.max);
            }
        }
        self.max
    }

    /// Number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Largest value, exactly; 0 when empty.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Mean of the values, exact before its last rounding; 0 when empty.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// Adds all of another histogram's values.
    pub fn merge(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// Forgets every value and keeps the memory.
    pub fn reset(&mut self) {
        self.counts.fill(0);
        self.count = 0;
        self.sum = 0;
        self.max = 0;
    }
}

/// Index of the bucket of a value.
#[inline]
fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - (value | HALF).leading_zeros()) - HALF_BITS - 1;
    (u64::from(shift) * HALF + (value >> shift)) as usize
}

/// Largest value of a bucket.
fn highest(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * HALF {
        return index;
    }
    let shift = index / HALF - 1;
    let lowest = (index - shift * HALF) << shift;
    lowest + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_bounds_and_is_narrower_than_a_thousandth() {
        for bits in 0..64 {
            for value in [1u64 << bits, (1 << bits) + (1 << bits) / 3, (2u64 << bits).wrapping_sub(1)] {
                let top = highest(bucket(value));
                assert!(top >= value && bucket(top) == bucket(value), "{value}");
                assert!(top - value <= value / 1024, "{value} reported as {top}");
                assert!(top == u64::MAX || bucket(top + 1) == bucket(value) + 1, "{value}");
            }
        }
        assert_eq!((bucket(0), highest(0)), (0, 0));
    }

    #[test]
    fn percentiles_of_one_to_a_thousand_are_themselves() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|value| histogram.record(value));
        let percentiles = [0.0, 0.1, 50.0, 99.0, 99.9, 100.0, f64::NAN].map(|q| histogram.percentile(q));
        assert_eq!(percentiles, [1, 1, 500, 990, 999, 1000, 1]);
        assert_eq!((histogram.count(), histogram.max()), (1000, 1000));
        assert!((histogram.mean() - 500.5).abs() < f64::EPSILON);
    }

    #[test]
    fn merging_is_recording_both_and_reset_is_a_new_one() {
        let (mut left, mut right, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
        for value in 1..5000 {
            if value % 3 == 0 {
                left.record(value * value);
            } else {
                right.record(value * 7);
            }
            both.record(if value % 3 == 0 { value * value } else { value * 7 });
        }
        let mut turned = right.clone();
        turned.merge(&left);
        left.merge(&right);
        for merged in [&left, &turned] {
            assert_eq!((merged.count, merged.sum, merged.max), (both.count, both.sum, both.max));
            assert_eq!(merged.counts, both.counts);
        }
        left.reset();
        assert_eq!((left.percentile(99.0), left.count(), left.max()), (0, 0, 0));
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut histogram = Histogram::new();
        histogram.record(0);
        histogram.record(u64::MAX);
        assert_eq!((histogram.percentile(50.0), histogram.percentile(100.0)), (0, u64::MAX));
        assert_eq!(Histogram::new().percentile(50.0), 0);
    }
}
