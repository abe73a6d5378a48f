//! Errors of the outputs of a network, of its loss, and of δ of the output layer.
//!
//! Softmax with cross-entropy has rules of its own, in [`softmax`]. For the other losses, the formula of the reference is
//! evaluated for each image with [`Uncertain`] numbers, whose inputs are the sums z of the output layer, and then the outputs
//! a with their own rounding errors ρ(a). With the rounding error ρ of the rest of the formula,
//!
//! ```text
//! E²(δⱼ) = Σₖ (∂δⱼ/∂zₖ)² E²(zₖ) + Σₖ (∂δⱼ/∂aₖ)² ρ(aₖ)² + ρ²,   and likewise for the loss
//! ```

use mlp_parity::Arithmetic;
use mlp_parity_scratch::reference::{
    LogarithmGuard, LossFunction, OutputFunction, Passes, SoftmaxGroup, Specification,
};
use ndarray::Array2;

use super::bounded_matrix::{BoundedMatrix, ErrorEstimate, nonzero, squared_roundoff};
use super::confidence::LAMBDA;
use super::losses::{OutputLayer, ScalarError, SumOfLosses};
use super::samples::{Propagation, Samples};
use super::softmax;
use super::uncertain::{Rounding, Uncertain};

/// Ratio of the [correlated error](ErrorEstimate::correlated) of δ to the standard deviation of its own rounding errors.
const CORRELATED_DEVIATIONS: f64 = 2.0;

/// Estimates the errors of the output layer. `logits` are its sums with their errors. The values come from `passes`, the
/// results of the reference.
pub(super) fn output_layer(
    specification: &Specification,
    logits: &BoundedMatrix,
    targets: &Array2<f64>,
    passes: &Passes<f64>,
    propagation: &mut Propagation,
) -> OutputLayer {
    let [images, outputs] = [logits.value.nrows(), logits.value.ncols()];
    let Specification { loss, deviations, .. } = specification;
    match loss.function {
        LossFunction::CrossEntropy { guard, .. }
            if !guard.is_in_gradient()
                && deviations.output_delta.is_none()
                && !deviations.logits_derivative
                && deviations.output.is_none()
                && deviations.softmax_group == SoftmaxGroup::Image =>
        {
            let factor = loss.reduction.factor(images, outputs);
            let layer = softmax::cross_entropy(logits, &smoothed(loss.function, targets), factor, passes, propagation);
            if guard == LogarithmGuard::None && deviations.reported_loss.is_none() {
                return layer;
            }
            OutputLayer { loss: by_formula(specification, logits, targets, passes, propagation).loss, ..layer }
        }
        _ => by_formula(specification, logits, targets, passes, propagation),
    }
}

/// Estimates the errors by evaluating the formula of the reference for each image, or for each group of sums that softmax
/// normalizes together.
fn by_formula(
    specification: &Specification,
    logits: &BoundedMatrix,
    targets: &Array2<f64>,
    passes: &Passes<f64>,
    propagation: &mut Propagation,
) -> OutputLayer {
    let [images, outputs] = [logits.value.nrows(), logits.value.ncols()];
    let group = specification.deviations.softmax_group;
    let logits = shifted(logits, group, propagation).rearranged(|matrix| group.grouped(matrix));
    let factor = specification.loss.reduction.factor(images, outputs);
    let FormulaErrors { outputs: output_error, delta: delta_error, losses } =
        FormulaErrors::new(specification, &logits, &group.grouped(targets), factor, propagation);
    let ungrouped = |error: ErrorEstimate| Some(error.rearranged(|matrix| group.ungrouped(matrix, images)));
    let delta = passes.deltas.last().cloned().unwrap_or_else(|| Array2::zeros([images, outputs]));
    OutputLayer {
        outputs: BoundedMatrix { value: passes.outputs.clone(), error: ungrouped(output_error) },
        loss: losses.reduced(
            passes.loss,
            specification.reported_loss().total_factor(images, outputs),
            squared_roundoff(&propagation.arithmetic),
        ),
        delta: BoundedMatrix { value: delta, error: ungrouped(delta_error) },
    }
}

/// Subtracts one sum of each image from the others, if the group is of such sums.
fn shifted(logits: &BoundedMatrix, group: SoftmaxGroup, propagation: &Propagation) -> BoundedMatrix {
    let mut shifted = logits.clone();
    let squared_roundoff = squared_roundoff(&propagation.arithmetic);
    for (image, sums) in logits.value.rows().into_iter().enumerate() {
        let Some(index) = group.subtracted(sums) else { continue };
        // The difference of two sums has the errors of both.
        let subtract = |matrix: &mut Array2<f64>, sign: f64| {
            let subtracted = sign * matrix[[image, index]];
            matrix.row_mut(image).mapv_inplace(|value| value + subtracted);
        };
        subtract(&mut shifted.value, -1.0);
        let Some(error) = &mut shifted.error else { continue };
        subtract(&mut error.variance, 1.0);
        subtract(&mut error.worst_case, 1.0);
        error.undecided.iter_mut().for_each(|undecided| subtract(undecided, 1.0));
        let rounding = shifted.value.row(image).mapv(|value| squared_roundoff * value * value);
        error.variance.row_mut(image).zip_mut_with(&rounding, |variance, rounding| *variance += rounding);
        error.worst_case.row_mut(image).zip_mut_with(&rounding, |error, rounding| *error += rounding.sqrt());
        error.samples = error.samples.map(|draw| {
            let mut draw = draw.clone();
            subtract(&mut draw, -1.0);
            draw
        });
    }
    shifted
}

/// The errors of outputs and δ, and the losses of the images.
struct FormulaErrors {
    outputs: ErrorEstimate,
    delta: ErrorEstimate,
    losses: SumOfLosses,
}

impl FormulaErrors {
    /// Evaluates the formula for each row of the logits. `factor` is that of δ.
    fn new(
        specification: &Specification,
        logits: &BoundedMatrix,
        targets: &Array2<f64>,
        factor: f64,
        propagation: &mut Propagation,
    ) -> Self {
        let shape = logits.value.raw_dim();
        let (function, reported) = (specification.loss.function, specification.reported_loss());
        let reported_targets = smoothed(reported.loss.function, targets);
        let targets = smoothed(function, targets);
        let rounding = Rounding::new(&propagation.arithmetic);
        let [mut output_error, mut delta_error] = [(); 2].map(|()| ErrorEstimate::zeros(shape));
        let mut own_rounding = Array2::zeros(shape);
        let [mut undecided, mut output_undecided] = [(); 2].map(|()| Array2::zeros(shape));
        let mut losses = SumOfLosses::default();
        let mut jacobians = Vec::new();
        for image in 0..shape[0] {
            let mut row = ImageErrors::new(logits, image, &rounding.arithmetic);
            let sums: Vec<_> = (0..shape[1]).map(|output| row.sum(output, logits, &rounding)).collect();
            let mut outputs = specification.deviations.output(function).outputs(&sums);
            for (output, a) in outputs.iter_mut().enumerate() {
                row.error(a).store(&mut output_error, &mut output_undecided, [image, output]);
                row.own_rounding.push(a.take_own_error(shape[1] + output));
            }
            let targets = targets.row(image).to_vec();
            let reported_targets = reported_targets.row(image).to_vec();
            let by_outputs = reported.loss.function.loss_by_outputs(&outputs, &reported_targets);
            let by_sums = reported.loss_by_sums(specification.deviations.output(function), &sums, &reported_targets);
            let (loss, error) = row.loss(by_outputs, by_sums);
            losses.add(loss, &error);
            let delta = specification.deviations.delta(function, &sums, &outputs, &targets);
            // The limit 1 − ε is rounded, and so is the argument 1 − a of the second logarithm.
            let is_at_limit =
                outputs.iter().any(|a| function.is_at_limit(a.value, a.radius() + 2.0 * rounding.roundoff));
            for (output, delta) in delta.iter().enumerate() {
                let at = [image, output];
                let (mut error, own) = row.delta(delta, factor, &rounding);
                own_rounding[at] = own;
                if delta.indeterminate || is_at_limit {
                    error.undecided = largest_delta(function);
                }
                error.store(&mut delta_error, &mut undecided, at);
            }
            jacobians.push(delta.into_iter().map(|delta| delta.gradient).collect::<Vec<_>>());
        }
        delta_error.samples = delta_samples(logits, &jacobians, factor).with_noise(&own_rounding, propagation);
        delta_error.correlated = Some(own_rounding * CORRELATED_DEVIATIONS.powi(2));
        delta_error.undecided = nonzero(undecided * factor);
        output_error.undecided = nonzero(output_undecided);
        Self { outputs: output_error, delta: delta_error, losses }
    }
}

/// Returns the targets of all images with label smoothing.
fn smoothed(function: LossFunction, targets: &Array2<f64>) -> Array2<f64> {
    let mut smoothed = targets.clone();
    for mut row in smoothed.rows_mut() {
        let targets = function.smoothed(row.iter().copied());
        row.iter_mut().zip(targets).for_each(|(target, smoothed)| *target = smoothed);
    }
    smoothed
}

/// Propagates sampled errors of the logits to δ by the derivatives ∂δⱼ/∂zₖ of each image.
fn delta_samples(logits: &BoundedMatrix, jacobians: &[Vec<Vec<f64>>], factor: f64) -> Samples {
    let shape = logits.value.raw_dim();
    let samples = logits.error.as_ref().map(|error| error.samples.clone());
    samples.unwrap_or_else(|| Samples::zeros(shape)).map(|errors| {
        Array2::from_shape_fn(shape, |(image, output)| {
            let derivatives = jacobians[image][output].iter().zip(errors.row(image));
            factor * derivatives.map(|(derivative, error)| derivative * error).sum::<f64>()
        })
    })
}

/// Returns the largest possible |δ| of an output, which bounds its error if the formula is indeterminate.
fn largest_delta(function: LossFunction) -> f64 {
    match function {
        LossFunction::SquaredError { output: OutputFunction::Softmax | OutputFunction::Sigmoid, factor } => factor,
        LossFunction::SquaredError { .. } => f64::INFINITY,
        LossFunction::CrossEntropy { .. } | LossFunction::BinaryCrossEntropy { .. } => 1.0,
    }
}

/// The errors of the sums of one image.
struct ImageErrors<'a> {
    error: Option<&'a ErrorEstimate>,
    image: usize,
    /// The smallest normal number of the candidate's precision.
    underflow: f64,
    /// Variance and worst case of the rounding errors of the outputs.
    own_rounding: Vec<[f64; 2]>,
}

impl<'a> ImageErrors<'a> {
    fn new(logits: &'a BoundedMatrix, image: usize, arithmetic: &Arithmetic) -> Self {
        let underflow = arithmetic.underflow;
        Self { error: logits.error.as_ref(), image, underflow, own_rounding: Vec::new() }
    }

    /// Returns variance, worst case and undecided error of an input of the formula: of a sum, or of the rounding of an output.
    fn of(&self, input: usize, outputs: usize) -> [f64; 3] {
        if let Some(output) = input.checked_sub(outputs) {
            let [variance, worst_case] = self.own_rounding.get(output).copied().unwrap_or_default();
            return [variance, worst_case, 0.0];
        }
        let Some(error) = self.error else { return [0.0; 3] };
        let at = [self.image, input];
        let undecided = error.undecided.as_ref().map_or(0.0, |undecided| undecided[at]);
        [error.variance[at], error.worst_case[at], undecided]
    }

    /// Returns the number of outputs.
    fn outputs(&self) -> usize {
        self.error.map_or(self.own_rounding.len(), |error| error.variance.ncols())
    }

    /// Returns the variance of the rounding errors of outputs and formula.
    fn own_variance(&self, result: &Uncertain<'_, Vec<f64>>) -> f64 {
        let derivatives = result.gradient.iter().skip(self.outputs()).zip(&self.own_rounding);
        let by_outputs: f64 = derivatives.map(|(derivative, own)| derivative * derivative * own[0]).sum();
        by_outputs + result.variance + result.systematic.powi(2)
    }

    /// Returns the error of factor · δ, with δ's undecided part unscaled, and the variance of its own rounding errors. The factor
    /// is rounded, and so is the product.
    fn delta(&self, delta: &Uncertain<'_, Vec<f64>>, factor: f64, rounding: &Rounding) -> (ScalarError, f64) {
        let error = self.error(delta);
        let scaling = (2.0 * rounding.roundoff * delta.value).powi(2);
        let scaled = ScalarError {
            variance: factor * factor * (error.variance + scaling),
            worst_case: factor * (error.worst_case + scaling.sqrt()),
            undecided: error.undecided,
        };
        (scaled, factor * factor * (self.own_variance(delta) + scaling))
    }

    /// Returns the loss and its error. A program may compute it from z or from the outputs, which may lose most digits of
    /// 1 − a.
    fn loss(
        &self,
        by_outputs: Option<Uncertain<'_, Vec<f64>>>,
        by_sums: Option<Uncertain<'_, Vec<f64>>>,
    ) -> (f64, ScalarError) {
        let mut error = ScalarError::default();
        by_outputs.iter().chain(&by_sums).for_each(|loss| error.add(&self.error(loss)));
        (by_sums.or(by_outputs).map_or(0.0, |loss| loss.value), error)
    }

    /// Returns a sum as an input of the formula, with a bound on its whole error.
    fn sum<'b>(&self, output: usize, logits: &BoundedMatrix, rounding: &'b Rounding) -> Uncertain<'b, Vec<f64>> {
        let [variance, worst_case, undecided] = self.of(output, self.outputs());
        let radius = (LAMBDA * variance.sqrt()).min(worst_case) + undecided;
        Uncertain::input(output, logits.value[[self.image, output]], radius, rounding)
    }

    /// Returns the error of a result of the formula.
    fn error(&self, result: &Uncertain<'_, Vec<f64>>) -> ScalarError {
        if result.indeterminate {
            // The argument of a logarithm may be any positive number.
            let largest = -self.underflow.ln();
            return ScalarError { undecided: largest * self.outputs() as f64, ..ScalarError::default() };
        }
        let mut error = ScalarError {
            variance: result.variance + result.systematic.powi(2),
            worst_case: result.worst_case + result.systematic,
            undecided: 0.0,
        };
        for (input, derivative) in result.gradient.iter().enumerate() {
            let [variance, worst_case, undecided] = self.of(input, self.outputs());
            error.variance += derivative * derivative * variance;
            error.worst_case += derivative.abs() * worst_case;
            error.undecided += derivative.abs() * undecided;
        }
        error
    }
}
