//! Matrices whose elements carry error bounds, and the product of two such matrices: equations (1) to (4) of the
//! [error model](crate::check#error-model).
//!
//! A product C = A·B + b computes each element as a sum of n terms. Its error has two parts: the product's own rounding
//! errors, whose variance is (1), and the errors of A and B, which pass through to first order, (2) and (3).
//! [`ErrorEstimate::bound`] combines the parts to one bound per element, (4).
//!
//! Limits: the model is of first order in u, and takes the order of summation as either the natural one or a random
//! one.

use std::borrow::Cow;

use mlp_parity::Arithmetic;
use mlp_parity_scratch::kernels;
use mlp_parity_scratch::reference::ProductPrecision;
use ndarray::{Array1, Array2, Axis, Ix2, Zip};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefMutIterator, ParallelIterator};

use super::confidence::LAMBDA;
use super::samples::{Draws, Propagation, Samples};

/// Number of places at which the running sums of a product are sampled.
const PANELS: usize = 16;

/// Safety factor of the [correlated error](ErrorEstimate::correlated) K. An error that is the same in all images may be
/// the same in several classes as well, whereas K adds the squares over classes.
const CORRELATION_FACTOR: f64 = 2.0;

/// A matrix that the reference computed, and an estimate of the error that a candidate may make in it.
#[derive(Clone, Debug)]
pub(in crate::check) struct BoundedMatrix {
    /// The reference's values.
    pub(in crate::check) value: Array2<f64>,
    /// The error estimate; `None` for a matrix that is part of the candidate's input, and is therefore exact.
    pub(in crate::check) error: Option<ErrorEstimate>,
}

/// The error of each element of a matrix, to first order. All arrays have the shape of the matrix.
#[derive(Clone, Debug)]
pub(in crate::check) struct ErrorEstimate {
    /// E²: bound on the variance of the error, if rounding errors are independent.
    pub(in crate::check) variance: Array2<f64>,
    /// Randomly drawn errors, which show how errors of different elements are correlated.
    pub(in crate::check) samples: Samples,
    /// W: worst-case bound on the magnitude of the error, which holds even if no rounding errors cancel each other.
    pub(in crate::check) worst_case: Array2<f64>,
    /// K²: square of a rounding error that may be the same in all images, and so does not cancel in a sum over images;
    /// `None` outside the backward pass.
    pub(in crate::check) correlated: Option<Array2<f64>>,
    /// D: bound on the change if rounding gives the inputs of ReLU units near 0 the other sign; `None` if there are no
    /// such units.
    pub(in crate::check) undecided: Option<Array2<f64>>,
}

impl ErrorEstimate {
    /// Returns an estimate in which all errors are zero.
    pub(in crate::check) fn zeros(shape: Ix2) -> Self {
        Self {
            variance: Array2::zeros(shape),
            samples: Samples::zeros(shape),
            worst_case: Array2::zeros(shape),
            correlated: None,
            undecided: None,
        }
    }

    /// Returns the transposed estimate.
    pub(in crate::check) fn transposed(&self) -> Self {
        self.rearranged(transpose)
    }

    /// Returns the estimate for a matrix with the elements in another order, in which `order` puts those of any matrix.
    pub(in crate::check) fn rearranged(&self, order: impl Fn(&Array2<f64>) -> Array2<f64>) -> Self {
        Self {
            variance: order(&self.variance),
            samples: self.samples.map(&order),
            worst_case: order(&self.worst_case),
            correlated: self.correlated.as_ref().map(&order),
            undecided: self.undecided.as_ref().map(&order),
        }
    }

    /// Returns the estimate for a multiple of the matrix, whose values are `value`. The product is rounded.
    pub(in crate::check) fn scaled(self, factor: f64, value: &Array2<f64>, propagation: &Propagation) -> Self {
        let rounding = value.mapv(|value| squared_roundoff(&propagation.arithmetic) * value * value);
        Self {
            variance: self.variance * (factor * factor) + &rounding,
            samples: self.samples.map(|draw| draw * factor),
            worst_case: self.worst_case * factor.abs() + rounding.mapv(f64::sqrt),
            correlated: self.correlated.map(|correlated| correlated * (factor * factor)),
            undecided: self.undecided.map(|undecided| undecided * factor.abs()),
        }
    }

    /// Returns the estimate for the sum of all elements, in every element. The errors are added linearly.
    pub(in crate::check) fn of_sum(self) -> Self {
        let fill = |like: &Array2<f64>, value: f64| Array2::from_elem(like.raw_dim(), value);
        let of_squares = |squares: &Array2<f64>| {
            let sum: f64 = squares.iter().map(|square| square.sqrt()).sum();
            fill(squares, sum * sum)
        };
        let of_bounds = |bounds: &Array2<f64>| fill(bounds, bounds.sum());
        Self {
            variance: of_squares(&self.variance),
            samples: Samples::zeros(self.variance.raw_dim()),
            worst_case: of_bounds(&self.worst_case),
            correlated: self.correlated.as_ref().map(of_squares),
            undecided: self.undecided.as_ref().map(of_bounds),
        }
    }

    /// Returns the error bound of each element, min(λE + 2K, W) + D: equation (4) of [`check`](crate::check). Here E² is
    /// [`variance`](Self::variance), W is [`worst_case`](Self::worst_case), K² is [`correlated`](Self::correlated), D is
    /// [`undecided`](Self::undecided), and λ is [`LAMBDA`].
    pub(in crate::check) fn bound(&self) -> Array2<f64> {
        let mut bound = self.rounding_bound();
        if let Some(undecided) = &self.undecided {
            bound += undecided;
        }
        bound
    }

    /// Returns the error bound of each element without the term D for undecided ReLU units: min(λE + 2K, W).
    pub(in crate::check) fn rounding_bound(&self) -> Array2<f64> {
        let mut bound = self.variance.mapv(|variance| LAMBDA * variance.sqrt());
        if let Some(correlated) = &self.correlated {
            bound.zip_mut_with(correlated, |bound, correlated| *bound += CORRELATION_FACTOR * correlated.sqrt());
        }
        bound.zip_mut_with(&self.worst_case, |bound, &worst_case| *bound = bound.min(worst_case));
        bound
    }
}

/// Returns u², the squared unit roundoff of the error model: the sum of the squares of the candidate's and the
/// reference's unit roundoffs, because both round their results.
pub(in crate::check) fn squared_roundoff(arithmetic: &Arithmetic) -> f64 {
    arithmetic.unit_roundoff.powi(2) + Arithmetic::DOUBLE.unit_roundoff.powi(2)
}

impl BoundedMatrix {
    /// Creates a matrix of exact values, without an error estimate.
    pub(in crate::check) fn exact(value: Array2<f64>) -> Self {
        Self { value, error: None }
    }

    /// Returns a multiple of the matrix. The product is rounded.
    pub(in crate::check) fn scaled(&self, factor: f64, propagation: &Propagation) -> Self {
        let value = &self.value * factor;
        let error = self.error.clone().map(|error| error.scaled(factor, &value, propagation));
        Self { value, error }
    }

    /// Returns the transposed matrix with its transposed error estimate.
    pub(in crate::check) fn transposed(&self) -> Self {
        self.rearranged(transpose)
    }

    /// Returns the matrix with its elements in another order, in which `order` puts those of any matrix.
    pub(in crate::check) fn rearranged(&self, order: impl Fn(&Array2<f64>) -> Array2<f64>) -> Self {
        let error = self.error.as_ref().map(|error| error.rearranged(&order));
        Self { value: order(&self.value), error }
    }

    /// Returns the matrix as a factor of a product, with its elements rounded to `precision`. A rounded element has no error,
    /// except that the error before rounding may move it to a neighbour; that change is undecided.
    pub(in crate::check) fn rounded(&self, precision: ProductPrecision) -> Cow<'_, Self> {
        if precision == ProductPrecision::Full {
            return Cow::Borrowed(self);
        }
        let value = self.value.mapv(|value| precision.round(value));
        let Some(error) = &self.error else { return Cow::Owned(Self::exact(value)) };
        let mut undecided = error.bound();
        Zip::from(&mut undecided).and(&self.value).and(&value).for_each(|bound, &value, &rounded| {
            let moved = |by: f64| (precision.round(value + by) - rounded).abs();
            *bound = moved(*bound).max(moved(-*bound));
        });
        let undecided = undecided.iter().any(|&change| change > 0.0).then_some(undecided);
        let error = ErrorEstimate { undecided, ..ErrorEstimate::zeros(self.value.raw_dim()) };
        Cow::Owned(Self { value, error: Some(error) })
    }

    /// Converts the matrix to a factor of a product, as [`rounded`](Self::rounded) does.
    pub(in crate::check) fn into_rounded(self, precision: ProductPrecision) -> Self {
        match self.rounded(precision) {
            Cow::Owned(rounded) => rounded,
            Cow::Borrowed(_) => self,
        }
    }

    /// Multiplies the elements by those of a dropout mask, which is exact. The product is rounded.
    pub(in crate::check) fn masked(&self, mask: &Array2<f64>, propagation: &mut Propagation) -> Self {
        let value = &self.value * mask;
        let Some(error) = &self.error else { return Self::exact(value) };
        let roundoff = squared_roundoff(&propagation.arithmetic).sqrt();
        let rounding = value.mapv(|value| (roundoff * value).powi(2));
        let squares = squares_of(mask);
        let scaled = |values: &Array2<f64>, by: &Array2<f64>| values * by;
        let error = ErrorEstimate {
            variance: &error.variance * &squares + &rounding,
            samples: error.samples.map(|draw| draw * mask).with_noise(&rounding, propagation),
            worst_case: &error.worst_case * &magnitudes_of(mask) + value.mapv(|value| roundoff * value.abs()),
            correlated: error.correlated.as_ref().map(|correlated| scaled(correlated, &squares)),
            undecided: error.undecided.as_ref().map(|undecided| scaled(undecided, &magnitudes_of(mask))),
        };
        Self { value, error: Some(error) }
    }

    /// Returns `self` · `right`, plus the vector `start` in every row, with the error estimate of equations (1) to (3).
    pub(in crate::check) fn product(
        &self,
        right: &Self,
        start: Option<&Array1<f64>>,
        propagation: &mut Propagation,
        draws: Draws,
    ) -> Self {
        let factors = [Factor::new(&self.value), Factor::new(&right.value)];
        let sums = ProductSums::new(&factors, start);
        let (mut variance, mut worst_case) = sums.rounding_errors(&propagation.arithmetic);
        let mut errors = propagation.noise(&variance);
        let [left_factor, right_factor] = factors;
        // Only a δ has correlated errors, and no product has two δ as factors.
        let (mut correlated, mut undecided) = (None, None);
        if let Some(error) = &self.error {
            add_product(&error.variance, &right_factor.squares, &mut variance);
            add_product(&error.worst_case, &right_factor.magnitudes, &mut worst_case);
            // Within an image the errors of the classes have either sign, so their squares add up.
            correlated = error.correlated.as_ref().map(|correlated| product(correlated, &right_factor.squares));
            undecided = error.undecided.as_ref().map(|undecided| product(undecided, &right_factor.magnitudes));
        }
        if let Some(error) = &right.error {
            add_product(&left_factor.squares, &error.variance, &mut variance);
            add_product(&left_factor.magnitudes, &error.worst_case, &mut worst_case);
            if let Some(right) = &error.correlated {
                // A sum over images: correlated errors have one sign in all of them, so they add up linearly.
                let sum_over_images = product(&left_factor.magnitudes, &right.mapv(f64::sqrt));
                correlated = Some(squares_of(&sum_over_images));
            }
            if let Some(right) = &error.undecided {
                let sum = undecided.get_or_insert_with(|| Array2::zeros(variance.raw_dim()));
                add_product(&left_factor.magnitudes, right, sum);
            }
        }
        errors.par_iter_mut().enumerate().for_each(|(number, errors)| {
            if let Some(draw) = self.error.as_ref().and_then(|error| error.samples.draw(number)) {
                add_product(draw, &right.value, errors);
            }
            if let Some(draw) = right.error.as_ref().and_then(|error| error.samples.draw(number)) {
                add_product(&self.value, draw, errors);
            }
        });
        let samples = Samples::inflate(&mut variance, draws, errors);
        Self { value: sums.value, error: Some(ErrorEstimate { variance, samples, worst_case, correlated, undecided }) }
    }
}

/// A factor of a product.
struct Factor<'a> {
    value: &'a Array2<f64>,
    squares: Array2<f64>,
    magnitudes: Array2<f64>,
}

impl<'a> Factor<'a> {
    fn new(value: &'a Array2<f64>) -> Self {
        Self { value, squares: squares_of(value), magnitudes: magnitudes_of(value) }
    }
}

/// Returns the matrix, or `None` if all of its elements are zero.
pub(in crate::check) fn nonzero(matrix: Array2<f64>) -> Option<Array2<f64>> {
    matrix.iter().any(|&value| value != 0.0).then_some(matrix)
}

fn transpose(matrix: &Array2<f64>) -> Array2<f64> {
    matrix.t().as_standard_layout().into_owned()
}

fn squares_of(matrix: &Array2<f64>) -> Array2<f64> {
    matrix.mapv(|value| value * value)
}

fn magnitudes_of(matrix: &Array2<f64>) -> Array2<f64> {
    matrix.mapv(f64::abs)
}

fn product(left: &Array2<f64>, right: &Array2<f64>) -> Array2<f64> {
    let mut product = Array2::zeros([left.nrows(), right.ncols()]);
    add_product(left, right, &mut product);
    product
}

/// Adds `left` · `right` to `sum`.
fn add_product(left: &Array2<f64>, right: &Array2<f64>, sum: &mut Array2<f64>) {
    kernels::add_product(left.view(), right.view(), sum.view_mut());
}

/// The elements of a product C = A·B, which are sums Cᵢⱼ = Σₖ tₖ of terms tₖ = AᵢₖBₖⱼ, and the quantities on which
/// their rounding errors depend. All matrices have the shape of C.
struct ProductSums {
    /// The sums, including the bias that they start from.
    value: Array2<f64>,
    /// n: number of nonzero left factors in each row. Adding zero is exact, so zero terms cause no error.
    term_counts: Array1<f64>,
    /// The sums Σₖ sₖ² of the squares of the running sums sₖ = t₁ + … + tₖ.
    squared_running_sums: Array2<f64>,
    /// T: the sums Σₖ tₖ² of the squared terms.
    squared_terms: Array2<f64>,
    /// The sums Σₖ |tₖ|, plus the magnitude of the bias.
    magnitudes: Array2<f64>,
}

impl ProductSums {
    /// Computes the product, plus `start` in every row, and the quantities on which its rounding errors depend. The inner
    /// dimension is divided into at most [`PANELS`] panels; the running sum after each panel stands for all running sums
    /// within it.
    fn new([left, right]: &[Factor<'_>; 2], start: Option<&Array1<f64>>) -> Self {
        let shape = [left.value.nrows(), right.value.ncols()];
        let mut sums = Self {
            value: Array2::zeros(shape),
            term_counts: Array1::zeros(shape[0]),
            squared_running_sums: Array2::zeros(shape),
            squared_terms: product(&left.squares, &right.squares),
            magnitudes: product(&left.magnitudes, &right.magnitudes),
        };
        let no_start = Array1::zeros(shape[1]);
        let start = start.unwrap_or(&no_start);
        let panel = left.value.ncols().div_ceil(PANELS).max(1);
        let panels = left.value.axis_chunks_iter(Axis(1), panel).zip(right.value.axis_chunks_iter(Axis(0), panel));
        for (left, right) in panels {
            kernels::add_product(left, right, sums.value.view_mut());
            let counts = left.map_axis(Axis(1), |row| row.iter().filter(|&&value| value != 0.0).count() as f64);
            for (row, &count) in counts.iter().enumerate() {
                // Candidates add the bias either first or last; the larger running sum of the two counts.
                Zip::from(sums.squared_running_sums.row_mut(row)).and(sums.value.row(row)).and(start).for_each(
                    |squares, &sum, &start| {
                        *squares += count * sum.abs().max((sum + start).abs()).powi(2);
                    },
                );
            }
            sums.term_counts += &counts;
        }
        sums.value += start;
        sums.magnitudes += &start.mapv(f64::abs);
        sums
    }

    /// Returns the variance, equation (1), and the worst case of the rounding errors of the sums, for exact factors.
    fn rounding_errors(&self, arithmetic: &Arithmetic) -> (Array2<f64>, Array2<f64>) {
        let squared_roundoff = squared_roundoff(arithmetic);
        let roundoff = squared_roundoff.sqrt();
        let shape = self.value.raw_dim();
        let (mut variance, mut worst_case) = (Array2::zeros(shape), Array2::zeros(shape));
        for (row, &count) in self.term_counts.iter().enumerate() {
            let rows = (variance.row_mut(row), worst_case.row_mut(row));
            let underflow = count * arithmetic.underflow;
            let sums = (self.value.row(row), self.squared_running_sums.row(row), self.squared_terms.row(row));
            Zip::from(rows.0).and(rows.1).and(sums.0).and(sums.1).and(sums.2).for_each(
                |variance, worst_case, &sum, &natural_order, &squares| {
                    // Σ sₖ² on average over all orders of summation.
                    let mean_of_orders = count * (sum * sum / 3.0 + squares / 6.0);
                    *variance = squared_roundoff * (natural_order.max(mean_of_orders) + squares + sum * sum)
                        + underflow * underflow;
                    *worst_case = underflow;
                },
            );
            let magnitudes = self.magnitudes.row(row);
            worst_case
                .row_mut(row)
                .zip_mut_with(&magnitudes, |worst_case, &sum| *worst_case += (count + 1.0) * roundoff * sum);
        }
        (variance, worst_case)
    }
}
