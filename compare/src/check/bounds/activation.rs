//! Errors of activation functions and their derivatives: equations (6) and (7) of the [error
//! model](crate::check#error-model).
//!
//! The formulas of the reference are evaluated with [`Uncertain`] numbers of two inputs: the sum z, whose error is at most
//! h = min(λE(z), W(z)), and the activation a, whose own rounding error is ρ. The second input makes the error of a
//! derivative that is computed from a, such as a (1 − a), exact to first order.
//!
//! Limits: a function has no derivative at a kink, such as that of ReLU at 0. A unit whose sum may lie on either side of a
//! kink, or lies on it, is undecided: the jump of the derivative is added to the bounds downstream.

use mlp_parity_scratch::reference::{ActivationFunction, Deviations, Kink};
use ndarray::Array2;

use super::bounded_matrix::{BoundedMatrix, ErrorEstimate, nonzero};
use super::confidence::LAMBDA;
use super::samples::{Propagation, Samples};
use super::uncertain::{Rounding, Uncertain};

/// Index of the sum z among the inputs.
const SUM: usize = 0;

/// Index of the activation's own rounding error among the inputs.
const ACTIVATION: usize = 1;

/// The formulas of a hidden layer.
pub(super) struct Formulas<'a> {
    pub(super) function: ActivationFunction,
    pub(super) deviations: &'a Deviations,
    /// Index of the layer.
    pub(super) layer: usize,
}

/// The derivatives f′ of a hidden layer, with errors by equation (7). Matrices are images × units.
pub(super) struct HiddenActivations {
    pub(super) derivative: BoundedMatrix,
    /// The largest slope of f on either side of a kink, where a unit is undecided, else |f′|.
    pub(super) largest_slope: Array2<f64>,
    /// Indices (image, unit) of the undecided units, whose sum may lie on either side of a kink.
    pub(super) undecided: Vec<(usize, usize)>,
}

impl HiddenActivations {
    /// Estimates the errors of f(z), equation (6), and f′(z) for a matrix of sums. `value` are the activations of the
    /// reference, which are returned with their errors.
    pub(super) fn new(
        formulas: &Formulas<'_>,
        sums: &BoundedMatrix,
        value: &Array2<f64>,
        propagation: &mut Propagation,
    ) -> (BoundedMatrix, Self) {
        let shape = value.raw_dim();
        let rounding = Rounding::new(&propagation.arithmetic);
        let mut undecided = Vec::new();
        let [mut activation_undecided, mut derivative_undecided] = [(); 2].map(|()| Array2::zeros(shape));
        let (mut activation_error, mut derivative_error) = (ErrorEstimate::zeros(shape), ErrorEstimate::zeros(shape));
        let [mut derivative, mut largest_slope] = [(); 2].map(|()| Array2::zeros(shape));
        let [mut slope, mut curvature, mut sensitivity, mut activation_rounding, mut derivative_rounding] =
            [(); 5].map(|()| Array2::zeros(shape));
        let kinks = formulas.function.kinks();
        for (index, &z) in sums.value.indexed_iter() {
            let sum_error = sums.error.as_ref().map_or([0.0; 3], |error| {
                let undecided = error.undecided.as_ref().map_or(0.0, |undecided| undecided[index]);
                [error.variance[index], error.worst_case[index], undecided]
            });
            let element = Element::new(formulas, &kinks, z, sum_error, &rounding);
            (derivative[index], largest_slope[index]) = (element.derivative, element.largest_slope);
            [activation_error.variance[index], derivative_error.variance[index]] = element.variances;
            [activation_error.worst_case[index], derivative_error.worst_case[index]] = element.worst_cases;
            [slope[index], curvature[index], sensitivity[index]] = element.derivatives;
            [activation_rounding[index], derivative_rounding[index]] = element.rounding_variances;
            [activation_undecided[index], derivative_undecided[index]] = element.undecided;
            if element.is_undecided {
                undecided.push(index);
            }
        }
        if let Some(sums_error) = &sums.error {
            // The rounding error of f is drawn once, because a derivative that is computed from the activation is computed
            // from the same rounded one.
            let rounding = Samples::zeros(shape).with_noise(&activation_rounding, propagation);
            activation_error.samples =
                sums_error.samples.zip(&rounding, |sums_error, rounding| sums_error * &slope + rounding);
            let propagated = sums_error
                .samples
                .zip(&rounding, |sums_error, rounding| sums_error * &curvature + rounding * &sensitivity);
            derivative_error.samples = propagated.with_noise(&derivative_rounding, propagation);
        }
        activation_error.undecided = nonzero(activation_undecided);
        derivative_error.undecided = nonzero(derivative_undecided);
        let activation = BoundedMatrix { value: value.clone(), error: Some(activation_error) };
        let derivative = BoundedMatrix { value: derivative, error: Some(derivative_error) };
        (activation, Self { derivative, largest_slope, undecided })
    }
}

/// The error estimates of a = f(z) and of f′(z) for one unit in one image. Pairs belong to f and f′, in this order.
struct Element {
    derivative: f64,
    /// The largest |f′|, on either side of a kink if the unit is undecided.
    largest_slope: f64,
    /// E²: bounds on the error variances.
    variances: [f64; 2],
    /// W: worst-case error bounds.
    worst_cases: [f64; 2],
    /// f′, f″ and ∂f′/∂a, by which sampled errors of z and of a are multiplied.
    derivatives: [f64; 3],
    /// Variances of the rounding errors of the two formulas.
    rounding_variances: [f64; 2],
    /// D: errors that do not follow the linear model. That of the derivative includes the jump at a kink.
    undecided: [f64; 2],
    /// True if z may lie on either side of a kink.
    is_undecided: bool,
}

impl Element {
    fn new(
        formulas: &Formulas<'_>,
        kinks: &[Kink],
        z: f64,
        [variance, worst_case, undecided]: [f64; 3],
        rounding: &Rounding,
    ) -> Self {
        // h: the largest error of z.
        let error = (LAMBDA * variance.sqrt()).min(worst_case) + undecided;
        let sum = Uncertain::<[f64; 2]>::input(SUM, z, error, rounding);
        let mut activation = formulas.function.value(&sum);
        let own = activation.take_own_error(ACTIVATION);
        let derivative = formulas.deviations.derivative(formulas.layer, formulas.function, &sum, &activation);
        let [curvature, sensitivity] = derivative.gradient;
        let derivative_own =
            [derivative.variance + derivative.systematic.powi(2), derivative.worst_case + derivative.systematic];
        // An implementation may compute the derivative with one more rounding, in another form.
        let another = rounding.roundoff * derivative.value;
        let derivative_own = [derivative_own[0] + another.powi(2), derivative_own[1] + another.abs()];
        let (mut max_slope, mut largest_slope, mut jump) =
            (activation.gradient[SUM].abs(), derivative.value.abs(), 0.0);
        for kink in kinks.iter().filter(|kink| (z - kink.position).abs() <= error) {
            let steepest = kink.left.abs().max(kink.right.abs());
            (max_slope, largest_slope) = (max_slope.max(steepest), largest_slope.max(steepest));
            jump = f64::max(jump, (kink.right - kink.left).abs());
        }
        Self {
            derivative: derivative.value,
            largest_slope,
            variances: [
                max_slope.powi(2) * variance + own[0],
                curvature.powi(2) * variance + sensitivity.powi(2) * own[0] + derivative_own[0],
            ],
            worst_cases: [
                max_slope * worst_case + own[1],
                curvature.abs() * worst_case + sensitivity.abs() * own[1] + derivative_own[1],
            ],
            derivatives: [derivative.value, curvature, sensitivity],
            rounding_variances: [own[0], derivative_own[0]],
            undecided: [max_slope * undecided, curvature.abs() * undecided + jump],
            is_undecided: jump > 0.0,
        }
    }
}
