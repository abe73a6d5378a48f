//! Expected logits, outputs, loss and gradients of one batch, and the error bounds of each element: equations (1) to (13)
//! of the [error model](crate::check#error-model), composed as the specification selects.
//!
//! The forward pass alternates products z = a·W + b, (1) to (5), with activations a = f(z), (6) and (7). The backward pass
//! multiplies δ by transposed weights, (11), and by f′, (12) and (13). The values themselves are the reference's; only the
//! errors are computed here.
//!
//! Limits: errors are propagated to first order. Where an activation function has a kink, that fails: a unit with a sum that
//! may lie on either side of the kink is undecided, and the whole difference between the sides is added to the bounds
//! downstream.

use std::borrow::Cow;

use mlp_parity::{Arithmetic, Batch, Layer, MlpConfig, Optimizer, Parameters, Result};
use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::{Passes, PropagatedWeight, Specification, TrainingBatch};
use ndarray::{Array2, Axis};

use super::activation::{Formulas, HiddenActivations};
use super::bounded_matrix::{BoundedMatrix, ErrorEstimate, squared_roundoff};
use super::losses::OutputLayer;
use super::output::output_layer;
use super::samples::{Draws, Propagation};

/// Expected logits, outputs, loss and gradients of one batch, with error estimates.
pub(in crate::check) struct Expected {
    /// The reference's gradients, without error estimates.
    pub(in crate::check) reference_gradients: Parameters<f64>,
    /// The logits, images × outputs.
    pub(in crate::check) logits: BoundedMatrix,
    /// The outputs of the network, images × outputs.
    pub(in crate::check) outputs: BoundedMatrix,
    /// The loss of the batch, a 1 × 1 matrix.
    pub(in crate::check) loss: BoundedMatrix,
    /// The gradients by tensor name, in the order of the parameters; a bias is a matrix of one row.
    pub(in crate::check) gradients: Vec<(String, BoundedMatrix)>,
    /// Undecided hidden units: units whose sum may lie on either side of a kink of the activation function.
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
    /// [`mlp_parity::Error::Shape`] if the parameters or the batch do not fit the specification.
    pub(in crate::check) fn new(
        specification: &Specification,
        parameters: &Parameters<f64>,
        batch: &TrainingBatch<f64>,
        arithmetic: &Arithmetic,
    ) -> Result<Self> {
        let reference = ReferenceMlp::with_specification(specification.clone(), parameters.clone())?;
        let passes = reference.passes(batch)?;
        let propagation = &mut Propagation::new(arithmetic);
        let network = Network { specification, parameters, batch, passes: &passes };
        let forward = network.forward(propagation);
        let OutputLayer { outputs, mut loss, delta } =
            output_layer(specification, &forward.logits, &batch.targets, &passes, propagation);
        network.add_penalty_error(&mut loss, arithmetic);
        let gradients = network.backward(&forward, delta, propagation);
        let gradients = parameters.tensors().map(|(name, _)| name).zip(gradients.into_iter().flatten()).collect();
        let Forward { logits, undecided, .. } = forward;
        Ok(Self { reference_gradients: passes.gradients, logits, outputs, loss, gradients, undecided })
    }

    /// Returns true if all expected values are finite. They are not if a factor of a product overflows when it is rounded.
    pub(in crate::check) fn is_finite(&self) -> bool {
        let are_finite = |values: &Array2<f64>| values.iter().all(|value| value.is_finite());
        let gradients = self.gradients.iter().all(|(_, gradient)| are_finite(&gradient.value));
        gradients && are_finite(&self.logits.value) && are_finite(&self.loss.value)
    }

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
    batch.check_fit(config.inputs(), config.classes())?;
    let expected = Expected::new(
        &Specification::new(config, &Optimizer::sgd()),
        &parameters.cast(),
        &TrainingBatch::new(&batch.cast(), config.classes()),
        &Arithmetic::SINGLE,
    )?;
    let largest = |values: &Array2<f64>| values.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let summary = |(name, gradient): (String, BoundedMatrix)| {
        let bound = gradient.error.map_or(0.0, |error| largest(&error.bound()));
        (name, largest(&gradient.value), bound)
    };
    Ok(expected.gradients.into_iter().map(summary).collect())
}

/// A network with a batch, and the results of the reference.
struct Network<'a> {
    specification: &'a Specification,
    parameters: &'a Parameters<f64>,
    batch: &'a TrainingBatch<f64>,
    passes: &'a Passes<f64>,
}

/// The results of the forward pass, with their errors.
struct Forward {
    /// The inputs of the layers, as they are multiplied by the weights.
    inputs: Vec<BoundedMatrix>,
    /// The weights, as they are multiplied.
    weights: Vec<BoundedMatrix>,
    /// The hidden layers.
    hidden: Vec<HiddenActivations>,
    logits: BoundedMatrix,
    undecided: Vec<HiddenUnit>,
}

impl Network<'_> {
    /// Propagates errors through the forward pass, equations (1) to (7).
    fn forward(&self, propagation: &mut Propagation) -> Forward {
        let Self { specification, parameters, batch, passes } = self;
        let factor = |matrix: BoundedMatrix| matrix.into_rounded(specification.products);
        let weight = |layer: &Layer<f64>| factor(BoundedMatrix::exact(layer.weight.clone()));
        let mut forward = Forward {
            inputs: vec![factor(BoundedMatrix::exact(batch.images.clone()))],
            weights: parameters.layers().iter().map(weight).collect(),
            hidden: Vec::new(),
            logits: BoundedMatrix::exact(Array2::zeros([0, 0])),
            undecided: Vec::new(),
        };
        for (index, layer) in parameters.layers().iter().enumerate() {
            let is_used = !specification.deviations.unused_biases.contains(&index);
            let bias = is_used.then_some(&layer.bias);
            let sums = forward.inputs[index].product(&forward.weights[index], bias, propagation, Draws::Keep);
            let Some(&function) = specification.activations.get(index) else {
                let value = &passes.sums[index];
                forward.logits = match specification.deviations.logits_function {
                    Some(function) => {
                        let formulas = Formulas { function, deviations: &specification.deviations, layer: index };
                        HiddenActivations::new(&formulas, &sums, value, propagation).0
                    }
                    None => BoundedMatrix { value: value.clone(), ..sums },
                };
                break;
            };
            let formulas = Formulas { function, deviations: &specification.deviations, layer: index };
            let (activation, hidden) =
                HiddenActivations::new(&formulas, &sums, &passes.activations[index], propagation);
            forward.undecided.extend(hidden.undecided.iter().map(|&(image, unit)| HiddenUnit {
                layer: index + 1,
                image,
                unit,
            }));
            let masked = match batch.mask(index) {
                Some(mask) => activation.masked(mask, propagation),
                None => activation,
            };
            forward.inputs.push(factor(masked));
            forward.hidden.push(hidden);
        }
        forward
    }

    /// Propagates errors through the backward pass, from the output layer down, equations (11) to (13). Returns the
    /// gradients of weight and bias for each layer, first layer first.
    fn backward(
        &self,
        forward: &Forward,
        mut delta: BoundedMatrix,
        propagation: &mut Propagation,
    ) -> Vec<[BoundedMatrix; 2]> {
        let Self { specification, batch, passes, .. } = self;
        let ones = BoundedMatrix::exact(Array2::ones([1, delta.value.nrows()]));
        let mut gradients = Vec::new();
        // ∂ℒ/∂A of the layer, from which its δ was computed.
        let mut by_activations = None;
        for index in (0..forward.inputs.len()).rev() {
            let reference = &passes.gradients.layers()[index];
            let deltas = specification.deviations.before_derivative(index);
            let deltas = deltas.map(|before| by_activations.as_ref().filter(|_| before).unwrap_or(&delta));
            let [of_weight, of_bias] = deltas.map(|delta| delta.rounded(specification.products));
            let weight = forward.inputs[index].transposed().product(&of_weight, None, propagation, Draws::Discard);
            let bias_value = reference.bias.clone().insert_axis(Axis(0));
            let bias = if specification.biases[index] {
                let terms = if specification.deviations.rounded_bias_gradients { &*of_bias } else { deltas[1] };
                ones.product(terms, None, propagation, Draws::Discard).error
            } else {
                Some(ErrorEstimate::zeros(bias_value.raw_dim()))
            };
            let propagated = self.propagated_weight(index, &forward.weights[index], &weight, propagation);
            gradients.push(self.deviating(
                [
                    BoundedMatrix { value: reference.weight.clone(), ..weight },
                    BoundedMatrix { value: bias_value, error: bias },
                ],
                index,
                propagation,
            ));
            if let Some(below) = index.checked_sub(1) {
                let factor = delta.rounded(specification.products);
                let mut sums = factor.product(&propagated.transposed(), None, propagation, Draws::Keep);
                if let Some(mask) = batch.mask(below).filter(|_| !specification.deviations.unmasked_delta) {
                    sums = sums.masked(mask, propagation);
                }
                let hidden = &forward.hidden[specification.deviations.derivative_layer(below)];
                delta = through_derivative(&sums, hidden, &passes.deltas[below], propagation);
                by_activations = Some(sums);
            }
        }
        gradients.reverse();
        gradients
    }

    /// Returns the weight that propagates δ down from a layer, given the weight and its gradient.
    fn propagated_weight<'a>(
        &self,
        layer: usize,
        weight: &'a BoundedMatrix,
        gradient: &BoundedMatrix,
        propagation: &Propagation,
    ) -> Cow<'a, BoundedMatrix> {
        match self.specification.deviations.propagated_weights.get(&layer) {
            None => Cow::Borrowed(weight),
            Some(PropagatedWeight::Transposed) => Cow::Owned(weight.transposed()),
            Some(PropagatedWeight::Given(other)) => {
                Cow::Owned(BoundedMatrix::exact(other.clone()).into_rounded(self.specification.products))
            }
            Some(&PropagatedWeight::Updated { learning_rate }) => {
                let change = gradient.scaled(learning_rate, propagation);
                let value = &weight.value - &change.value;
                let rounding = value.mapv(|value| (squared_roundoff(&propagation.arithmetic)) * value * value);
                let error = change.error.map(|error| ErrorEstimate {
                    variance: error.variance + &rounding,
                    worst_case: error.worst_case + rounding.mapv(f64::sqrt),
                    ..error
                });
                Cow::Owned(BoundedMatrix { value, error })
            }
        }
    }

    /// Applies the deviations of the gradients of weight and bias to their errors. The values have them already.
    fn deviating(
        &self,
        [weight, bias]: [BoundedMatrix; 2],
        layer: usize,
        propagation: &Propagation,
    ) -> [BoundedMatrix; 2] {
        let deviations = &self.specification.deviations;
        let mut errors = [weight.error, bias.error];
        if deviations.transposed_gradients.contains(&layer) {
            errors[0] = errors[0].take().map(|error| error.transposed());
        }
        if deviations.scalar_bias_gradients.contains(&layer) {
            errors[1] = errors[1].take().map(ErrorEstimate::of_sum);
        }
        let [weight_factor, bias_factor] = deviations.factors(layer);
        let scaled = |value: Array2<f64>, error: Option<ErrorEstimate>, factor: f64| {
            let error = match error {
                Some(error) if factor != 1.0 => Some(error.scaled(factor, &value, propagation)),
                error => error,
            };
            BoundedMatrix { value, error }
        };
        let [weight_error, bias_error] = errors;
        [scaled(weight.value, weight_error, weight_factor), scaled(bias.value, bias_error, bias_factor)]
    }

    /// Adds the rounding error of the penalty of weight decay to that of the loss.
    fn add_penalty_error(&self, loss: &mut BoundedMatrix, arithmetic: &Arithmetic) {
        let decay = self.specification.weight_decay;
        let Some(error) = loss.error.as_mut().filter(|_| decay.in_loss) else { return };
        let [mut squares, mut count] = [0.0; 2];
        for (name, values) in self.parameters.tensors() {
            if !(decay.weights_only && name.ends_with(".bias")) {
                squares += values.fold(0.0, |sum, value| sum + value * value);
                count += values.len() as f64;
            }
        }
        let penalty = 0.5 * decay.for_batch(self.batch.images.nrows()) * squares;
        // The running sums of positive terms grow linearly: Σ sₖ² is about n s²/3. The penalty is then scaled and added.
        error.variance +=
            squared_roundoff(arithmetic) * (penalty.powi(2) * (count / 3.0 + 4.0) + loss.value[[0, 0]].powi(2));
        error.worst_case += squared_roundoff(arithmetic).sqrt() * (penalty * (count + 4.0) + loss.value[[0, 0]].abs());
    }
}

/// Estimates the errors of δ = G ∘ f′, equations (12) and (13), the gradient with respect to a layer's sums. `sums` is
/// G, the gradient with respect to its activations, and `hidden` has f′. `value` is the reference's δ, which the
/// result contains unchanged.
fn through_derivative(
    sums: &BoundedMatrix,
    hidden: &HiddenActivations,
    value: &Array2<f64>,
    propagation: &mut Propagation,
) -> BoundedMatrix {
    let derivative = &hidden.derivative;
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
    // The derivative of an undecided unit may jump, so that part of its whole sum, with the sum's own error, may be in δ or
    // not. Undecided errors from the layer above pass at most with the largest slope.
    let jump = derivative_error.undecided.as_ref();
    let mut undecided = jump.map(|jump| (sums.value.mapv(f64::abs) + sums_error.rounding_bound()) * jump);
    if let Some(sums_error) = &sums_error.undecided {
        let change = sums_error * &hidden.largest_slope;
        undecided = Some(undecided.map_or_else(|| change.clone(), |sum| sum + &change));
    }
    let error = ErrorEstimate { variance, samples, worst_case, correlated, undecided };
    BoundedMatrix { value: value.clone(), error: Some(error) }
}
