//! Median and spread of the figures of several rounds.

use serde::{Deserialize, Serialize};
use statrs::statistics::{Data, Max, Min, OrderStatistics};

/// Half of the ratios lie within this share of their median, or the machine is too noisy for any to be stated.
const STEADY: f64 = 0.1;

/// The median of some figures, and within what they lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of them are not above it.
    pub median: f64,
    /// The smallest.
    pub minimum: f64,
    /// The largest.
    pub maximum: f64,
    /// Between the first and the third quarter of them.
    pub interquartile: f64,
}

impl Spread {
    /// Of at least one figure.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut data = Data::new(Vec::from_iter(figures));
        let interquartile = data.interquartile_range();
        Self { median: data.median(), minimum: data.min(), maximum: data.max(), interquartile }
    }

    /// The same of figures so many times as large.
    pub(super) fn times(self, factor: f64) -> Self {
        let Self { median, minimum, maximum, interquartile } = self;
        let [median, minimum, maximum, interquartile] =
            [median, minimum, maximum, interquartile].map(|figure| figure * factor);
        Self { median, minimum, maximum, interquartile }
    }

    /// The median, unless the figures differ too much for it to mean anything.
    pub fn steady(&self) -> Option<f64> {
        (self.interquartile <= STEADY * self.median).then_some(self.median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_differ_too_much_are_not_stated() {
        let spread = Spread::of([1.0, 1.02, 0.98, 1.01, 0.99]);
        assert_eq!((spread.median, spread.minimum, spread.maximum, spread.steady()), (1.0, 0.98, 1.02, Some(1.0)));
        assert_eq!(Spread::of([1.0, 2.0, 1.5, 1.1]).steady(), None);
        assert_eq!(Spread::of([3.0]).steady(), Some(3.0));
    }
}
