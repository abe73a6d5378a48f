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
use mlp_parity_scratch::reference::Passes;
use ndarray::{Array2, ArrayView1, Axis};

use super::bounded_matrix::{BoundedMatrix, ErrorEstimate, nonzero, squared_roundoff};
use super::confidence::LAMBDA;
use super::losses::{OutputLayer, ScalarError, SumOfLosses};
use super::samples::{Propagation, Samples};

/// The largest error of a log-probability for which the exponential function is linearized.
const LINEAR_LIMIT: f64 = 0.1;

/// Estimates the errors of the probabilities, of the cross-entropy, and of δ = factor · (p − t). The values themselves come
/// from `passes`, the forward and backward pass of the reference. `factor` is that of the reduction over the images.
pub(super) fn cross_entropy(
    logits: &BoundedMatrix,
    targets: &Array2<f64>,
    factor: f64,
    passes: &Passes<f64>,
    propagation: &mut Propagation,
) -> OutputLayer {
    let arithmetic = &propagation.arithmetic.to_owned();
    let shape = logits.value.raw_dim();
    let squared_roundoff = squared_roundoff(arithmetic);
    let roundoff = squared_roundoff.sqrt();
    let mut delta_error = ErrorEstimate::zeros(shape);
    let mut output_error = ErrorEstimate::zeros(shape);
    let [mut correlated, mut delta_rounding, mut exponent_rounding, mut undecided] =
        [(); 4].map(|()| Array2::zeros(shape));
    // If all images have nearly the same probabilities, then exp, sum and division round all of them in the same way.
    let correlated_factor = factor * roundoff * (arithmetic.exponential[0] + arithmetic.division + 2.0);
    let mut losses = SumOfLosses::default();
    for (image, targets) in targets.rows().into_iter().enumerate() {
        let row = Row::new(logits, image, targets, arithmetic);
        for (class, (&p, &t)) in row.probabilities.iter().zip(targets).enumerate() {
            let error = row.probability_error(class);
            let rounding = squared_roundoff * factor * factor * (3.0 * p * p + 2.0 * (p - t) * (p - t) + t);
            let at = [image, class];
            output_error.variance[at] = error.variance;
            output_error.worst_case[at] = error.worst_case;
            delta_error.variance[at] = error.variance * factor * factor + rounding;
            delta_error.worst_case[at] = factor * (error.worst_case + roundoff * (3.0 * p + 2.0 * (p - t).abs() + t));
            delta_rounding[at] = rounding;
            exponent_rounding[at] = row.own_rounding[class];
            undecided[at] = error.undecided;
            correlated[at] = (correlated_factor * p).powi(2);
        }
        losses.add(row.loss, &row.loss_error(targets));
    }
    delta_error.samples = delta_samples(logits, &passes.outputs, &exponent_rounding, factor, propagation)
        .with_noise(&delta_rounding, propagation);
    delta_error.correlated = Some(correlated);
    delta_error.undecided = nonzero(&undecided * factor);
    output_error.undecided = nonzero(undecided);
    let delta = passes.deltas.last().cloned().unwrap_or_else(|| Array2::zeros(shape));
    OutputLayer {
        outputs: BoundedMatrix { value: passes.outputs.clone(), error: Some(output_error) },
        loss: losses.reduced(passes.loss, factor, squared_roundoff),
        delta: BoundedMatrix { value: delta, error: Some(delta_error) },
    }
}

/// Propagates sampled errors e of the logits through softmax to δ: factor · p (e − Σₖ pₖeₖ), for probabilities p.
fn delta_samples(
    logits: &BoundedMatrix,
    probabilities: &Array2<f64>,
    exponent_rounding: &Array2<f64>,
    factor: f64,
    propagation: &mut Propagation,
) -> Samples {
    let logit_samples = logits.error.as_ref().map(|error| error.samples.clone());
    let errors = logit_samples
        .unwrap_or_else(|| Samples::zeros(logits.value.raw_dim()))
        .with_noise(exponent_rounding, propagation);
    errors.map(|errors| {
        // An error that is common to all logits of an image cancels: softmax does not change.
        let common = (errors * probabilities).sum_axis(Axis(1)).insert_axis(Axis(1));
        (errors - &common) * probabilities * factor
    })
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
    /// D(xⱼ): undecided errors of the logits, which come from products of rounded factors.
    undecided: Vec<f64>,
    /// The loss of the image, −Σⱼ tⱼxⱼ for its targets t.
    loss: f64,
    /// Variance of the rounding errors of ln Σ exp z: of the logarithm, and of the addition of max z.
    logarithm_rounding: f64,
}

impl<'a> Row<'a> {
    fn new(logits: &BoundedMatrix, image: usize, targets: ArrayView1<'_, f64>, arithmetic: &'a Arithmetic) -> Self {
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
            undecided: Vec::with_capacity(z.len()),
            loss: z.iter().zip(targets).map(|(z, target)| target * (total - z)).sum(),
            logarithm_rounding: roundoff.powi(2) * logarithm_terms.iter().map(|term| term * term).sum::<f64>(),
        };
        for (class, &z) in z.iter().enumerate() {
            let shifted = (z - maximum).abs();
            let terms = [shifted, at_zero + per_unit * shifted, total - z];
            let (mut variance, mut worst_case) = (0.0, 0.0);
            if let Some(error) = &logits.error {
                (variance, worst_case) = (error.variance[[image, class]], error.worst_case[[image, class]]);
            }
            let undecided = logits.error.as_ref().and_then(|error| error.undecided.as_ref());
            row.undecided.push(undecided.map_or(0.0, |undecided| undecided[[image, class]]));
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
        let (random, worst_case) = (LAMBDA * self.variances[class].sqrt(), self.worst_cases[class]);
        [random.min(worst_case) + self.undecided[class], worst_case + self.undecided[class]]
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
            let stretch = (2.0 * self.largest[0]).exp();
            let undecided = |(other, (&q, &undecided)): (usize, (&f64, &f64))| {
                undecided * if other == class { p * (1.0 - p) } else { p * q }
            };
            let undecided: f64 = self.probabilities.iter().zip(&self.undecided).enumerate().map(undecided).sum();
            (sum * stretch, undecided * stretch.sqrt())
        } else {
            (0.0, change(0))
        };
        ScalarError { variance: variance + rounding, worst_case: change(1) + classes * rounding.sqrt(), undecided }
    }

    /// Estimates the error of the image's loss, equation (8).
    fn loss_error(&self, targets: ArrayView1<'_, f64>) -> ScalarError {
        let classes = self.probabilities.len() as f64;
        let rounding =
            squared_roundoff(self.arithmetic) * (classes + 2.0 * self.loss * self.loss) + self.logarithm_rounding;
        let pairs = || self.probabilities.iter().zip(targets);
        let weighted = |values: &[f64]| values.iter().zip(targets).map(|(value, target)| value * target).sum::<f64>();
        let errors: Vec<f64> = (0..self.probabilities.len()).map(|class| self.exponent_error(class)[0]).collect();
        let (variance, undecided) = if self.largest[0] <= LINEAR_LIMIT {
            let variances = pairs().zip(&self.variances).map(|((p, t), variance)| (p - t).powi(2) * variance);
            let undecided = pairs().zip(&self.undecided).map(|((p, t), undecided)| (p - t).abs() * undecided);
            (variances.sum(), undecided.sum())
        } else {
            (0.0, weighted(&errors) + self.largest[0])
        };
        ScalarError {
            variance: variance + rounding,
            worst_case: weighted(&self.worst_cases) + self.largest[1] + (classes + 4.0) * rounding.sqrt(),
            undecided,
        }
    }
}
