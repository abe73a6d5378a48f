//! Errors of softmax and of the mean cross-entropy, equations (8) to (10) of the [error
//! model](crate::check#error-model).
//!
//! For an image with logits z and label y, the log-probabilities are xⱼ = zⱼ − ln Σₖ exp zₖ, the probabilities pⱼ = exp
//! xⱼ, and the loss is ℓ = −x_y. The logarithm is computed as max z + ln Σₖ exp(zₖ − max z). A log-probability has the
//! error of its logit, those of the exponential, the logarithm and the subtractions:
//!
//! ```text
//! E²(xⱼ) = E²(zⱼ) + u² ( sⱼ² + (q₀ + q₁sⱼ)² + xⱼ² + (r₀ ln Σ)² + r₁² + (ln Σ exp z)² ),   sⱼ = max z − zⱼ
//! ```
//!
//! Σ is the sum of the shifted exponentials; q₀, q₁ and r₀, r₁ are [`Arithmetic::exponential`] and
//! [`Arithmetic::logarithm`]. The derivative of softmax, ∂pⱼ/∂xₖ = pⱼ ((j = k) − pₖ), then gives (8) to (10).
//!
//! Limits: exp is linearized, which is justified only for small errors. The error of log-probability j is at most hⱼ =
//! min(λE(xⱼ), W(xⱼ)), where W is the worst case. If the largest of these, h, is at most 0.1, the variance is
//! multiplied by exp(2h), which covers the terms of higher order. Otherwise the largest possible change of each
//! probability, pⱼ (exp(hⱼ + h) − 1), counts as undecided.

use mlp_parity::Arithmetic;
use mlp_parity_scratch::Passes;
use ndarray::{Array2, ArrayView1, Axis, Ix2};

use super::bounded_matrix::{BoundedMatrix, ErrorEstimate, squared_roundoff};
use super::confidence::LAMBDA;
use super::samples::{Propagation, Samples};

/// The largest error of a log-probability for which the exponential function is linearized.
const LINEAR_LIMIT: f64 = 0.1;

/// The loss, and its derivative with respect to the logits, from which the backward pass starts.
pub(in crate::check) struct CrossEntropy {
    /// ℒ: the mean loss of the batch, a 1 × 1 matrix.
    pub(in crate::check) loss: BoundedMatrix,
    /// δ of the output layer, images × classes: the derivative of the mean loss with respect to the logits, (p − y)/m,
    /// for probabilities p, one-hot labels y and m images.
    pub(in crate::check) delta: BoundedMatrix,
}

/// Propagates the errors of the logits to the loss and to δ of the output layer. The values themselves come from
/// `passes`, the forward and backward pass of the reference.
pub(in crate::check) fn cross_entropy(
    logits: &BoundedMatrix,
    labels: &[usize],
    passes: &Passes<f64>,
    propagation: &mut Propagation,
) -> CrossEntropy {
    let arithmetic = &propagation.arithmetic.to_owned();
    let shape = logits.value.raw_dim();
    let images = labels.len() as f64;
    let squared_roundoff = squared_roundoff(arithmetic);
    let roundoff = squared_roundoff.sqrt();
    let [mut variance, mut worst_case, mut correlated, mut delta_rounding, mut probabilities, mut exponent_rounding] =
        [(); 6].map(|()| Array2::zeros(shape));
    // If all images have nearly the same probabilities, then exp, sum and division round all of them in the same way.
    let correlated_factor = roundoff * (arithmetic.exponential[0] + arithmetic.division + 2.0) / images;
    let mut undecided = None;
    let mut loss_error = ScalarError::default();
    let [mut losses, mut squares] = [0.0; 2];
    for (image, &label) in labels.iter().enumerate() {
        let row = Row::new(logits, image, label, arithmetic);
        for (class, &p) in row.probabilities.iter().enumerate() {
            let y = f64::from(u8::from(class == label));
            let error = row.probability_error(class);
            let rounding = squared_roundoff * (3.0 * p * p + 2.0 * (p - y) * (p - y) + y) / (images * images);
            variance[[image, class]] = error.variance / (images * images) + rounding;
            delta_rounding[[image, class]] = rounding;
            probabilities[[image, class]] = p;
            exponent_rounding[[image, class]] = row.own_rounding[class];
            if error.undecided > 0.0 {
                undecided.get_or_insert_with(|| Array2::zeros(shape))[[image, class]] = error.undecided / images;
            }
            correlated[[image, class]] = (correlated_factor * p).powi(2);
            worst_case[[image, class]] = (error.worst_case + roundoff * (3.0 * p + 2.0 * (p - y).abs() + y)) / images;
        }
        let error = row.loss_error(label);
        loss_error.variance += error.variance;
        loss_error.worst_case += error.worst_case;
        loss_error.undecided += error.undecided;
        losses += row.loss.abs();
        squares += row.loss * row.loss;
    }
    // The sum of the losses over the images, equation (1), and its division by their number.
    loss_error.variance +=
        squared_roundoff * (images * (losses * losses / 3.0 + squares / 6.0) + 2.0 * losses * losses);
    loss_error.worst_case += (images + 2.0) * roundoff * losses;
    let samples = delta_samples(logits, &probabilities, &exponent_rounding, images, propagation)
        .with_noise(&delta_rounding, propagation);
    let delta = passes.deltas.last().cloned().unwrap_or_else(|| Array2::zeros(shape));
    CrossEntropy {
        loss: mean_loss(passes.loss, images, &loss_error),
        delta: BoundedMatrix {
            value: delta,
            error: Some(ErrorEstimate { variance, samples, worst_case, correlated: Some(correlated), undecided }),
        },
    }
}

/// Returns the mean loss `value` as a 1 × 1 matrix, with the error that follows from `sum_error`, the error of the sum
/// of the losses of all images.
fn mean_loss(value: f64, images: f64, sum_error: &ScalarError) -> BoundedMatrix {
    let scalar = |value| Array2::from_elem([1, 1], value);
    BoundedMatrix {
        value: scalar(value),
        error: Some(ErrorEstimate {
            variance: scalar(sum_error.variance / (images * images)),
            worst_case: scalar(sum_error.worst_case / images),
            samples: Samples::zeros(Ix2(1, 1)),
            undecided: (sum_error.undecided > 0.0).then(|| scalar(sum_error.undecided / images)),
            correlated: None,
        }),
    }
}

/// Propagates sampled errors e of the logits through softmax to δ: p (e − Σₖ pₖeₖ) / m, for probabilities p and m
/// images.
fn delta_samples(
    logits: &BoundedMatrix,
    probabilities: &Array2<f64>,
    exponent_rounding: &Array2<f64>,
    images: f64,
    propagation: &mut Propagation,
) -> Samples {
    let logit_samples = logits.error.as_ref().map(|error| error.samples.clone());
    let errors = logit_samples
        .unwrap_or_else(|| Samples::zeros(logits.value.raw_dim()))
        .with_noise(exponent_rounding, propagation);
    errors.map(|errors| {
        // An error that is common to all logits of an image cancels: softmax does not change.
        let common = (errors * probabilities).sum_axis(Axis(1)).insert_axis(Axis(1));
        (errors - &common) * probabilities / images
    })
}

/// The error estimate of a scalar, such as a probability or a loss.
#[derive(Clone, Copy, Default)]
struct ScalarError {
    /// E²: bound on the variance of the error.
    variance: f64,
    /// W: worst-case bound on the error, which holds even if no rounding errors cancel each other.
    worst_case: f64,
    /// D: bound on the error if the error of the exponent is too large to linearize exp; 0 otherwise.
    undecided: f64,
}

/// The log-probabilities xⱼ of one image, with their errors.
struct Row<'a> {
    arithmetic: &'a Arithmetic,
    /// pⱼ: the probabilities of the classes.
    probabilities: Vec<f64>,
    /// E²(xⱼ): bounds on the variances of the errors. The rounding errors of the sum of exponentials and of the
    /// division are not included: they belong to the probability and to the loss.
    variances: Vec<f64>,
    /// The part of E²(xⱼ) that comes from the computation of xⱼ, not from the error of the logit.
    own_rounding: Vec<f64>,
    /// W(xⱼ): worst-case bounds on the errors of the log-probabilities.
    worst_cases: Vec<f64>,
    /// The largest values over all classes of the two error bounds of a log-probability: h = min(λE, W), and its worst
    /// case W.
    largest: [f64; 2],
    /// The loss of the image, −xⱼ for its label j.
    loss: f64,
    /// Variance of the rounding errors of ln Σ exp z: of the logarithm, and of the addition of max z.
    logarithm_rounding: f64,
}

impl<'a> Row<'a> {
    fn new(logits: &BoundedMatrix, image: usize, label: usize, arithmetic: &'a Arithmetic) -> Self {
        let z: ArrayView1<'_, f64> = logits.value.row(image);
        let maximum = z.fold(f64::NEG_INFINITY, |maximum, &z| maximum.max(z));
        let logarithm = z.iter().map(|z| (z - maximum).exp()).sum::<f64>().ln();
        let total = maximum + logarithm;
        let roundoff = squared_roundoff(arithmetic).sqrt();
        let [at_zero, per_unit] = arithmetic.exponential;
        let [relative, absolute] = arithmetic.logarithm;
        let logarithm_terms = [relative * logarithm, absolute, total];
        let mut row = Self {
            arithmetic,
            probabilities: Vec::with_capacity(z.len()),
            variances: Vec::with_capacity(z.len()),
            own_rounding: Vec::with_capacity(z.len()),
            worst_cases: Vec::with_capacity(z.len()),
            largest: [0.0; 2],
            loss: total - z[label],
            logarithm_rounding: roundoff.powi(2) * logarithm_terms.iter().map(|term| term * term).sum::<f64>(),
        };
        for (class, &z) in z.iter().enumerate() {
            let shifted = (z - maximum).abs();
            let terms = [shifted, at_zero + per_unit * shifted, total - z];
            let (mut variance, mut worst_case) = (0.0, 0.0);
            if let Some(error) = &logits.error {
                (variance, worst_case) = (error.variance[[image, class]], error.worst_case[[image, class]]);
            }
            let own_rounding =
                roundoff.powi(2) * terms.iter().map(|term| term * term).sum::<f64>() + row.logarithm_rounding;
            variance += own_rounding;
            row.own_rounding.push(own_rounding);
            worst_case += roundoff * terms.iter().chain(&logarithm_terms).map(|term| term.abs()).sum::<f64>();
            row.probabilities.push((z - total).exp());
            row.variances.push(variance);
            row.worst_cases.push(worst_case);
            let error = row.exponent_error(class);
            row.largest = [row.largest[0].max(error[0]), row.largest[1].max(error[1])];
        }
        row
    }

    /// Returns two bounds on the error of a class's log-probability: h = min(λE, W), and the worst case W.
    fn exponent_error(&self, class: usize) -> [f64; 2] {
        [(LAMBDA * self.variances[class].sqrt()).min(self.worst_cases[class]), self.worst_cases[class]]
    }

    /// Estimates the error of the probability of `class`, equation (9).
    fn probability_error(&self, class: usize) -> ScalarError {
        let p = self.probabilities[class];
        let classes = self.probabilities.len() as f64;
        let rounding = squared_roundoff(self.arithmetic) * (classes + self.arithmetic.division.powi(2)) * p * p
            + self.arithmetic.underflow.powi(2);
        let error = self.exponent_error(class);
        // A probability changes by no more than the exponentials of the error of its own exponent and of the largest
        // one.
        let change = |which: usize| (p * (error[which] + self.largest[which]).exp_m1()).min(1.0);
        let linear = |(other, (&q, &variance)): (usize, (&f64, &f64))| {
            variance * if other == class { p * (1.0 - p) } else { p * q }.powi(2)
        };
        let (variance, undecided) = if self.largest[0] <= LINEAR_LIMIT {
            let sum: f64 = self.probabilities.iter().zip(&self.variances).enumerate().map(linear).sum();
            (sum * (2.0 * self.largest[0]).exp(), 0.0)
        } else {
            (0.0, change(0))
        };
        ScalarError { variance: variance + rounding, worst_case: change(1) + classes * rounding.sqrt(), undecided }
    }

    /// Estimates the error of the image's loss, equation (8).
    fn loss_error(&self, label: usize) -> ScalarError {
        let classes = self.probabilities.len() as f64;
        let rounding =
            squared_roundoff(self.arithmetic) * (classes + 2.0 * self.loss * self.loss) + self.logarithm_rounding;
        let y = |class: usize| f64::from(u8::from(class == label));
        let (variance, undecided) = if self.largest[0] <= LINEAR_LIMIT {
            let linear = |(class, (&p, &variance)): (usize, (&f64, &f64))| (p - y(class)).powi(2) * variance;
            (self.probabilities.iter().zip(&self.variances).enumerate().map(linear).sum(), 0.0)
        } else {
            (0.0, self.exponent_error(label)[0] + self.largest[0])
        };
        ScalarError {
            variance: variance + rounding,
            worst_case: self.worst_cases[label] + self.largest[1] + (classes + 4.0) * rounding.sqrt(),
            undecided,
        }
    }
}
