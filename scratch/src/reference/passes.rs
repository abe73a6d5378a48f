//! The forward pass, the loss and the backward pass of a [`ReferenceMlp`]: equations (1) to (7).

use mlp_parity::{Error, Layer, Parameters, Result, Scalar};
use ndarray::{Array2, ArrayView2, Axis, Zip};

use super::batch::TrainingBatch;
use super::mlp::ReferenceMlp;
use super::precision::ProductPrecision;
use super::specification::Specification;
use crate::fast::kernels;

/// All values that the forward and backward passes compute on one batch, in the notation of the [crate
/// documentation](crate).
#[derive(Clone, Debug)]
pub struct Passes<F> {
    /// The inputs A⁰ … Aᴸ⁻¹ of the layers, each `[images, width of the layer below]`: the images, then the activations of
    /// the hidden layers, multiplied by their dropout masks.
    pub inputs: Vec<Array2<F>>,
    /// The sums Z¹ … Zᴸ, each `[images, width of the layer]`. The sums Zᴸ of the output layer are the logits.
    pub sums: Vec<Array2<F>>,
    /// The activations f(Z¹) … f(Zᴸ⁻¹) of the hidden layers, before dropout.
    pub activations: Vec<Array2<F>>,
    /// The outputs of the network, `[images, outputs]`: softmax, sigmoid or identity of Zᴸ.
    pub outputs: Array2<F>,
    /// Derivatives δˡ = ∂ℒ/∂Zˡ for the layers 1 … L, each `[images, width of the layer]`, without the penalty of weight
    /// decay.
    pub deltas: Vec<Array2<F>>,
    /// Loss ℒ of the batch, with the penalty of weight decay if the specification has it in the loss.
    pub loss: F,
    /// Gradients ∂ℒ/∂Wˡ and ∂ℒ/∂bˡ of every layer, without weight decay.
    pub gradients: Parameters<F>,
}

impl<F: Scalar> ReferenceMlp<F> {
    /// Computes the forward pass, the loss and the backward pass of a batch, equations (1) to (7), and returns all
    /// intermediate results.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if images, targets or masks do not have the shapes of the network's layers.
    pub fn passes(&self, batch: &TrainingBatch<F>) -> Result<Passes<F>> {
        self.check_batch(batch)?;
        let Forward { inputs, sums, activations } = self.forward(batch);
        let (layers, deviations) = (self.parameters.layers(), &self.specification.deviations);
        let OutputLayer { outputs, loss, delta } = self.output_layer(&sums[layers.len() - 1], batch);
        let mut deltas = vec![delta];
        // ∂ℒ/∂A of the layer, from which its δ was computed.
        let mut by_activations = Array2::zeros([0, 0]);
        let mut gradients = self.parameters.map(|_| F::zero());
        for index in (0..layers.len()).rev() {
            let delta = &deltas[deltas.len() - 1];
            // Equations (5) and (6).
            let factors = deviations
                .before_derivative(index)
                .map(|before| if before { by_activations.view() } else { delta.view() });
            let gradient = affine_gradients(self.specification.products, inputs[index].view(), factors);
            let layer = &mut gradients.layers_mut()[index];
            let products = self.specification.products;
            let rounded = |value: F| F::from_f64(products.round(value.into()));
            let gradient = match deviations.rounded_bias_gradients {
                true => Layer { bias: factors[1].mapv(rounded).sum_axis(Axis(0)), ..gradient },
                false => gradient,
            };
            layer.weight = gradient.weight;
            if self.specification.biases[index] {
                layer.bias = gradient.bias;
            }
            // Before the factors of the gradient, which its update gets.
            let propagated = deviations.propagated_weight(index, &layers[index].weight, &layer.weight);
            deviations.apply(index, layer);
            // Equation (7).
            if let Some(below) = index.checked_sub(1) {
                let mut delta = product(self.specification.products, delta.view(), propagated.t());
                if let Some(mask) = batch.mask(below).filter(|_| !deviations.unmasked_delta) {
                    delta *= mask;
                }
                if deviations.before_derivative(below).contains(&true) {
                    by_activations.clone_from(&delta);
                }
                let source = deviations.derivative_layer(below);
                let function = self.specification.activations[source];
                Zip::from(&mut delta).and(&sums[source]).and(&activations[source]).for_each(|delta, z, a| {
                    *delta *= deviations.derivative(source, function, z, a);
                });
                deltas.push(delta);
            }
        }
        deltas.reverse();
        let loss = loss + self.penalty(batch.images.nrows());
        Ok(Passes { inputs, sums, activations, outputs, deltas, loss, gradients })
    }

    fn check_batch(&self, batch: &TrainingBatch<F>) -> Result<()> {
        let sizes = self.parameters.sizes();
        let images = batch.images.nrows();
        let [inputs, hidden @ .., outputs] = &sizes[..] else { return Ok(()) };
        Error::check_shape("images", &[images, *inputs], batch.images.shape())?;
        Error::check_shape("targets", &[images, *outputs], batch.targets.shape())?;
        for (index, &units) in hidden.iter().enumerate() {
            if let Some(mask) = batch.mask(index) {
                Error::check_shape(&format!("mask of layer{}", index + 1), &[images, units], mask.shape())?;
            }
        }
        Ok(())
    }

    /// Computes the hidden layers and the logits, equations (1) and (2).
    pub(super) fn forward(&self, batch: &TrainingBatch<F>) -> Forward<F> {
        let mut forward = Forward { inputs: vec![batch.images.clone()], sums: Vec::new(), activations: Vec::new() };
        for (index, layer) in self.parameters.layers().iter().enumerate() {
            let mut sums = affine(self.specification.products, forward.inputs[index].view(), layer);
            if self.specification.deviations.unused_biases.contains(&index) {
                sums -= &layer.bias.view().insert_axis(Axis(0));
            }
            if let Some(function) = self.specification.activations.get(index) {
                let activations = sums.map(|z| function.value(z));
                forward.inputs.push(match batch.mask(index) {
                    Some(mask) => &activations * mask,
                    None => activations.clone(),
                });
                forward.activations.push(activations);
            }
            forward.sums.push(sums);
        }
        if let (Some(function), Some(logits)) = (self.specification.deviations.logits_function, forward.sums.last_mut())
        {
            logits.mapv_inplace(|z| function.value(&z));
        }
        forward
    }

    /// Computes the outputs of the network, the loss and its derivative with respect to the logits, equations (3) and (4).
    fn output_layer(&self, logits: &Array2<F>, batch: &TrainingBatch<F>) -> OutputLayer<F> {
        let Specification { loss, deviations, .. } = &self.specification;
        let reported = self.specification.reported_loss();
        let reported_factor = F::from_f64(reported.total_factor(logits.nrows(), logits.ncols()));
        let factor = F::from_f64(loss.reduction.factor(logits.nrows(), logits.ncols()));
        let group = deviations.softmax_group;
        let mut shifted = logits.clone();
        for mut sums in shifted.rows_mut() {
            if let Some(index) = group.subtracted(sums.view()) {
                let largest = sums[index];
                sums.mapv_inplace(|sum| sum - largest);
            }
        }
        let [sums, targets] = [&shifted, &batch.targets].map(|matrix| group.grouped(matrix));
        let mut layer = OutputLayer { outputs: sums.clone(), loss: F::zero(), delta: Array2::zeros(sums.raw_dim()) };
        for (image, sums) in sums.rows().into_iter().enumerate() {
            let true_targets = || targets.row(image).into_iter().map(|&target| target.into());
            let targets = loss.function.smoothed(true_targets());
            let reported_targets = reported.loss.function.smoothed(true_targets());
            let sums = sums.to_vec();
            let outputs = deviations.output(loss.function).outputs(&sums);
            let delta = deviations.delta(loss.function, &sums, &outputs, &targets);
            let by_sums = reported.loss_by_sums(deviations.output(loss.function), &sums, &reported_targets);
            let image_loss = by_sums.or_else(|| reported.loss.function.loss_by_outputs(&outputs, &reported_targets));
            layer.loss += image_loss.unwrap_or(F::zero()) * reported_factor;
            layer.outputs.row_mut(image).iter_mut().zip(outputs).for_each(|(output, value)| *output = value);
            layer.delta.row_mut(image).iter_mut().zip(delta).for_each(|(delta, value)| *delta = value * factor);
        }
        let [outputs, delta] = [&layer.outputs, &layer.delta].map(|matrix| group.ungrouped(matrix, logits.nrows()));
        OutputLayer { outputs, delta, ..layer }
    }

    /// Computes the penalty ½ λ Σ θ² that the loss contains; 0 unless the specification has it in the loss.
    fn penalty(&self, images: usize) -> F {
        let decay = self.specification.weight_decay;
        if !decay.in_loss {
            return F::zero();
        }
        let mut sum = F::zero();
        for layer in self.parameters.layers() {
            layer.weight.iter().for_each(|&value| sum += value * value);
            if !decay.weights_only {
                layer.bias.iter().for_each(|&value| sum += value * value);
            }
        }
        F::from_f64(0.5 * decay.for_batch(images)) * sum
    }
}

/// The results of the forward pass, as in [`Passes`].
pub(super) struct Forward<F> {
    inputs: Vec<Array2<F>>,
    pub(super) sums: Vec<Array2<F>>,
    activations: Vec<Array2<F>>,
}

/// The results of the output layer, as in [`Passes`]; `delta` is the last of the derivatives.
struct OutputLayer<F> {
    outputs: Array2<F>,
    loss: F,
    delta: Array2<F>,
}

/// Computes the product of two matrices, whose elements are first rounded to `precision`.
fn product<F: Scalar>(precision: ProductPrecision, left: ArrayView2<'_, F>, right: ArrayView2<'_, F>) -> Array2<F> {
    let mut result = Array2::zeros([left.nrows(), right.ncols()]);
    if precision == ProductPrecision::Full {
        kernels::product(left, right, result.view_mut());
    } else {
        let rounded = |matrix: ArrayView2<'_, F>| matrix.mapv(|value| F::from_f64(precision.round(value.into())));
        kernels::product(rounded(left).view(), rounded(right).view(), result.view_mut());
    }
    result
}

/// Computes the sums Z = A·W + **1**·bᵀ of a layer, equation (1).
fn affine<F: Scalar>(precision: ProductPrecision, input: ArrayView2<'_, F>, layer: &Layer<F>) -> Array2<F> {
    product(precision, input, layer.weight.view()) + layer.bias.view().insert_axis(Axis(0))
}

/// Computes the gradients of weight and bias, equations (5) and (6), each from its δ.
fn affine_gradients<F: Scalar>(
    precision: ProductPrecision,
    input: ArrayView2<'_, F>,
    [of_weight, of_bias]: [ArrayView2<'_, F>; 2],
) -> Layer<F> {
    Layer { weight: product(precision, input.t(), of_weight), bias: of_bias.sum_axis(Axis(0)) }
}
