//! Expected logits, loss and gradients of one batch, and the error bounds of each element: equations (5) to (7) and
//! (11) to (13) of the [error model](crate::check#error-model).
//!
//! The forward pass alternates products z = a·W + b, (1) to (5), with activations a = f(z). Where z is known up to an
//! error of magnitude h = min(λE(z), W(z)), the mean value theorem bounds the errors of f and of f′ by the largest |f′|
//! and |f″| within h of z, (6) and (7). The backward pass multiplies δ by transposed weights, (11), and by f′, (12) and
//! (13). The values themselves are the reference's; only the errors are computed here.
//!
//! Limits: errors are propagated to first order. ReLU has no derivative at 0, where that fails: a unit with |z| ≤ h is
//! undecided, and the whole difference between its two sides is added to the bounds downstream.

use mlp_parity::{Activation, Arithmetic, Batch, MlpConfig, Parameters, Result};
use mlp_parity_scratch::{Passes, ReferenceMlp};
use ndarray::{Array2, Axis};

use super::bounded_matrix::{BoundedMatrix, ErrorEstimate, squared_roundoff};
use super::confidence::LAMBDA;
use super::samples::{Draws, Propagation, Samples};
use super::softmax::{self, CrossEntropy};

/// Expected logits, loss and gradients of one batch, with error estimates.
pub(in crate::check) struct Expected {
    /// The reference's gradients, without error estimates.
    pub(in crate::check) reference_gradients: Parameters<f64>,
    /// The logits, images × classes.
    pub(in crate::check) logits: BoundedMatrix,
    /// The mean loss of the batch, a 1 × 1 matrix.
    pub(in crate::check) loss: BoundedMatrix,
    /// The gradients by tensor name, in the order of the parameters; a bias is a matrix of one row.
    pub(in crate::check) gradients: Vec<(String, BoundedMatrix)>,
    /// Undecided hidden units: ReLU units whose input may have either sign after rounding.
    pub(in crate::check) undecided: Vec<HiddenUnit>,
}

/// A hidden unit, evaluated for one image of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HiddenUnit {
    /// The number of the hidden layer, counted from 1.
    pub layer: usize,
    /// The index of the image in the batch.
    pub image: usize,
    /// The index of the unit in its layer.
    pub unit: usize,
}

impl Expected {
    /// Computes the reference's results for `batch`, and estimates the errors that `arithmetic` may cause in them.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] or [`mlp_parity::Error::Data`] if the parameters or the batch do not fit the
    /// network.
    pub(in crate::check) fn new(
        config: &MlpConfig,
        parameters: &Parameters<f64>,
        batch: &Batch<f64>,
        arithmetic: &Arithmetic,
    ) -> Result<Self> {
        let reference = ReferenceMlp::new(config.clone(), parameters.clone())?;
        let passes = reference.passes(batch)?;
        let layers = parameters.layers();
        let weights: Vec<BoundedMatrix> =
            layers.iter().map(|layer| BoundedMatrix::exact(layer.weight.clone())).collect();
        let propagation = &mut Propagation::new(arithmetic);
        let mut inputs = vec![BoundedMatrix::exact(batch.images().to_owned())];
        let mut derivatives = Vec::new();
        let mut undecided = Vec::new();
        for (index, layer) in layers.iter().enumerate() {
            let sums = inputs[index].product(&weights[index], Some(&layer.bias), propagation, Draws::Keep);
            if index + 1 == layers.len() {
                inputs.push(BoundedMatrix { value: passes.activations[index].clone(), ..sums });
                continue;
            }
            let hidden = HiddenActivations::new(config.activation(), &sums, &passes.activations[index], propagation);
            undecided.extend(hidden.undecided.iter().map(|&(image, unit)| HiddenUnit {
                layer: index + 1,
                image,
                unit,
            }));
            derivatives.push(hidden.derivative);
            inputs.push(hidden.activation);
        }
        let logits = inputs.pop().unwrap_or_else(|| BoundedMatrix::exact(Array2::zeros([0, 0])));
        let CrossEntropy { loss, delta } = softmax::cross_entropy(&logits, batch.labels(), &passes, propagation);
        let gradients = backward(&passes, &inputs, &weights, &derivatives, delta, propagation);
        let gradients = parameters.tensors().map(|(name, _)| name).zip(gradients.into_iter().flatten()).collect();
        Ok(Self { reference_gradients: passes.gradients, logits, loss, gradients, undecided })
    }
}

impl Expected {
    /// Returns true if neither the logits nor the squares of the gradients, which Adam computes, overflow in
    /// `arithmetic`. If they overflow, errors have no bound.
    pub(in crate::check) fn is_representable(&self, arithmetic: &Arithmetic) -> bool {
        let limit = arithmetic.overflow.sqrt();
        let fits = |values: &Array2<f64>| values.iter().all(|value| value.abs() <= limit);
        fits(&self.logits.value) && self.gradients.iter().all(|(_, gradient)| fits(&gradient.value))
    }
}

/// Returns the name of each gradient tensor, its largest magnitude, and the largest error bound of its elements in
/// single precision. The ratio of bound to magnitude shows how small an error the checks can detect on this batch.
///
/// # Errors
///
/// [`mlp_parity::Error::Shape`] or [`mlp_parity::Error::Data`] if the parameters or the batch do not fit the network.
pub fn gradient_error_bounds(
    config: &MlpConfig,
    parameters: &Parameters<f32>,
    batch: &Batch<f32>,
) -> Result<Vec<(String, f64, f64)>> {
    let expected = Expected::new(config, &parameters.cast(), &batch.cast(), &Arithmetic::SINGLE)?;
    let largest = |values: &Array2<f64>| values.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let summary = |(name, gradient): (String, BoundedMatrix)| {
        let bound = gradient.error.map_or(0.0, |error| largest(&error.bound()));
        (name, largest(&gradient.value), bound)
    };
    Ok(expected.gradients.into_iter().map(summary).collect())
}

/// Propagates errors through the backward pass, from the output layer down, equations (11) to (13). Returns the
/// gradients of weight and bias for each layer, first layer first.
fn backward(
    passes: &Passes<f64>,
    inputs: &[BoundedMatrix],
    weights: &[BoundedMatrix],
    derivatives: &[BoundedMatrix],
    mut delta: BoundedMatrix,
    propagation: &mut Propagation,
) -> Vec<[BoundedMatrix; 2]> {
    let ones = BoundedMatrix::exact(Array2::ones([1, delta.value.nrows()]));
    let mut gradients = Vec::new();
    for index in (0..inputs.len()).rev() {
        let reference = &passes.gradients.layers()[index];
        let weight = inputs[index].transposed().product(&delta, None, propagation, Draws::Discard);
        let bias = ones.product(&delta, None, propagation, Draws::Discard);
        gradients.push([
            BoundedMatrix { value: reference.weight.clone(), ..weight },
            BoundedMatrix { value: reference.bias.clone().insert_axis(Axis(0)), ..bias },
        ]);
        if let Some(below) = index.checked_sub(1) {
            let sums = delta.product(&weights[index].transposed(), None, propagation, Draws::Keep);
            delta = through_derivative(&sums, &derivatives[below], &passes.deltas[below], propagation);
        }
    }
    gradients.reverse();
    gradients
}

/// Estimates the errors of δ = G ∘ f′, equations (12) and (13), the gradient with respect to a layer's sums. `sums` is
/// G, the gradient with respect to its activations, and `derivative` is f′. `value` is the reference's δ, which the
/// result contains unchanged.
fn through_derivative(
    sums: &BoundedMatrix,
    derivative: &BoundedMatrix,
    value: &Array2<f64>,
    propagation: &mut Propagation,
) -> BoundedMatrix {
    let arithmetic = propagation.arithmetic;
    let squared_roundoff = squared_roundoff(&arithmetic);
    let roundoff = squared_roundoff.sqrt();
    let (Some(sums_error), Some(derivative_error)) = (&sums.error, &derivative.error) else {
        return BoundedMatrix::exact(value.clone());
    };
    let mut variance = squared_roundoff * value * value + arithmetic.underflow.powi(2);
    let mut worst_case = roundoff * value.mapv(f64::abs) + arithmetic.underflow;
    // The product rule: d(G f′) = f′ dG + G df′.
    let propagated = sums_error.samples.zip(&derivative_error.samples, |sums_error, derivative_error| {
        sums_error * &derivative.value + derivative_error * &sums.value
    });
    let samples = propagated.with_noise(&variance, propagation);
    let slope = derivative.value.mapv(f64::abs);
    variance += &(&sums_error.variance * &slope * &slope);
    variance += &(&sums.value * &sums.value * &derivative_error.variance);
    worst_case += &(&sums_error.worst_case * &slope);
    worst_case += &(sums.value.mapv(f64::abs) * &derivative_error.worst_case);
    let correlated = sums_error.correlated.as_ref().map(|correlated| correlated * &slope * &slope);
    // The derivative of an undecided unit may be 0 or 1, so its whole sum, with the sum's own error, may be in δ or
    // not.
    let mut undecided = derivative_error
        .undecided
        .as_ref()
        .map(|is_undecided| (sums.value.mapv(f64::abs) + sums_error.rounding_bound()) * is_undecided);
    // Undecided errors from the layer above pass if the derivative is, or may be, different from 0.
    if let Some(sums_error) = &sums_error.undecided {
        let largest_slope =
            derivative_error.undecided.as_ref().map_or_else(|| slope.clone(), |is_undecided| is_undecided + &slope);
        let change = sums_error * &largest_slope.mapv(|slope| slope.min(1.0));
        undecided = Some(undecided.map_or_else(|| change.clone(), |sum| sum + &change));
    }
    let error = ErrorEstimate { variance, samples, worst_case, correlated, undecided };
    BoundedMatrix { value: value.clone(), error: Some(error) }
}

/// The activations of a hidden layer and the derivatives f′ there, with errors by equations (6) and (7). Both matrices
/// are images × units.
struct HiddenActivations {
    activation: BoundedMatrix,
    derivative: BoundedMatrix,
    /// Indices (image, unit) of the undecided ReLU units, whose input may have either sign after rounding.
    undecided: Vec<(usize, usize)>,
}

impl HiddenActivations {
    fn new(function: Activation, sums: &BoundedMatrix, value: &Array2<f64>, propagation: &mut Propagation) -> Self {
        let shape = value.raw_dim();
        let mut hidden = Self {
            activation: BoundedMatrix { value: value.clone(), error: None },
            derivative: BoundedMatrix { value: Array2::zeros(shape), error: None },
            undecided: Vec::new(),
        };
        let (mut activation_error, mut derivative_error) = (ErrorEstimate::zeros(shape), ErrorEstimate::zeros(shape));
        let [mut curvature, mut sensitivity, mut activation_rounding, mut derivative_rounding] =
            [(); 4].map(|()| Array2::zeros(shape));
        if let Some(sums_error) = &sums.error {
            for ((index, &z), &a) in sums.value.indexed_iter().zip(value) {
                let element = ElementEstimate::new(
                    function,
                    z,
                    a,
                    [sums_error.variance[index], sums_error.worst_case[index]],
                    &propagation.arithmetic,
                );
                hidden.derivative.value[index] = element.derivative;
                [activation_error.variance[index], derivative_error.variance[index]] = element.variances;
                [activation_error.worst_case[index], derivative_error.worst_case[index]] = element.worst_case;
                (curvature[index], sensitivity[index]) = (element.curvature, element.sensitivity);
                activation_rounding[index] = element.activation_rounding.powi(2);
                derivative_rounding[index] = element.derivative_rounding.powi(2);
                if element.undecided {
                    hidden.undecided.push(index);
                }
            }
            // The rounding error of f is drawn once, because the derivative is computed from the same rounded
            // activation.
            let rounding = Samples::zeros(shape).with_noise(&activation_rounding, propagation);
            let slope = &hidden.derivative.value;
            activation_error.samples =
                sums_error.samples.zip(&rounding, |sums_error, rounding| sums_error * slope + rounding);
            let propagated = sums_error
                .samples
                .zip(&rounding, |sums_error, rounding| sums_error * &curvature + rounding * &sensitivity);
            derivative_error.samples = propagated.with_noise(&derivative_rounding, propagation);
        }
        if !hidden.undecided.is_empty() {
            // ReLU's derivative may be off by 1 at these units.
            let mut is_undecided = Array2::zeros(shape);
            hidden.undecided.iter().for_each(|&index| is_undecided[index] = 1.0);
            derivative_error.undecided = Some(is_undecided);
        }
        hidden.activation.error = Some(activation_error);
        hidden.derivative.error = Some(derivative_error);
        hidden
    }
}

/// The error estimates of a = f(z) and of f′(z) for one unit in one image.
struct ElementEstimate {
    /// f′(z), from the reference's activation.
    derivative: f64,
    /// E², the bounds on the error variances, of the activation and of the derivative.
    variances: [f64; 2],
    /// W, the worst-case error bounds, of the activation and of the derivative.
    worst_case: [f64; 2],
    /// f″(z): how the derivative changes with z.
    curvature: f64,
    /// ∂f′/∂a: how the derivative, which is computed from a, changes with a.
    sensitivity: f64,
    /// ρ: rounding error of the evaluation of f.
    activation_rounding: f64,
    /// Rounding error of the computation of f′ from a.
    derivative_rounding: f64,
    /// True for a ReLU unit if z may have either sign within its error.
    undecided: bool,
}

impl ElementEstimate {
    fn new(function: Activation, z: f64, a: f64, [variance, worst_case]: [f64; 2], arithmetic: &Arithmetic) -> Self {
        // h: the largest error of z.
        let error = (LAMBDA * variance.sqrt()).min(worst_case);
        if function == Activation::Relu {
            let undecided = z.abs() <= error && error > 0.0;
            let may_be_active = z > 0.0 || undecided;
            let activation_error = if may_be_active { [variance, worst_case] } else { [0.0, 0.0] };
            return Self {
                derivative: f64::from(u8::from(z > 0.0)),
                variances: [activation_error[0], 0.0],
                worst_case: [activation_error[1], 0.0],
                curvature: 0.0,
                sensitivity: 0.0,
                activation_rounding: 0.0,
                derivative_rounding: 0.0,
                undecided,
            };
        }
        // The slope |f′| falls with |z|, so its maximum within h of z is at the point nearest to 0. The curvature |f″|
        // is |f′| times |∂f′/∂a|, whose maximum is bounded separately.
        let nearest = (z.abs() - error).max(0.0);
        let roundoff = squared_roundoff(arithmetic).sqrt();
        let [derivative, max_slope, max_curvature, rounding, sensitivity] = if function == Activation::Sigmoid {
            let slope = |z: f64| (-z.abs()).exp() / (1.0 + (-z.abs()).exp()).powi(2);
            let [relative, per_logarithm] = arithmetic.sigmoid;
            let logarithm = if a > 0.0 { -a.ln() } else { z.abs() };
            let rounding = roundoff * a * (relative + per_logarithm * logarithm) + arithmetic.underflow;
            let max_curvature = slope(nearest) * ((1.0 - 2.0 * a).abs() + error / 2.0).min(1.0);
            [a * (1.0 - a), slope(nearest), max_curvature, rounding, 1.0 - 2.0 * a]
        } else {
            let slope = |z: f64| z.cosh().powi(-2);
            let [relative, absolute] = arithmetic.tanh;
            let rounding = roundoff * (a.abs() * relative + absolute) + arithmetic.underflow;
            [1.0 - a * a, slope(nearest), 2.0 * slope(nearest) * (a.abs() + error).min(1.0), rounding, -2.0 * a]
        };
        // f′ is computed from the rounded activation, by a product and a difference.
        let derivative_rounding = roundoff * (2.0 * derivative + a * a);
        Self {
            derivative,
            variances: [
                max_slope.powi(2) * variance + rounding * rounding,
                max_curvature.powi(2) * variance
                    + (sensitivity * rounding).powi(2)
                    + derivative_rounding * derivative_rounding,
            ],
            worst_case: [
                max_slope * worst_case + rounding,
                max_curvature * worst_case + sensitivity.abs() * rounding + derivative_rounding,
            ],
            curvature: sensitivity * derivative,
            sensitivity,
            activation_rounding: rounding,
            derivative_rounding,
            undecided: false,
        }
    }
}
