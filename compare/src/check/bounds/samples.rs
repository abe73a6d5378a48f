//! Errors drawn at random and carried through the network to first order: they know what the variances leave out, that errors
//! with one source grow together. Equation (5).

use mlp_parity::Arithmetic;
use ndarray::{Array1, Array2, Axis, Ix2, Zip};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Whether other errors follow from a product's, so that the draws of it are needed again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::check) enum Keep {
    Draws,
    Nothing,
}

/// How many errors are drawn for each element.
const DRAWS: usize = 8;

/// How a candidate computes, and where random signs come from.
pub(in crate::check) struct Propagation {
    pub(in crate::check) arithmetic: Arithmetic,
    signs: ChaCha8Rng,
}

impl Propagation {
    /// Always the same signs: a verdict is no matter of chance.
    pub(in crate::check) fn new(arithmetic: &Arithmetic) -> Self {
        Self { arithmetic: *arithmetic, signs: ChaCha8Rng::seed_from_u64(0) }
    }

    /// +√variance or −√variance for each element.
    pub(in crate::check) fn noise(&mut self, variance: &Array2<f64>) -> Array2<f64> {
        let (mut bits, mut left) = (0, 0);
        variance.map(|variance| {
            if left == 0 {
                (bits, left) = (self.signs.next_u64(), 64);
            }
            let sign = if bits & 1 == 1 { 1.0 } else { -1.0 };
            (bits, left) = (bits >> 1, left - 1);
            sign * variance.sqrt()
        })
    }
}

/// One error for each element and draw.
#[derive(Clone, Debug)]
pub(in crate::check) struct Samples(Vec<Array2<f64>>);

impl Samples {
    pub(in crate::check) fn zeros(shape: Ix2) -> Self {
        Self(vec![Array2::zeros(shape); DRAWS])
    }

    /// `function` of each draw.
    pub(in crate::check) fn map(&self, function: impl FnMut(&Array2<f64>) -> Array2<f64>) -> Self {
        Self(self.0.iter().map(function).collect())
    }

    /// `function` of each draw of both.
    pub(in crate::check) fn zip(
        &self,
        other: &Self,
        mut function: impl FnMut(&Array2<f64>, &Array2<f64>) -> Array2<f64>,
    ) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| function(one, other)).collect())
    }

    /// One draw, if there are any.
    pub(in crate::check) fn draw(&self, number: usize) -> Option<&Array2<f64>> {
        self.0.get(number)
    }

    /// The same with new roundings of this variance.
    pub(in crate::check) fn with_noise(mut self, variance: &Array2<f64>, propagation: &mut Propagation) -> Self {
        self.0.iter_mut().for_each(|draw| *draw += &propagation.noise(variance));
        self
    }

    /// Draws errors, and raises the variances to what they show, on the mean of each row, of each column, and of all.
    pub(in crate::check) fn draw_and_raise(
        variance: &mut Array2<f64>,
        keep: Keep,
        mut draw: impl FnMut(usize) -> Array2<f64>,
    ) -> Self {
        let mut samples = Self(Vec::new());
        let mut ratios = Array2::zeros(variance.raw_dim());
        for number in 0..DRAWS {
            let errors = draw(number);
            Zip::from(&mut ratios).and(&errors).and(&*variance).for_each(|ratio, &error, &variance| {
                *ratio += if variance > 0.0 { error * error / variance / DRAWS as f64 } else { 1.0 / DRAWS as f64 };
            });
            if keep == Keep::Draws {
                samples.0.push(errors);
            }
        }
        let mean = |axis| ratios.mean_axis(axis).unwrap_or_else(|| Array1::ones(0));
        let (columns, rows, all) = (mean(Axis(0)), mean(Axis(1)), ratios.mean().unwrap_or(1.0).max(1.0));
        for (mut variances, row) in variance.rows_mut().into_iter().zip(rows) {
            Zip::from(&mut variances).and(&columns).for_each(|variance, &column| *variance *= all.max(row).max(column));
        }
        samples
    }
}
