//! Results of the output layer with their errors, and the sum of the losses of all images.

use ndarray::{Array2, Ix2};

use super::bounded_matrix::{BoundedMatrix, ErrorEstimate};
use super::samples::Samples;

/// The results of the output layer, with their errors.
pub(super) struct OutputLayer {
    /// The outputs, images × outputs.
    pub(super) outputs: BoundedMatrix,
    /// ℒ: the loss of the batch, a 1 × 1 matrix.
    pub(super) loss: BoundedMatrix,
    /// δ of the output layer, images × outputs: the derivative of the loss with respect to the sums z.
    pub(super) delta: BoundedMatrix,
}

/// The error estimate of a scalar, such as a probability or a loss.
#[derive(Clone, Copy, Default)]
pub(super) struct ScalarError {
    /// E²: bound on the variance of the error.
    pub(super) variance: f64,
    /// W: worst-case bound on the error, which holds even if no rounding errors cancel each other.
    pub(super) worst_case: f64,
    /// D: bound on errors that do not follow the linear model, such as those of an exponent that is too uncertain.
    pub(super) undecided: f64,
}

impl ScalarError {
    /// Stores the error as that of one element of a matrix.
    pub(super) fn store(self, estimate: &mut ErrorEstimate, undecided: &mut Array2<f64>, at: [usize; 2]) {
        (estimate.variance[at], estimate.worst_case[at]) = (self.variance, self.worst_case);
        undecided[at] = self.undecided;
    }

    /// Adds an error that may occur as well.
    pub(super) fn add(&mut self, other: &Self) {
        self.variance += other.variance;
        self.worst_case += other.worst_case;
        self.undecided += other.undecided;
    }
}

/// The sum of the losses of all images, with its error.
#[derive(Default)]
pub(super) struct SumOfLosses {
    error: ScalarError,
    images: f64,
    magnitudes: f64,
    squares: f64,
}

impl SumOfLosses {
    pub(super) fn add(&mut self, loss: f64, error: &ScalarError) {
        self.error.add(error);
        self.images += 1.0;
        self.magnitudes += loss.abs();
        self.squares += loss * loss;
    }

    /// Returns the loss of the batch, `value`, as a 1 × 1 matrix, with the error that follows from that of the sum.
    pub(super) fn reduced(self, value: f64, factor: f64, squared_roundoff: f64) -> BoundedMatrix {
        let Self { error, images, magnitudes, squares } = self;
        // The sum over the images, equation (1), and its division by their number.
        let sum = images * (magnitudes * magnitudes / 3.0 + squares / 6.0) + 2.0 * magnitudes * magnitudes;
        let variance = error.variance + squared_roundoff * sum;
        let worst_case = error.worst_case + (images + 2.0) * squared_roundoff.sqrt() * magnitudes;
        let scalar = |value| Array2::from_elem([1, 1], value);
        BoundedMatrix {
            value: scalar(value),
            error: Some(ErrorEstimate {
                variance: scalar(variance * factor * factor),
                worst_case: scalar(worst_case * factor),
                samples: Samples::zeros(Ix2(1, 1)),
                undecided: (error.undecided > 0.0).then(|| scalar(error.undecided * factor)),
                correlated: None,
            }),
        }
    }
}
