//! Median and spread of the measurements of several rounds.

use serde::{Deserialize, Serialize};
use statrs::statistics::{Data, Max, Min, OrderStatistics};

/// Largest interquartile range, as a fraction of the median, for which a median is reported. If it is exceeded, the
/// machine is too noisy.
const STABLE_SPREAD: f64 = 0.1;

/// Median, range and interquartile range of a set of measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Smallest value.
    pub minimum: f64,
    /// Largest value.
    pub maximum: f64,
    /// Interquartile range: the difference between the third and the first quartile.
    pub interquartile: f64,
}

impl Spread {
    /// Summarizes `values`, which must contain at least one.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut data = Data::new(Vec::from_iter(values));
        let interquartile = data.interquartile_range();
        Self { median: data.median(), minimum: data.min(), maximum: data.max(), interquartile }
    }

    /// Returns the spread of the same values multiplied by `factor`, which must not be negative.
    pub(super) fn scaled(self, factor: f64) -> Self {
        let Self { median, minimum, maximum, interquartile } = self;
        let [median, minimum, maximum, interquartile] =
            [median, minimum, maximum, interquartile].map(|value| value * factor);
        Self { median, minimum, maximum, interquartile }
    }

    /// Returns the median; `None` if the interquartile range exceeds one tenth of the median, because the values are
    /// then too scattered.
    pub fn stable_median(&self) -> Option<f64> {
        (self.interquartile <= STABLE_SPREAD * self.median).then_some(self.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_median_is_none_for_noisy_values() {
        let spread = Spread::of([1.0, 1.02, 0.98, 1.01, 0.99]);
        assert_eq!(
            (spread.median, spread.minimum, spread.maximum, spread.stable_median()),
            (1.0, 0.98, 1.02, Some(1.0))
        );
        assert_eq!(Spread::of([1.0, 2.0, 1.5, 1.1]).stable_median(), None);
        assert_eq!(Spread::of([3.0]).stable_median(), Some(3.0));
    }
}
