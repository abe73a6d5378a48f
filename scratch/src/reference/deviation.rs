//! Deviations: departures of a computation from the equations, as programs make them by mistake or by another convention.
//! With them, the reference predicts what such a program computes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mlp_parity::{Layer, Scalar};
use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::activation::ActivationFunction;
use super::loss::{Loss, LossFunction, OutputFunction};
use super::number::Number;

/// The deviations of a network from the equations of its [`Specification`](super::Specification). By default, there are
/// none. Deviations of the update rule, of activation functions or of the data need no entry here: they are another
/// specification, or other data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deviations {
    /// Indices of the layers whose biases the forward pass does not add.
    pub unused_biases: Vec<usize>,
    /// A function that is applied to the sums of the output layer before the output function.
    pub logits_function: Option<ActivationFunction>,
    /// True if the backward pass multiplies δ of the output layer by the derivative of that function.
    pub logits_derivative: bool,
    /// The function that computes the outputs, if it is not that of the loss.
    pub output: Option<OutputFunction>,
    /// The sums that softmax normalizes together.
    pub softmax_group: SoftmaxGroup,
    /// The loss that is reported, if it is not the one that is differentiated.
    pub reported_loss: Option<ReportedLoss>,
    /// δ of the output layer, if it is not the derivative of the loss.
    pub output_delta: Option<OutputDelta>,
    /// The factors that take the place of f′ in hidden layers, by the index of the layer.
    pub derivatives: BTreeMap<usize, DerivativeForm>,
    /// The layer whose f′ takes the place of that of a hidden layer, by the index of the layer. Both have the same width.
    pub derivative_layers: BTreeMap<usize, usize>,
    /// The weights that propagate δ down from a layer, if they are not its own, by the index of the layer.
    pub propagated_weights: BTreeMap<usize, PropagatedWeight>,
    /// True if the backward pass does not apply the masks of dropout.
    pub unmasked_delta: bool,
    /// For a hidden layer, by its index: true for the gradients (of the weight, of the bias) that are computed from ∂ℒ/∂A instead
    /// of δ = ∂ℒ/∂A ∘ f′.
    pub gradients_before_derivative: BTreeMap<usize, [bool; 2]>,
    /// Factors of the gradients of weight and bias, by the index of the layer.
    pub gradient_factors: BTreeMap<usize, [f64; 2]>,
    /// Indices of the layers whose weight gradients are transposed, of square weights.
    pub transposed_gradients: Vec<usize>,
    /// Indices of the layers whose bias gradients are summed over the units as well as over the images.
    pub scalar_bias_gradients: Vec<usize>,
    /// True if the terms of the bias gradients are rounded like the factors of products.
    pub rounded_bias_gradients: bool,
    /// The number of the step in the bias corrections of Adam.
    pub correction: Correction,
    /// Factors of the learning rates of weights and biases.
    pub rate_factors: Option<[f64; 2]>,
    /// Gradients of earlier steps in the update.
    pub carried_gradients: CarriedGradients,
}

/// The sums of the output layer that softmax normalizes together: their exponentials are divided by the sum of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SoftmaxGroup {
    /// The outputs of one image.
    #[default]
    Image,
    /// One output of all images.
    Output,
    /// All outputs of all images.
    Batch,
    /// One output of all images, after the largest sum of each image was subtracted.
    OutputOfShifted,
}

/// Gradients of earlier steps in the update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CarriedGradients {
    /// None: each step uses its own gradients.
    #[default]
    None,
    /// The sum of the gradients of all steps so far.
    All,
    /// The sum of the gradients of this step and the previous one.
    Last,
    /// The gradients of the previous step, instead of those of this step; the first step uses its own.
    Previous,
}

/// Number of the step in the bias corrections 1 − βᵗ of Adam.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Correction {
    /// t, counted from 1.
    #[default]
    Step,
    /// The corrections are missing.
    Missing,
    /// The correction of the first step, in every step.
    First,
    /// t plus a constant, at least 1.
    Shifted(i32),
    /// m is corrected, but v is not.
    OfFirstMoment,
    /// v is corrected, but m is not.
    OfSecondMoment,
    /// The number of updates of single tensors or layers so far, in this order, instead of t.
    Updates(UpdateOrder),
}

/// The order in which a program updates the tensors of a network in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateOrder {
    /// The weight and the bias of the first layer, then those of the next one.
    Tensors,
    /// The weight and the bias of the output layer, then those of the layer below it.
    TensorsFromTop,
    /// The bias and the weight of the output layer, then those of the layer below it.
    Reversed,
    /// All weights, first layer first, then all biases.
    WeightsFirst,
    /// Layer by layer, first layer first; both tensors of a layer count as one.
    Layers,
    /// Layer by layer, output layer first; both tensors of a layer count as one.
    LayersFromTop,
}

/// A reported loss: factor · loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReportedLoss {
    /// The loss.
    pub loss: Loss,
    /// Its factor.
    pub factor: f64,
}

/// Derivative of the loss of an image with respect to the sums z of the output layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OutputDelta {
    /// The derivative of another loss function, at the same outputs.
    Of(LossFunction),
    /// The derivative of the loss with respect to the outputs: that of the output function is missing.
    ByOutputs,
    /// The derivative, multiplied by a (1 − a) for the outputs a.
    TimesLogisticDerivative,
    /// The outputs a, without the targets.
    Outputs,
    /// The derivative of the output function at the outputs a instead of the sums: of the logistic function σ(a) (1 − σ(a)), of
    /// tanh 1 − tanh(a)².
    AtOutputs,
    /// The derivative of the output function with the wrong sign: a (1 + a) for the logistic function, 1 + a² for tanh.
    WrongSign,
    /// The derivative of the loss with respect to the outputs, through the output function, even where a − t is the same.
    ThroughOutput,
    /// The derivative of the cross-entropy of softmax(softmax(z)), through both of them.
    ThroughTwoSoftmaxes,
}

/// Factor that takes the place of the derivative f′(z) of an activation function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DerivativeForm {
    /// 1: the derivative is missing.
    One,
    /// f′(a), with the activation a = f(z) in place of z.
    AtActivation,
    /// The formula of f′ in terms of a, such as 1 − a², with z in place of a.
    OfSum,
    /// The derivative of another function, computed from z and a.
    Of(ActivationFunction),
    /// f′(z)².
    Squared,
    /// The formula with the wrong sign: a (1 + a) for the logistic function, 1 + a² for tanh; f′(z) for other functions.
    WrongSign,
    /// a.
    Activation,
    /// z.
    Sum,
}

/// Weight that propagates δ down from a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum PropagatedWeight {
    /// W instead of Wᵀ, for a square weight.
    Transposed,
    /// The weight after a step of gradient descent with this learning rate: W − η ∂ℒ/∂W.
    Updated {
        /// Learning rate η.
        learning_rate: f64,
    },
    /// Another weight, such as that after the update of the step.
    Given(Array2<f64>),
}

impl SoftmaxGroup {
    /// Returns the matrix `[images, outputs]` with one group in each row.
    pub fn grouped<T: Clone>(self, matrix: &Array2<T>) -> Array2<T> {
        match self {
            Self::Image => matrix.clone(),
            Self::Output | Self::OutputOfShifted => matrix.t().as_standard_layout().into_owned(),
            Self::Batch => matrix.flatten().into_owned().insert_axis(Axis(0)),
        }
    }

    /// Returns the matrix `[images, outputs]` of a matrix that [`grouped`](Self::grouped) returned.
    pub fn ungrouped<T: Clone>(self, matrix: &Array2<T>, images: usize) -> Array2<T> {
        match self {
            Self::Image => matrix.clone(),
            Self::Output | Self::OutputOfShifted => matrix.t().as_standard_layout().into_owned(),
            Self::Batch => {
                let outputs = matrix.len() / images.max(1);
                Array2::from_shape_fn([images, outputs], |(image, output)| {
                    matrix[[0, image * outputs + output]].clone()
                })
            }
        }
    }

    /// Returns the index of the sum that is subtracted from those of an image before they are grouped; `None` if none is.
    pub fn subtracted<F: Scalar>(self, sums: ArrayView1<'_, F>) -> Option<usize> {
        let indices = (0..sums.len()).filter(|_| self == Self::OutputOfShifted);
        indices.max_by(|&left, &right| sums[left].into().total_cmp(&sums[right].into()))
    }
}

impl UpdateOrder {
    /// Returns the number of updates, with this one, of a tensor in step `number`, counted from 1. `biases` tells which layers have
    /// a bias.
    pub fn updates(self, number: i32, layer: usize, is_bias: bool, biases: &[bool]) -> i32 {
        let layers = biases.len();
        let all = (0..layers).flat_map(|layer| [(layer, false), (layer, true)]);
        let mut tensors: Vec<(usize, bool)> = all.filter(|&(layer, is_bias)| !is_bias || biases[layer]).collect();
        match self {
            Self::Tensors => {}
            Self::TensorsFromTop => tensors.sort_by_key(|&(layer, _)| std::cmp::Reverse(layer)),
            Self::Reversed => tensors.reverse(),
            Self::WeightsFirst => tensors.sort_by_key(|&(_, is_bias)| is_bias),
            Self::Layers | Self::LayersFromTop => tensors.retain(|&(_, is_bias)| !is_bias),
        }
        if self == Self::LayersFromTop {
            tensors.reverse();
        }
        let is_whole_layer = matches!(self, Self::Layers | Self::LayersFromTop);
        let position = tensors.iter().position(|&tensor| tensor == (layer, is_bias && !is_whole_layer)).unwrap_or(0);
        let [count, position] = [tensors.len(), position].map(|count| i32::try_from(count).unwrap_or(i32::MAX));
        number.saturating_sub(1).saturating_mul(count).saturating_add(position).saturating_add(1)
    }
}

impl CarriedGradients {
    /// Returns the gradients that a step uses and those that it keeps for the next one, given its own and those that the previous
    /// step kept, if there was one. `add` adds two gradients.
    pub fn carry<G: Clone>(self, own: G, kept: Option<G>, add: impl Fn(&G, &G) -> G) -> (G, Option<G>) {
        let sum = |kept: Option<G>| kept.map_or_else(|| own.clone(), |kept| add(&own, &kept));
        match self {
            Self::None => (own, None),
            Self::All => {
                let sum = sum(kept);
                (sum.clone(), Some(sum))
            }
            Self::Last => (sum(kept), Some(own)),
            Self::Previous => (kept.unwrap_or_else(|| own.clone()), Some(own)),
        }
    }
}

impl ReportedLoss {
    /// Returns the factor of the sum of all losses, for a batch of `images` and a network with `outputs`.
    pub fn total_factor(&self, images: usize, outputs: usize) -> f64 {
        self.factor * self.loss.reduction.factor(images, outputs)
    }

    /// Computes the loss of one image from the sums z; `None` if the loss has no such form, or if the outputs are not those of
    /// the loss, but of `output`. Targets are smoothed.
    pub fn loss_by_sums<N: Number>(&self, output: OutputFunction, sums: &[N], targets: &[f64]) -> Option<N> {
        let function = self.loss.function;
        if function.output() == output { function.loss_by_sums(sums, targets) } else { None }
    }
}

impl DerivativeForm {
    /// Computes the factor from the sum z and the activation a.
    fn derivative<N: Number>(self, function: ActivationFunction, z: &N, a: &N) -> N {
        match self {
            Self::One => z.constant(1.0),
            Self::AtActivation => function.derivative(a, &function.value(a)),
            Self::OfSum => function.derivative(z, z),
            Self::Of(other) => other.derivative(z, a),
            Self::Squared => function.derivative(z, a).squared(),
            Self::WrongSign => match function {
                ActivationFunction::Sigmoid => a.clone() * (a.constant(1.0) + a.clone()),
                ActivationFunction::Tanh => a.constant(1.0) + a.squared(),
                _ => function.derivative(z, a),
            },
            Self::Activation => a.clone(),
            Self::Sum => z.clone(),
        }
    }
}

impl Deviations {
    /// Computes the derivative of the loss of one image with respect to the sums of the output layer, given the outputs.
    pub fn delta<N: Number>(&self, function: LossFunction, sums: &[N], outputs: &[N], targets: &[f64]) -> Vec<N> {
        let mut delta = self.delta_of_sums(function, sums, outputs, targets);
        if let Some(function) = self.logits_function.filter(|_| self.logits_derivative) {
            // The sums are those after the function. Of relu, sigmoid and tanh, they give the derivative as well.
            let factors = sums.iter().map(|z| function.derivative(z, z));
            delta = delta.into_iter().zip(factors).map(|(delta, factor)| delta * factor).collect();
        }
        delta
    }

    fn delta_of_sums<N: Number>(&self, function: LossFunction, sums: &[N], outputs: &[N], targets: &[f64]) -> Vec<N> {
        match self.output_delta {
            None => function.delta(outputs, targets),
            Some(OutputDelta::Of(other)) => other.delta(outputs, targets),
            Some(OutputDelta::ByOutputs) => function.derivatives_by_outputs(outputs, targets),
            Some(OutputDelta::TimesLogisticDerivative) => {
                let pairs = function.delta(outputs, targets).into_iter().zip(outputs);
                pairs.map(|(delta, a)| delta * a.clone() * (a.constant(1.0) - a.clone())).collect()
            }
            Some(OutputDelta::Outputs) => outputs.to_vec(),
            Some(delta @ (OutputDelta::AtOutputs | OutputDelta::WrongSign)) => {
                let derivatives = function.derivatives_by_outputs(outputs, targets).into_iter().zip(outputs);
                let activation = match self.output(function) {
                    OutputFunction::Tanh => ActivationFunction::Tanh,
                    _ => ActivationFunction::Sigmoid,
                };
                let form = if delta == OutputDelta::AtOutputs {
                    DerivativeForm::AtActivation
                } else {
                    DerivativeForm::WrongSign
                };
                derivatives.map(|(derivative, a)| derivative * form.derivative(activation, a, a)).collect()
            }
            Some(OutputDelta::ThroughOutput) => {
                function.output().backward(outputs, &function.derivatives_by_outputs(outputs, targets))
            }
            Some(OutputDelta::ThroughTwoSoftmaxes) => {
                let inner = OutputFunction::Softmax.outputs(sums);
                OutputFunction::Softmax.backward(&inner, &function.delta(outputs, targets))
            }
        }
    }

    /// Computes the factor f′ of a hidden layer from its sum z and its activation a.
    pub fn derivative<N: Number>(&self, layer: usize, function: ActivationFunction, z: &N, a: &N) -> N {
        self.derivatives.get(&layer).map_or_else(|| function.derivative(z, a), |form| form.derivative(function, z, a))
    }

    /// Returns the index of the layer whose f′ a hidden layer uses.
    pub fn derivative_layer(&self, layer: usize) -> usize {
        self.derivative_layers.get(&layer).copied().unwrap_or(layer)
    }

    /// Returns whether the gradients of weight and bias of a layer are computed before the factor f′.
    pub fn before_derivative(&self, layer: usize) -> [bool; 2] {
        self.gradients_before_derivative.get(&layer).copied().unwrap_or_default()
    }

    /// Returns the function that computes the outputs.
    pub fn output(&self, function: LossFunction) -> OutputFunction {
        self.output.unwrap_or(function.output())
    }

    /// Returns the factors of the gradients of weight and bias of a layer.
    pub fn factors(&self, layer: usize) -> [f64; 2] {
        self.gradient_factors.get(&layer).copied().unwrap_or([1.0; 2])
    }

    /// Applies the deviations to the gradients of a layer.
    pub(super) fn apply<F: Scalar>(&self, layer: usize, gradient: &mut Layer<F>) {
        if self.transposed_gradients.contains(&layer) {
            gradient.weight = gradient.weight.t().as_standard_layout().into_owned();
        }
        if self.scalar_bias_gradients.contains(&layer) {
            gradient.bias = Array1::from_elem(gradient.bias.len(), gradient.bias.sum());
        }
        if self.gradient_factors.contains_key(&layer) {
            let [weight, bias] = self.factors(layer).map(F::from_f64);
            gradient.weight.mapv_inplace(|value| value * weight);
            gradient.bias.mapv_inplace(|value| value * bias);
        }
    }

    /// Returns the weight that propagates δ down from a layer, given the weight and its gradient.
    pub(super) fn propagated_weight<'a, F: Scalar>(
        &self,
        layer: usize,
        weight: &'a Array2<F>,
        gradient: &Array2<F>,
    ) -> Cow<'a, Array2<F>> {
        match self.propagated_weights.get(&layer) {
            None => Cow::Borrowed(weight),
            Some(PropagatedWeight::Transposed) => Cow::Owned(weight.t().as_standard_layout().into_owned()),
            Some(&PropagatedWeight::Updated { learning_rate }) => {
                Cow::Owned(weight - &(gradient * F::from_f64(learning_rate)))
            }
            Some(PropagatedWeight::Given(other)) => Cow::Owned(other.mapv(F::from_f64)),
        }
    }
}
