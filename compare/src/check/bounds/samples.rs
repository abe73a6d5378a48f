//! Sampled errors: rounding errors drawn at random and propagated through the network to first order, equation (5) of
//! the [error model](crate::check#error-model).
//!
//! The variances of equation (2) assume that the errors of different elements are independent. Errors with a common
//! source are not independent, and grow together. Sampled errors show this: each draw is one possible set of rounding
//! errors, propagated as a whole. Where the mean square e² of the draws exceeds the variance E² on average over a row,
//! a column or the whole of a product, the variance is inflated to it.
//!
//! Limits: eight draws estimate a mean over many elements well, and that of a single element poorly; hence the means
//! over rows, columns and the whole matrix. The signs come from a generator with a fixed seed, so bounds are
//! reproducible.

use mlp_parity::Arithmetic;
use ndarray::{Array1, Array2, Axis, Ix2, Zip};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Choice between keeping and discarding the sampled errors of a product. They are needed only if the product is the
/// input of another operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Draws {
    Keep,
    Discard,
}

/// Number of errors that are drawn for each element.
const DRAWS: usize = 8;

/// The state of an error propagation: the candidate's arithmetic, and the generator of random signs.
pub(in crate::check) struct Propagation {
    pub(in crate::check) arithmetic: Arithmetic,
    signs: ChaCha8Rng,
}

impl Propagation {
    /// Creates a propagation with a fixed seed, so that the same comparison always has the same verdict.
    pub(in crate::check) fn new(arithmetic: &Arithmetic) -> Self {
        Self { arithmetic: *arithmetic, signs: ChaCha8Rng::seed_from_u64(0) }
    }

    /// Draws +deviation or −deviation, with equal probability, for each element.
    fn signed(&mut self, deviation: &Array2<f64>) -> Array2<f64> {
        let (mut bits, mut remaining) = (0, 0);
        deviation.map(|deviation| {
            if remaining == 0 {
                (bits, remaining) = (self.signs.next_u64(), 64);
            }
            let signed = f64::from_bits(deviation.to_bits() | (!bits & 1) << 63);
            (bits, remaining) = (bits >> 1, remaining - 1);
            signed
        })
    }

    /// Draws +√variance or −√variance for each element, once for each of the [`DRAWS`].
    pub(in crate::check) fn noise(&mut self, variance: &Array2<f64>) -> Vec<Array2<f64>> {
        let deviation = variance.mapv(f64::sqrt);
        (0..DRAWS).map(|_| self.signed(&deviation)).collect()
    }
}

/// Sampled errors of a matrix. Each of the [`DRAWS`] draws is a matrix of the same shape, with one random error per
/// element.
#[derive(Clone, Debug)]
pub(in crate::check) struct Samples(Vec<Array2<f64>>);

impl Samples {
    /// Creates samples in which all errors are zero.
    pub(in crate::check) fn zeros(shape: Ix2) -> Self {
        Self(vec![Array2::zeros(shape); DRAWS])
    }

    /// Applies `function` to each draw.
    pub(in crate::check) fn map(&self, function: impl FnMut(&Array2<f64>) -> Array2<f64>) -> Self {
        Self(self.0.iter().map(function).collect())
    }

    /// Combines each draw with the draw of the same number in `other`, with `function`.
    pub(in crate::check) fn zip(
        &self,
        other: &Self,
        mut function: impl FnMut(&Array2<f64>, &Array2<f64>) -> Array2<f64>,
    ) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(draw, other)| function(draw, other)).collect())
    }

    /// Returns the draw with this number, or `None` if the draws were discarded.
    pub(in crate::check) fn draw(&self, number: usize) -> Option<&Array2<f64>> {
        self.0.get(number)
    }

    /// Adds new, independent rounding errors of this variance to each draw.
    pub(in crate::check) fn with_noise(mut self, variance: &Array2<f64>, propagation: &mut Propagation) -> Self {
        self.0.iter_mut().zip(propagation.noise(variance)).for_each(|(draw, noise)| *draw += &noise);
        self
    }

    /// Inflates the variances by equation (5), given one matrix of errors for each draw: the factor of an element is the
    /// largest of 1 and the mean of e²/E² over its row, over its column, and over all elements. Returns the errors as samples.
    pub(in crate::check) fn inflate(variance: &mut Array2<f64>, draws: Draws, errors: Vec<Array2<f64>>) -> Self {
        let mut ratios = Array2::zeros(variance.raw_dim());
        for errors in &errors {
            ratios.zip_mut_with(errors, |ratio, error| *ratio += error * error);
        }
        // An element without error counts as a ratio of 1, which causes no inflation.
        ratios.zip_mut_with(variance, |ratio, &variance| {
            *ratio = if variance > 0.0 { *ratio / (variance * DRAWS as f64) } else { 1.0 };
        });
        let mean = |axis| ratios.mean_axis(axis).unwrap_or_else(|| Array1::ones(0));
        let (columns, rows, all) = (mean(Axis(0)), mean(Axis(1)), ratios.mean().unwrap_or(1.0).max(1.0));
        for (mut variances, row) in variance.rows_mut().into_iter().zip(rows) {
            Zip::from(&mut variances).and(&columns).for_each(|variance, &column| *variance *= all.max(row).max(column));
        }
        Self(if draws == Draws::Keep { errors } else { Vec::new() })
    }
}
