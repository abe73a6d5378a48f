//! Means of paired differences.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::number::number;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 10_000;

/// Some values in four numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Their mean.
    #[serde(serialize_with = "number")]
    pub mean: f64,
    /// Their standard deviation, with n − 1; NaN of one value.
    #[serde(serialize_with = "number")]
    pub standard_deviation: f64,
    /// The smallest.
    #[serde(serialize_with = "number")]
    pub minimum: f64,
    /// The largest.
    #[serde(serialize_with = "number")]
    pub maximum: f64,
}

impl Summary {
    /// Of these values.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            standard_deviation: (squares / (count - 1.0)).sqrt(),
            minimum: values.iter().copied().fold(f64::INFINITY, f64::min),
            maximum: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// Some values, taken as independent draws of one normal distribution. Of the differences of pairs, its mean is the true
/// difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How many.
    pub count: usize,
    /// What they are.
    pub summary: Summary,
}

impl Sample {
    /// Of these values.
    pub fn of(values: &[f64]) -> Self {
        Self { count: values.len(), summary: Summary::of(values) }
    }

    /// Where the true mean lies with this confidence: mean ± t · s/√n.
    pub fn interval(&self, confidence: f64) -> [f64; 2] {
        self.within(confidence, self.standard_error())
    }

    /// Where one more value would lie with this confidence: mean ± t · s·√(1 + 1/n) (Hahn and Meeker 1991, 4.7).
    pub fn prediction_interval(&self, confidence: f64) -> [f64; 2] {
        self.within(confidence, self.summary.standard_deviation.hypot(self.standard_error()))
    }

    fn within(&self, confidence: f64, error: f64) -> [f64; 2] {
        let quantile = self.students_t().map_or(f64::NAN, |t| t.inverse_cdf(0.5 + confidence / 2.0));
        [self.summary.mean - quantile * error, self.summary.mean + quantile * error]
    }

    /// How probable differences like these are if the true one is not within ±margin: the larger p value of the two
    /// one-sided t-tests.
    pub fn equivalence_p(&self, margin: f64) -> f64 {
        self.upper_tail(margin - self.summary.mean.abs())
    }

    /// How probable differences like these are if the true one is within ±margin.
    pub fn difference_p(&self, margin: f64) -> f64 {
        self.upper_tail(self.summary.mean.abs() - margin)
    }

    /// How probable it is that the mean misses the true difference by this much or more, to one side.
    fn upper_tail(&self, distance: f64) -> f64 {
        match self.students_t() {
            // Without any spread the mean is the true difference.
            Some(_) if self.standard_error() == 0.0 => f64::from(u8::from(distance <= 0.0)),
            Some(t) => t.sf(distance / self.standard_error()),
            None => f64::NAN,
        }
    }

    fn standard_error(&self) -> f64 {
        self.summary.standard_deviation / (self.count as f64).sqrt()
    }

    fn students_t(&self) -> Option<StudentsT> {
        StudentsT::new(0.0, 1.0, self.count.saturating_sub(1) as f64).ok()
    }
}

/// Where the true mean lies with this confidence, without a normal distribution: the percentiles of the means of
/// resamples (Efron 1979). Of few values it is too narrow. The same values give the same interval.
pub fn bootstrap_interval(values: &[f64], confidence: f64) -> [f64; 2] {
    let mut generator = ChaCha8Rng::seed_from_u64(0);
    let mut draw = || values[((u128::from(generator.next_u64()) * values.len() as u128) >> 64) as usize];
    let mean = |_| (0..values.len()).map(|_| draw()).sum::<f64>() / values.len() as f64;
    let mut means: Vec<f64> = (0..RESAMPLES).map(mean).collect();
    means.sort_by(f64::total_cmp);
    [0.5 - confidence / 2.0, 0.5 + confidence / 2.0].map(|share| quantile(&means, share))
}

/// Of ascending values, by linear interpolation between neighbours.
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let position = share * (ascending.len() - 1) as f64;
    let below = ascending[position.floor() as usize];
    let above = ascending[position.ceil() as usize];
    below + (above - below) * position.fract()
}
