//! `FaultyMlp`: a minimal multi-layer perceptron with its optimizers, into which one [`Fault`] can be injected. It
//! shares no code with the reference, so a fault cannot hide in what both have in common.

mod contract;

use std::cell::RefCell;

use mlp_parity::classifier::softmax;
use mlp_parity::metrics::{Epoch, History};
use mlp_parity::{
    Activation, Batch, Batches, Dataset, Differentiable, Layer, MlpConfig, Optimizer, Parameters, Result,
    TrainingConfig,
};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::fault::Fault;

/// A correct network, except for the injected faults.
pub struct FaultyMlp {
    config: MlpConfig,
    parameters: Parameters<f32>,
    optimizer: Optimizer,
    step: i32,
    /// The velocity or Adam's first moment, and Adam's second moment.
    moments: [Parameters<f32>; 2],
    /// The activations of the previous pass, which [`Fault::StaleActivations`] uses.
    previous_activations: RefCell<Option<Vec<Array2<f32>>>>,
    /// The gradients of the previous step, which some faults use.
    previous_gradients: Option<Parameters<f32>>,
    fault: Fault,
    /// A second fault, of the update or the step.
    update_fault: Fault,
}

impl FaultyMlp {
    pub fn new(config: MlpConfig, parameters: &Parameters<f32>, fault: Fault) -> Result<Self> {
        Self::with_faults(config, parameters, [fault, fault])
    }

    /// Creates a network with two faults, of which the second is one of the update or the step.
    pub fn with_faults(
        config: MlpConfig,
        parameters: &Parameters<f32>,
        [fault, update_fault]: [Fault; 2],
    ) -> Result<Self> {
        let zeros = || Parameters::zeros(&config);
        let mut network = Self {
            moments: [zeros(), zeros()],
            parameters: zeros(),
            optimizer: Optimizer::sgd(),
            step: 0,
            previous_activations: RefCell::new(None),
            previous_gradients: None,
            fault,
            update_fault,
            config,
        };
        network.set_parameters(parameters)?;
        if fault == Fault::InitialWeightPerturbed {
            network.parameters.layers_mut()[1].weight[[1, 2]] *= 1.0001;
        }
        Ok(network)
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault || self.update_fault == fault
    }

    /// Returns the activation function f(z) of a layer, counted from 0.
    fn function(&self, z: f32, layer: usize) -> f32 {
        match self.config.activation() {
            _ if self.is(Fault::ActivationOmitted) && layer == 1 => z,
            Activation::Sigmoid if self.is(Fault::HardSigmoid) => (z / 6.0 + 0.5).clamp(0.0, 1.0),
            Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
            Activation::Relu if self.is(Fault::LeakyRelu) => z.max(0.01 * z),
            Activation::Relu if self.is(Fault::NanLostInRelu) => z.max(0.0),
            // NaN is not below zero, so it is preserved.
            Activation::Relu => {
                if z < 0.0 {
                    0.0
                } else {
                    z
                }
            }
            _ if self.is(Fault::ApproximateTanh) => z * (27.0 + z * z) / (27.0 + 9.0 * z * z),
            _ => z.tanh(),
        }
    }

    /// Returns the derivative f′ of the activation function, computed from a = f(z). Some faults use z instead.
    fn derivative(&self, a: f32, z: f32) -> f32 {
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        match (self.config.activation(), self.fault) {
            (Activation::Sigmoid, Fault::DerivativeFromPreActivation) => z * (1.0 - z),
            (Activation::Sigmoid, Fault::DerivativeAtActivation) => sigmoid(a) * (1.0 - sigmoid(a)),
            (Activation::Sigmoid, Fault::DerivativeSignFlipped) => a * (1.0 + a),
            (Activation::Sigmoid, _) => a * (1.0 - a),
            (Activation::Relu, Fault::DerivativeFromPreActivation) => z,
            (Activation::Relu, Fault::DerivativeAtActivation) => f32::from(u8::from(a >= 0.0)),
            (Activation::Relu, _) => f32::from(u8::from(a > 0.0)),
            (_, Fault::DerivativeFromPreActivation) => 1.0 - z * z,
            (_, Fault::DerivativeAtActivation) => 1.0 - a.tanh() * a.tanh(),
            (_, Fault::DerivativeSignFlipped) => 1.0 + a * a,
            (_, _) => 1.0 - a * a,
        }
    }

    /// Returns the pre-activations z of each layer, and the activations of each layer, preceded by the images.
    fn forward(&self, images: ArrayView2<'_, f32>) -> [Vec<Array2<f32>>; 2] {
        let mut activations = vec![match self.fault {
            Fault::PixelsScaledTwice => images.mapv(|pixel| pixel / 255.0),
            Fault::ImagesInHalfPrecision => images.mapv(half),
            _ => images.to_owned(),
        }];
        let mut pre_activations = Vec::new();
        let last = self.parameters.layers().len() - 1;
        for (index, layer) in self.parameters.layers().iter().enumerate() {
            let weight = if self.is(Fault::LayerInHalfPrecision) && index == 1 {
                layer.weight.mapv(half)
            } else {
                layer.weight.clone()
            };
            let bias = if self.is(Fault::BiasOmitted) && index == 1 {
                Array1::zeros(layer.bias.len())
            } else {
                layer.bias.clone()
            };
            let z = activations[index].dot(&weight) + &bias;
            let linear = index == last && !self.is(Fault::ActivationOnOutputLayer);
            activations.push(if linear { z.clone() } else { z.mapv(|z| self.function(z, index)) });
            pre_activations.push(z);
        }
        [pre_activations, activations]
    }

    /// Returns the mean loss of a batch, and δ of the output layer: (p − y)/m, with the probabilities p, the one-hot
    /// labels y and the batch size m.
    fn loss(&self, logits: &Array2<f32>, labels: &[usize]) -> (f32, Array2<f32>) {
        let images = labels.len() as f32;
        let mut delta = if self.is(Fault::MaximumNotSubtracted) {
            let exponentials = logits.mapv(f32::exp);
            let sums = exponentials.sum_axis(Axis(1)).insert_axis(Axis(1));
            exponentials / sums
        } else {
            softmax(logits.clone())
        };
        let mut loss = 0.0;
        let smoothing = if self.is(Fault::LabelSmoothing) { 1e-3 } else { 0.0 };
        for (image, (mut row, &label)) in delta.rows_mut().into_iter().zip(labels).enumerate() {
            loss -= match self.fault {
                Fault::BinaryLogarithm => row[label].log2(),
                Fault::LogarithmOffset => (row[label] + 1e-5).ln(),
                _ => row[label].ln(),
            };
            let smoothed_label = smoothing / row.len() as f32;
            row.mapv_inplace(|p| p - smoothed_label);
            if !(self.is(Fault::LastLabelIgnored) && image + 1 == labels.len()) {
                row[label] -= 1.0 - smoothing;
            }
        }
        match self.fault {
            Fault::GradientsNotAveraged => {}
            Fault::BatchSizeOffByOne => delta /= images - 1.0,
            _ => delta /= images,
        }
        let count = match self.fault {
            Fault::LossNotAveraged => 1.0,
            Fault::LossAveragedOverClasses => images * 10.0,
            _ => images,
        };
        (loss / count, delta)
    }

    /// Returns the gradients, given the results of [`forward`](Self::forward) and δ of the output layer.
    fn backward(
        &self,
        pre_activations: &[Array2<f32>],
        activations: &[Array2<f32>],
        mut delta: Array2<f32>,
    ) -> Result<Parameters<f32>> {
        let mut gradients = Vec::new();
        let layers = self.parameters.layers();
        for (index, layer) in layers.iter().enumerate().rev() {
            let mut bias = delta.sum_axis(Axis(0));
            match self.fault {
                Fault::BiasGradientZeroed(wrong) if wrong == index => bias.fill(0.0),
                Fault::BiasGradientAveraged if index == 1 => bias /= delta.nrows() as f32,
                _ => {}
            }
            let mut weight = activations[index].t().dot(&delta);
            if self.is(Fault::WeightGradientTransposed) && weight.is_square() {
                weight = weight.reversed_axes().as_standard_layout().into_owned();
            }
            gradients.push(Layer { weight, bias });
            let Some(below) = index.checked_sub(1) else { break };
            delta = match self.fault {
                Fault::BackwardWeightNotTransposed if layer.weight.is_square() => delta.dot(&layer.weight),
                Fault::WeightsUpdatedDuringBackward => {
                    let moved = &layer.weight - &(0.01 * &gradients[gradients.len() - 1].weight);
                    delta.dot(&moved.t())
                }
                _ => delta.dot(&layer.weight.t()),
            };
            let (a, z) = match self.fault {
                Fault::DerivativeOmitted if below == 0 => continue,
                Fault::DerivativeOfWrongLayer if below == 0 && activations[2].dim() == activations[1].dim() => {
                    (&activations[2], &pre_activations[1])
                }
                _ => (&activations[index], &pre_activations[below]),
            };
            let derivatives = Array2::from_shape_fn(a.dim(), |element| self.derivative(a[element], z[element]));
            delta *= &derivatives;
        }
        gradients.reverse();
        self.modify_gradients(&mut gradients);
        Parameters::from_layers(gradients)
    }

    /// Injects those faults that modify the gradients after the backward pass.
    fn modify_gradients(&self, gradients: &mut [Layer<f32>]) {
        match self.fault {
            Fault::GradientsClipped => {
                gradients.iter_mut().for_each(|layer| layer.weight.mapv_inplace(|g| g.clamp(-1e-3, 1e-3)))
            }
            Fault::GradientsInHalfPrecision => gradients[1].weight.mapv_inplace(half),
            Fault::GradientsScaled => gradients.iter_mut().for_each(|layer| layer.weight *= 1.0001),
            Fault::LargestGradientPerturbed => {
                let weight = &mut gradients[0].weight;
                let largest = weight.fold(0.0_f32, |largest, g| largest.max(g.abs()));
                weight.mapv_inplace(|g| if g.abs() == largest { g * 1.0001 } else { g });
            }
            _ => {}
        }
    }

    /// Runs a forward and a backward pass, and returns the loss and the gradients.
    fn passes(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        let [pre_activations, mut activations] = self.forward(batch.images());
        let (loss, delta) = self.loss(&activations[activations.len() - 1], batch.labels());
        if self.is(Fault::StaleActivations) {
            let previous = self.previous_activations.borrow_mut().replace(activations.clone());
            if let Some(previous) = previous.filter(|previous| previous[1].nrows() >= batch.len()) {
                activations[1] = previous[1].slice(ndarray::s![..batch.len(), ..]).to_owned();
            }
        }
        let gradients = self.backward(&pre_activations, &activations, delta)?;
        Ok((loss, gradients))
    }

    /// Trains with [`Fault::EpochOrderNotReshuffled`] or [`Fault::OptimizerStateKept`].
    fn fit_with_faulty_loop(&mut self, train: &Dataset, training: &TrainingConfig) -> Result<History> {
        let mut history = History::default();
        if !self.is(Fault::OptimizerStateKept) {
            self.set_optimizer(training.optimizer())?;
        }
        for epoch in 1..=training.epochs() {
            let order_of = if self.is(Fault::EpochOrderNotReshuffled) { 1 } else { epoch };
            let order = Dataset::epoch_order(training.seed(), order_of, train.len());
            let mut losses = Vec::new();
            self.train_batches(train, Batches::of_epoch(training, epoch, &order), &mut losses)?;
            let images = order.chunks(training.batch_size()).map(<[usize]>::len);
            let sum: f64 = losses.iter().zip(images).map(|(&loss, images)| f64::from(loss) * images as f64).sum();
            history.epochs.push(Epoch { epoch, train_loss: sum / train.len() as f64, seconds: 0.0 });
        }
        Ok(history)
    }

    /// Updates one parameter and its optimizer state.
    fn update(&self, value: &mut f32, gradient: f32, [first, second]: [&mut f32; 2], is_bias: bool, rate: f32) {
        let decay = self.optimizer.weight_decay() as f32;
        let decay = if is_bias && self.is(Fault::DecaySkipsBiases) { 0.0 } else { decay };
        let decay = if self.is(Fault::DecaySignFlipped) { -decay } else { decay };
        let adam = matches!(self.optimizer, Optimizer::Adam { .. } | Optimizer::AdamW { .. });
        let decoupled = match self.update_fault {
            Fault::AdamDecayDecoupled => adam,
            Fault::AdamWDecayCoupled => false,
            _ => matches!(self.optimizer, Optimizer::AdamW { .. }),
        };
        let rate = if self.is(Fault::LearningRatePerturbed) { rate * 1.0001 } else { rate };
        let gradient = if decoupled { gradient } else { gradient + decay * *value };
        match self.optimizer {
            Optimizer::Sgd { .. } => *value -= rate * gradient,
            Optimizer::Momentum { momentum, nesterov, .. } => {
                let momentum = momentum as f32;
                let gradient_factor = match self.update_fault {
                    Fault::MomentumDampened if self.step > 1 => 0.9,
                    Fault::MomentumAveraged => 1.0 - momentum,
                    _ => 1.0,
                };
                *first = momentum * *first + gradient_factor * gradient;
                let looks_ahead = nesterov && !self.is(Fault::NesterovIgnored);
                *value -= rate * if looks_ahead { gradient + momentum * *first } else { *first };
            }
            Optimizer::Adam { beta1, beta2, epsilon, .. } | Optimizer::AdamW { beta1, beta2, epsilon, .. } => {
                let (beta1, beta2) = if self.is(Fault::BetasSwapped) { (beta2, beta1) } else { (beta1, beta2) };
                let epsilon = if self.is(Fault::EpsilonIsBurnDefault) { 1e-5 } else { epsilon };
                let step = match self.update_fault {
                    Fault::StepCountStartsAtTwo => self.step + 1,
                    Fault::StepCountSaturates => self.step.min(255),
                    Fault::StepCountInSinglePrecision => self.step as f32 as i32,
                    _ => self.step,
                };
                let corrections = [beta1, beta2]
                    .map(|beta| if self.is(Fault::BiasCorrectionOmitted) { 1.0 } else { 1.0 - beta.powi(step) });
                *first = beta1 as f32 * *first + (1.0 - beta1) as f32 * gradient;
                let squared = if self.is(Fault::SecondMomentNotSquared) { gradient.abs() } else { gradient * gradient };
                *second = beta2 as f32 * *second + (1.0 - beta2) as f32 * squared;
                let [m, v] = [*first / corrections[0] as f32, *second / corrections[1] as f32];
                let denominator = if self.is(Fault::EpsilonInsideRoot) {
                    (v + epsilon as f32).sqrt()
                } else {
                    v.sqrt() + epsilon as f32
                };
                let shrink = if decoupled { 1.0 - rate * decay } else { 1.0 };
                *value = *value * shrink - rate * m / denominator;
            }
        }
    }
}

/// Rounds a value to the eleven significant bits of half precision.
fn half(value: f32) -> f32 {
    let scale = 2.0_f32.powf(value.abs().max(f32::MIN_POSITIVE).log2().floor() - 10.0);
    (value / scale).round() * scale
}
