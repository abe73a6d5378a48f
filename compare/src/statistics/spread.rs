//! Comparison of the spread of two candidates over seeds.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;

use super::paired::Summary;
use super::text::serialize_number;

/// Largest number of pairs for which all exchanges are counted; with more, random ones are drawn.
const EXACT_PAIRS: usize = 13;

/// Number of random exchanges.
const DRAWS: usize = 10_000;

/// The ratio of two variances, and whether chance explains it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Variance of the second sample divided by that of the first; NaN if both are 0.
    #[serde(serialize_with = "serialize_number")]
    pub variance_ratio: f64,
    /// The p value of the null hypothesis that both samples have the same distribution, up to their means.
    #[serde(serialize_with = "serialize_number")]
    pub p: f64,
}

impl Spread {
    /// Compares the variances of two samples, whose values are paired, by a permutation test: under the null hypothesis, the
    /// deviations from the means of each pair may be exchanged, and the p value is the fraction of exchanges for which the
    /// larger variance is at least as many times the smaller one as in the samples (B. F. J. Manly, *Randomization, Bootstrap
    /// and Monte Carlo Methods in Biology*, 2007). All exchanges are counted for up to 13 pairs; with more, 10,000 are drawn, in
    /// which the samples themselves are counted too. The random generator has a fixed seed.
    ///
    /// Both numbers are NaN for fewer than two pairs. Values without a partner are ignored.
    pub fn of(first: &[f64], second: &[f64]) -> Self {
        let count = first.len().min(second.len());
        let centred = |values: &[f64]| -> Vec<f64> {
            let mean = Summary::of(&values[..count]).mean;
            values[..count].iter().map(|value| value - mean).collect()
        };
        if count < 2 {
            return Self { variance_ratio: f64::NAN, p: f64::NAN };
        }
        let pairs: Vec<[f64; 2]> = centred(first).into_iter().zip(centred(second)).map(|(a, b)| [a, b]).collect();
        let variances = |exchanged: &dyn Fn(usize) -> bool| {
            let member = |member: usize| {
                let side = |(index, pair): (usize, &[f64; 2])| pair[member ^ usize::from(exchanged(index))];
                let values: Vec<f64> = pairs.iter().enumerate().map(side).collect();
                Summary::of(&values).standard_deviation.powi(2)
            };
            [member(0), member(1)]
        };
        let observed = variances(&|_| false);
        // Rounding must not make equal ratios different.
        let least = larger_to_smaller(observed) * (1.0 - 1e-9);
        let is_extreme = |exchanged: &dyn Fn(usize) -> bool| larger_to_smaller(variances(exchanged)) >= least;
        let p = if count <= EXACT_PAIRS {
            let all = 1_usize << (count - 1);
            // The last pair stays: exchanging all pairs gives the inverse ratio.
            let extreme = (0..all).filter(|exchange| is_extreme(&|pair| exchange >> pair & 1 == 1)).count();
            extreme as f64 / all as f64
        } else {
            let mut generator = ChaCha8Rng::seed_from_u64(0);
            let mut extreme = 1;
            for _ in 0..DRAWS {
                let exchange: Vec<bool> = (0..count).map(|_| generator.next_u32() & 1 == 1).collect();
                extreme += usize::from(is_extreme(&|pair| exchange[pair]));
            }
            extreme as f64 / (DRAWS + 1) as f64
        };
        Self { variance_ratio: observed[1] / observed[0], p }
    }
}

/// Returns the larger of two variances divided by the smaller one; 1 if both are 0.
fn larger_to_smaller([first, second]: [f64; 2]) -> f64 {
    if first == second { 1.0 } else { first.max(second) / first.min(second) }
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, Normal};

    use super::*;

    #[test]
    fn exchanges_of_three_pairs_are_counted() {
        // The deviations are −1, 0, 1 and −2, 0, 2. Of the four exchanges, two keep the larger values together.
        let Spread { variance_ratio, p } = Spread::of(&[1.0, 2.0, 3.0], &[0.0, 2.0, 4.0]);
        assert_eq!((variance_ratio, p), (4.0, 0.5));
        assert_eq!(Spread::of(&[1.0, 2.0, 3.0], &[5.0, 6.0, 7.0]), Spread { variance_ratio: 1.0, p: 1.0 });
        assert_eq!(Spread::of(&[1.0, 1.0], &[2.0, 2.0]).p, 1.0);
        assert_eq!(Spread::of(&[1.0, 1.0, 1.0], &[2.0, 3.0, 2.0]).variance_ratio, f64::INFINITY);
        assert!(Spread::of(&[1.0], &[2.0]).p.is_nan());
    }

    #[test]
    fn p_value_is_uniform_without_difference_and_small_with_one() {
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let normal = Normal::new(0.0, 1.0).unwrap();
        let mut draw = |count: usize, deviation: f64| -> Vec<f64> {
            let mut one = || normal.inverse_cdf((f64::from(generator.next_u32()) + 0.5) / 2.0_f64.powi(32));
            (0..count).map(|_| deviation * one()).collect()
        };
        let rejected = (0..2000).filter(|_| Spread::of(&draw(8, 1.0), &draw(8, 1.0)).p <= 0.05).count();
        // At most 5 %, up to three standard deviations of the count; p takes only multiples of 1/128.
        assert!((50..=130).contains(&rejected), "{rejected}");
        let Spread { variance_ratio, p } = Spread::of(&draw(40, 1.0), &draw(40, 3.0));
        assert!(p < 0.001 && variance_ratio > 3.0, "{variance_ratio}, {p}");
    }
}
