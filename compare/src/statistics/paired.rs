//! Mean, confidence interval and t-tests of paired differences.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::statistics::text::serialize_number;

/// Number of random resamples from which a bootstrap interval is computed.
const RESAMPLES: usize = 10_000;

/// Mean, standard deviation, minimum and maximum of a set of values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Arithmetic mean.
    #[serde(serialize_with = "serialize_number")]
    pub mean: f64,
    /// Sample standard deviation, with the divisor n − 1; NaN for fewer than two values.
    #[serde(serialize_with = "serialize_number")]
    pub standard_deviation: f64,
    /// Smallest value.
    #[serde(serialize_with = "serialize_number")]
    pub minimum: f64,
    /// Largest value.
    #[serde(serialize_with = "serialize_number")]
    pub maximum: f64,
}

impl Summary {
    /// Summarizes `values`. Without any value, mean and standard deviation are NaN.
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

/// A sample of values that are regarded as independent draws from one normal distribution, usually the differences of
/// pairs.
///
/// The methods infer the mean of that distribution: for paired differences, the true difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Number of values, n.
    pub count: usize,
    /// Mean, standard deviation and range of the values.
    pub summary: Summary,
}

impl Sample {
    /// Creates the sample that consists of `values`.
    pub fn of(values: &[f64]) -> Self {
        Self { count: values.len(), summary: Summary::of(values) }
    }

    /// Returns the two-sided confidence interval of the true mean: mean ± t·s/√n, where t is the (1 + `confidence`)/2
    /// quantile of Student's t distribution with n − 1 degrees of freedom.
    ///
    /// `confidence` is between 0 and 1. The ends are NaN for fewer than two values.
    pub fn confidence_interval(&self, confidence: f64) -> [f64; 2] {
        self.interval(confidence, self.standard_error())
    }

    /// Returns the two-sided prediction interval for one further value of the same distribution: mean ± t·s·√(1+1/n),
    /// with t as in [`confidence_interval`](Self::confidence_interval) (Hahn and Meeker 1991, section 4.7).
    ///
    /// A single published value is consistent with repeated measurements if it lies in their interval. The ends are NaN
    /// for fewer than two values.
    pub fn prediction_interval(&self, confidence: f64) -> [f64; 2] {
        self.interval(confidence, self.summary.standard_deviation.hypot(self.standard_error()))
    }

    /// Returns the interval mean ± t·`error`, with t as in [`confidence_interval`](Self::confidence_interval).
    fn interval(&self, confidence: f64, error: f64) -> [f64; 2] {
        let quantile = self.students_t().map_or(f64::NAN, |t| t.inverse_cdf(0.5 + confidence / 2.0));
        [self.summary.mean - quantile * error, self.summary.mean + quantile * error]
    }

    /// Returns the p value of the two one-sided t-tests for equivalence (TOST; Schuirmann 1987): the larger of the p
    /// values of the null hypotheses that the true mean is at most −`margin`, and that it is at least `margin`.
    ///
    /// A small value shows that the true mean lies within ±`margin`. NaN for fewer than two values.
    pub fn equivalence_p(&self, margin: f64) -> f64 {
        self.upper_tail(margin - self.summary.mean.abs())
    }

    /// Returns the p value of the null hypothesis that the true mean lies within ±`margin`: the probability that the
    /// absolute sample mean is at least as large as the observed one, if the true mean is at an end of that interval.
    ///
    /// A small value shows that the absolute true mean is larger than `margin`. NaN for fewer than two values.
    pub fn difference_p(&self, margin: f64) -> f64 {
        let mean = self.summary.mean.abs();
        (self.upper_tail(mean - margin) + self.upper_tail(mean + margin)).min(1.0)
    }

    /// Returns the probability that the sample mean exceeds the true mean by at least `distance`: P(T≥distance/(s/√n)).
    fn upper_tail(&self, distance: f64) -> f64 {
        match self.students_t() {
            // With equal values the standard error is 0, and the observed mean counts as the true one.
            Some(_) if self.standard_error() == 0.0 => f64::from(u8::from(distance <= 0.0)),
            Some(t) => t.sf(distance / self.standard_error()),
            None => f64::NAN,
        }
    }

    /// Returns the standard error of the mean, s/√n.
    pub(super) fn standard_error(&self) -> f64 {
        self.summary.standard_deviation / (self.count as f64).sqrt()
    }

    /// Returns Student's t distribution with n − 1 degrees of freedom; `None` for fewer than two values.
    fn students_t(&self) -> Option<StudentsT> {
        StudentsT::new(0.0, 1.0, self.count.saturating_sub(1) as f64).ok()
    }
}

/// Returns the percentile bootstrap interval of the mean (Efron 1979): the (1 ± `confidence`)/2 quantiles of the means
/// of 10,000 resamples, each of which draws as many values as there are, with replacement.
///
/// The interval assumes independent values, but no particular distribution. It is too narrow for few values: with n
/// values, the spread of the resamples is smaller than the standard error by a factor of √(1 − 1/n), and normal
/// quantiles take the place of the larger ones of Student's t distribution. The random generator has a fixed seed, so
/// that the same values always give the same interval.
///
/// # Panics
///
/// If there is no value.
pub fn bootstrap_interval(values: &[f64], confidence: f64) -> [f64; 2] {
    let mut generator = ChaCha8Rng::seed_from_u64(0);
    // Multiply and shift: maps 64 random bits to an index with a bias of less than n/2⁶⁴.
    let mut draw = || values[((u128::from(generator.next_u64()) * values.len() as u128) >> 64) as usize];
    let resample_mean = |_| (0..values.len()).map(|_| draw()).sum::<f64>() / values.len() as f64;
    let mut means: Vec<f64> = (0..RESAMPLES).map(resample_mean).collect();
    means.sort_by(f64::total_cmp);
    [0.5 - confidence / 2.0, 0.5 + confidence / 2.0].map(|probability| quantile(&means, probability))
}

/// Returns a quantile of values in ascending order, by linear interpolation between neighbours.
fn quantile(ascending: &[f64], probability: f64) -> f64 {
    let position = probability * (ascending.len() - 1) as f64;
    let below = ascending[position.floor() as usize];
    let above = ascending[position.ceil() as usize];
    below + (above - below) * position.fract()
}
