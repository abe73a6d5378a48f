//! Matrices of which it is known how far off a candidate may be, and their product: equations (1) to (4) of [the derivation](crate::check).

use mlp_parity::Arithmetic;
use mlp_parity_scratch::kernels;
use ndarray::{Array1, Array2, ArrayView2, Axis, Ix2, Zip};

use super::confidence::LAMBDA;
use super::samples::{Keep, Propagation, Samples};

/// How often the running sums of a product are looked at.
const PANELS: usize = 16;

/// Errors that are the same in all images may be so in some classes as well, which the quadrature over classes leaves out.
const ALIKE: f64 = 2.0;

/// A matrix as the reference has it, and how far from it a candidate may be.
#[derive(Clone, Debug)]
pub(in crate::check) struct BoundedMatrix {
    /// The reference's.
    pub(in crate::check) value: Array2<f64>,
    /// `None` for what a candidate was given, which is exact.
    pub(in crate::check) error: Option<Error>,
}

/// How far off each element may be, to first order.
#[derive(Clone, Debug)]
pub(in crate::check) struct Error {
    /// E²: the variance of the error at most, if roundings are independent.
    pub(in crate::check) variance: Array2<f64>,
    /// Errors as they may be.
    pub(in crate::check) samples: Samples,
    /// The error at most, whatever roundings are.
    pub(in crate::check) worst: Array2<f64>,
    /// The square of a rounding error that may be the same in all images, so that it does not cancel in their sum.
    pub(in crate::check) alike: Option<Array2<f64>>,
    /// What undecided units may change besides; `None` if there is none.
    pub(in crate::check) undecided: Option<Array2<f64>>,
}

impl Error {
    pub(in crate::check) fn zeros(shape: Ix2) -> Self {
        Self {
            variance: Array2::zeros(shape),
            samples: Samples::zeros(shape),
            worst: Array2::zeros(shape),
            alike: None,
            undecided: None,
        }
    }
}

impl Error {
    /// min(λE + 2·alike, worst) + undecided, equation (4).
    pub(in crate::check) fn bound(&self) -> Array2<f64> {
        let mut bound = self.rounding();
        if let Some(undecided) = &self.undecided {
            bound += undecided;
        }
        bound
    }

    /// What roundings may do, without undecided units.
    pub(in crate::check) fn rounding(&self) -> Array2<f64> {
        let mut bound = self.variance.mapv(|variance| LAMBDA * variance.sqrt());
        if let Some(alike) = &self.alike {
            bound.zip_mut_with(alike, |bound, alike| *bound += ALIKE * alike.sqrt());
        }
        bound.zip_mut_with(&self.worst, |bound, &worst| *bound = bound.min(worst));
        bound
    }
}

/// u² of the candidate and of the reference together.
pub(in crate::check) fn squared_roundoff(arithmetic: &Arithmetic) -> f64 {
    arithmetic.unit_roundoff.powi(2) + Arithmetic::DOUBLE.unit_roundoff.powi(2)
}

impl BoundedMatrix {
    pub(in crate::check) fn exact(value: Array2<f64>) -> Self {
        Self { value, error: None }
    }

    pub(in crate::check) fn transposed(&self) -> Self {
        let t = |matrix: &Array2<f64>| matrix.t().as_standard_layout().into_owned();
        let error = self.error.as_ref().map(|error| Error {
            variance: t(&error.variance),
            samples: error.samples.map(t),
            worst: t(&error.worst),
            alike: error.alike.as_ref().map(t),
            undecided: error.undecided.as_ref().map(t),
        });
        Self { value: t(&self.value), error }
    }

    /// `self` · `right` + `start` in every row, equations (1) to (3).
    pub(in crate::check) fn product(
        &self,
        right: &Self,
        start: Option<&Array1<f64>>,
        propagation: &mut Propagation,
        keep: Keep,
    ) -> Self {
        let arithmetic = propagation.arithmetic;
        let Sums { value, terms, running, squares, magnitudes } = sums(self.value.view(), right.value.view(), start);
        let squared_roundoff = squared_roundoff(&arithmetic);
        let roundoff = squared_roundoff.sqrt();
        let shape = value.raw_dim();
        let (mut variance, mut worst) = (Array2::zeros(shape), Array2::zeros(shape));
        for (row, &count) in terms.iter().enumerate() {
            let rows = (variance.row_mut(row), worst.row_mut(row));
            let underflow = count * arithmetic.underflow;
            Zip::from(rows.0).and(rows.1).and(value.row(row)).and(running.row(row)).and(squares.row(row)).for_each(
                |variance, worst, &sum, &running, &squares| {
                    let mean_of_orders = count * (sum * sum / 3.0 + squares / 6.0);
                    *variance =
                        squared_roundoff * (running.max(mean_of_orders) + squares + sum * sum) + underflow * underflow;
                    *worst = underflow;
                },
            );
            let magnitudes = magnitudes.row(row);
            worst.row_mut(row).zip_mut_with(&magnitudes, |worst, &sum| *worst += (count + 1.0) * roundoff * sum);
        }
        let own = variance.clone();
        // Only a δ has these, and no product is one of two.
        let (mut alike, mut undecided) = (None, None);
        if let Some(error) = &self.error {
            variance += &product(error.variance.view(), squares_of(&right.value).view());
            worst += &product(error.worst.view(), magnitudes_of(&right.value).view());
            alike = error.alike.as_ref().map(|alike| product(alike.view(), squares_of(&right.value).view()));
            undecided =
                error.undecided.as_ref().map(|undecided| product(undecided.view(), magnitudes_of(&right.value).view()));
        }
        if let Some(error) = &right.error {
            variance += &product(squares_of(&self.value).view(), error.variance.view());
            worst += &product(magnitudes_of(&self.value).view(), error.worst.view());
            if let Some(right) = &error.alike {
                alike = Some(squares_of(&product(magnitudes_of(&self.value).view(), right.mapv(f64::sqrt).view())));
            }
            if let Some(right) = &error.undecided {
                undecided = Some(product(magnitudes_of(&self.value).view(), right.view()));
            }
        }
        let draw = |number| {
            let mut sum = propagation.noise(&own);
            for (error, other, from_left) in [(&self.error, &right.value, true), (&right.error, &self.value, false)] {
                if let Some(draw) = error.as_ref().and_then(|error| error.samples.draw(number)) {
                    let [left, right] = if from_left { [draw, other] } else { [other, draw] };
                    sum += &product(left.view(), right.view());
                }
            }
            sum
        };
        let samples = Samples::draw_and_raise(&mut variance, keep, draw);
        Self { value, error: Some(Error { variance, samples, worst, alike, undecided }) }
    }
}

fn squares_of(matrix: &Array2<f64>) -> Array2<f64> {
    matrix.mapv(|value| value * value)
}

fn magnitudes_of(matrix: &Array2<f64>) -> Array2<f64> {
    matrix.mapv(f64::abs)
}

fn product(left: ArrayView2<'_, f64>, right: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut product = Array2::zeros([left.nrows(), right.ncols()]);
    kernels::product(left, right, product.view_mut());
    product
}

/// What is known of the sums Σₖ AᵢₖBₖⱼ.
struct Sums {
    /// The sums, with what they start from.
    value: Array2<f64>,
    /// Terms that are not zero by their left factor, for each row: adding zero is exact.
    terms: Array1<f64>,
    /// Σₖ sₖ² over the running sums sₖ in the order of k.
    running: Array2<f64>,
    /// Σₖ tₖ² over the terms.
    squares: Array2<f64>,
    /// Σₖ |tₖ|, with the magnitude of what the sums start from.
    magnitudes: Array2<f64>,
}

fn sums(left: ArrayView2<'_, f64>, right: ArrayView2<'_, f64>, start: Option<&Array1<f64>>) -> Sums {
    let shape = [left.nrows(), right.ncols()];
    let mut sums = Sums {
        value: Array2::zeros(shape),
        terms: Array1::zeros(shape[0]),
        running: Array2::zeros(shape),
        squares: product(left.mapv(|value| value * value).view(), right.mapv(|value| value * value).view()),
        magnitudes: product(left.mapv(f64::abs).view(), right.mapv(f64::abs).view()),
    };
    let no_start = Array1::zeros(shape[1]);
    let start = start.unwrap_or(&no_start);
    let panel = left.ncols().div_ceil(PANELS).max(1);
    for (left, right) in left.axis_chunks_iter(Axis(1), panel).zip(right.axis_chunks_iter(Axis(0), panel)) {
        sums.value += &product(left, right);
        let counts = left.map_axis(Axis(1), |row| row.iter().filter(|&&value| value != 0.0).count() as f64);
        for (row, &count) in counts.iter().enumerate() {
            // The sum may start from the bias or end with it.
            Zip::from(sums.running.row_mut(row)).and(sums.value.row(row)).and(start).for_each(
                |running, &sum, &start| {
                    *running += count * sum.abs().max((sum + start).abs()).powi(2);
                },
            );
        }
        sums.terms += &counts;
    }
    sums.value += start;
    sums.magnitudes += &start.mapv(f64::abs);
    sums
}
