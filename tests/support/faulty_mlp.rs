//! Backpropagation and its optimizers once more, as short as they can be, with a place for each mistake.

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

pub struct FaultyMlp {
    config: MlpConfig,
    parameters: Parameters<f32>,
    optimizer: Optimizer,
    step: i32,
    /// Velocity, or the first moment; the second moment.
    moments: [Parameters<f32>; 2],
    /// What some mistakes do not forget.
    kept_activations: RefCell<Option<Vec<Array2<f32>>>>,
    kept_gradients: Option<Parameters<f32>>,
    fault: Fault,
}

impl FaultyMlp {
    pub fn new(config: MlpConfig, parameters: &Parameters<f32>, fault: Fault) -> Result<Self> {
        let zeros = || Parameters::zeros(&config);
        let mut network = Self {
            moments: [zeros(), zeros()],
            parameters: zeros(),
            optimizer: Optimizer::sgd(),
            step: 0,
            kept_activations: RefCell::new(None),
            kept_gradients: None,
            fault,
            config,
        };
        network.set_parameters(parameters)?;
        if fault == Fault::OneInitialWeightOff {
            network.parameters.layers_mut()[1].weight[[1, 2]] *= 1.0001;
        }
        Ok(network)
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn function(&self, z: f32, layer: usize) -> f32 {
        match self.config.activation() {
            _ if self.is(Fault::ActivationForgotten) && layer == 1 => z,
            Activation::Sigmoid if self.is(Fault::HardSigmoid) => (z / 6.0 + 0.5).clamp(0.0, 1.0),
            Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
            Activation::Relu if self.is(Fault::LeakyRelu) => z.max(0.01 * z),
            Activation::Relu if self.is(Fault::NanSwallowed) => z.max(0.0),
            Activation::Relu => {
                if z < 0.0 {
                    0.0
                } else {
                    z
                }
            }
            _ if self.is(Fault::FastTanh) => z * (27.0 + z * z) / (27.0 + 9.0 * z * z),
            _ => z.tanh(),
        }
    }

    /// f′ from a = f(z), and from z for those who take the wrong one.
    fn derivative(&self, a: f32, z: f32) -> f32 {
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        match (self.config.activation(), self.fault) {
            (Activation::Sigmoid, Fault::DerivativeOfPreActivation) => z * (1.0 - z),
            (Activation::Sigmoid, Fault::DerivativeAtActivation) => sigmoid(a) * (1.0 - sigmoid(a)),
            (Activation::Sigmoid, Fault::DerivativeSign) => a * (1.0 + a),
            (Activation::Sigmoid, _) => a * (1.0 - a),
            (Activation::Relu, Fault::DerivativeOfPreActivation) => z,
            (Activation::Relu, Fault::DerivativeAtActivation) => f32::from(u8::from(a >= 0.0)),
            (Activation::Relu, _) => f32::from(u8::from(a > 0.0)),
            (_, Fault::DerivativeOfPreActivation) => 1.0 - z * z,
            (_, Fault::DerivativeAtActivation) => 1.0 - a.tanh() * a.tanh(),
            (_, Fault::DerivativeSign) => 1.0 + a * a,
            (_, _) => 1.0 - a * a,
        }
    }

    /// Z of each layer, and A with the images before it.
    fn forward(&self, images: ArrayView2<'_, f32>) -> [Vec<Array2<f32>>; 2] {
        let mut activations = vec![match self.fault {
            Fault::PixelsScaledTwice => images.mapv(|pixel| pixel / 255.0),
            Fault::ImagesInHalfPrecision => images.mapv(half),
            _ => images.to_owned(),
        }];
        let mut sums = Vec::new();
        let last = self.parameters.layers().len() - 1;
        for (index, layer) in self.parameters.layers().iter().enumerate() {
            let weight = if self.is(Fault::LayerInHalfPrecision) && index == 1 {
                layer.weight.mapv(half)
            } else {
                layer.weight.clone()
            };
            let bias = if self.is(Fault::BiasForgotten) && index == 1 {
                Array1::zeros(layer.bias.len())
            } else {
                layer.bias.clone()
            };
            let z = activations[index].dot(&weight) + &bias;
            let linear = index == last && !self.is(Fault::ActivationOfOutput);
            activations.push(if linear { z.clone() } else { z.mapv(|z| self.function(z, index)) });
            sums.push(z);
        }
        [sums, activations]
    }

    /// p − y over m, and the loss.
    fn loss(&self, logits: &Array2<f32>, labels: &[usize]) -> (f32, Array2<f32>) {
        let images = labels.len() as f32;
        let mut delta = if self.is(Fault::LargestLogitNotSubtracted) {
            let exponentials = logits.mapv(f32::exp);
            let sums = exponentials.sum_axis(Axis(1)).insert_axis(Axis(1));
            exponentials / sums
        } else {
            softmax(logits.clone())
        };
        let mut loss = 0.0;
        let smoothing = if self.is(Fault::LabelsSmoothed) { 1e-3 } else { 0.0 };
        for (image, (mut row, &label)) in delta.rows_mut().into_iter().zip(labels).enumerate() {
            loss -= match self.fault {
                Fault::BinaryLogarithm => row[label].log2(),
                Fault::LogarithmShifted => (row[label] + 1e-5).ln(),
                _ => row[label].ln(),
            };
            let share = smoothing / row.len() as f32;
            row.mapv_inplace(|p| p - share);
            if !(self.is(Fault::LastLabelForgotten) && image + 1 == labels.len()) {
                row[label] -= 1.0 - smoothing;
            }
        }
        match self.fault {
            Fault::MeanForgottenInGradients => {}
            Fault::OneImageLess => delta /= images - 1.0,
            _ => delta /= images,
        }
        let count = match self.fault {
            Fault::MeanForgottenInLoss => 1.0,
            Fault::MeanOverClasses => images * 10.0,
            _ => images,
        };
        (loss / count, delta)
    }

    fn backward(
        &self,
        sums: &[Array2<f32>],
        activations: &[Array2<f32>],
        mut delta: Array2<f32>,
    ) -> Result<Parameters<f32>> {
        let mut gradients = Vec::new();
        let layers = self.parameters.layers();
        for (index, layer) in layers.iter().enumerate().rev() {
            let mut bias = delta.sum_axis(Axis(0));
            match self.fault {
                Fault::BiasGradientDropped(wrong) if wrong == index => bias.fill(0.0),
                Fault::BiasGradientIsMean if index == 1 => bias /= delta.nrows() as f32,
                _ => {}
            }
            let mut weight = activations[index].t().dot(&delta);
            if self.is(Fault::WeightGradientTransposed) && weight.is_square() {
                weight = weight.reversed_axes().as_standard_layout().into_owned();
            }
            gradients.push(Layer { weight, bias });
            let Some(below) = index.checked_sub(1) else { break };
            delta = match self.fault {
                Fault::ProductTransposed if layer.weight.is_square() => delta.dot(&layer.weight),
                Fault::UpdatedTooEarly => {
                    let moved = &layer.weight - &(0.01 * &gradients[gradients.len() - 1].weight);
                    delta.dot(&moved.t())
                }
                _ => delta.dot(&layer.weight.t()),
            };
            let (a, z) = match self.fault {
                Fault::DerivativeForgotten if below == 0 => continue,
                Fault::DerivativeOfOtherLayer if below == 0 && activations[2].dim() == activations[1].dim() => {
                    (&activations[2], &sums[1])
                }
                _ => (&activations[index], &sums[below]),
            };
            let derivatives = Array2::from_shape_fn(a.dim(), |at| self.derivative(a[at], z[at]));
            delta *= &derivatives;
        }
        gradients.reverse();
        self.distort(&mut gradients);
        Parameters::from_layers(gradients)
    }

    /// Mistakes that come after the backward pass.
    fn distort(&self, gradients: &mut [Layer<f32>]) {
        match self.fault {
            Fault::GradientsClipped => {
                gradients.iter_mut().for_each(|layer| layer.weight.mapv_inplace(|g| g.clamp(-1e-3, 1e-3)))
            }
            Fault::GradientsInHalfPrecision => gradients[1].weight.mapv_inplace(half),
            Fault::GradientsScaled => gradients.iter_mut().for_each(|layer| layer.weight *= 1.0001),
            Fault::LargestGradientOff => {
                let weight = &mut gradients[0].weight;
                let largest = weight.fold(0.0_f32, |largest, g| largest.max(g.abs()));
                weight.mapv_inplace(|g| if g.abs() == largest { g * 1.0001 } else { g });
            }
            _ => {}
        }
    }

    fn passes(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        let [sums, mut activations] = self.forward(batch.images());
        let (loss, delta) = self.loss(&activations[activations.len() - 1], batch.labels());
        if self.is(Fault::StaleActivations) {
            let fresh = activations.clone();
            let kept = self.kept_activations.borrow_mut().replace(fresh);
            if let Some(kept) = kept.filter(|kept| kept[1].nrows() >= batch.len()) {
                activations[1] = kept[1].slice(ndarray::s![..batch.len(), ..]).to_owned();
            }
        }
        let gradients = self.backward(&sums, &activations, delta)?;
        Ok((loss, gradients))
    }

    /// A training loop that takes the first epoch's order each time, or forgets to begin with a fresh state.
    fn own_loop(&mut self, train: &Dataset, training: &TrainingConfig) -> Result<History> {
        let mut history = History::default();
        if !self.is(Fault::StateKept) {
            self.set_optimizer(training.optimizer())?;
        }
        for epoch in 1..=training.epochs() {
            let which = if self.is(Fault::SameOrderEachEpoch) { 1 } else { epoch };
            let order = Dataset::epoch_order(training.seed(), which, train.len());
            let mut losses = Vec::new();
            self.train_batches(train, Batches::of_epoch(training, epoch, &order), &mut losses)?;
            let images = order.chunks(training.batch_size()).map(<[usize]>::len);
            let sum: f64 = losses.iter().zip(images).map(|(&loss, images)| f64::from(loss) * images as f64).sum();
            history.epochs.push(Epoch { epoch, train_loss: sum / train.len() as f64, seconds: 0.0 });
        }
        Ok(history)
    }

    /// One element of a parameter.
    fn rule(&self, value: &mut f32, gradient: f32, [first, second]: [&mut f32; 2], is_bias: bool, rate: f32) {
        let decay = self.optimizer.weight_decay() as f32;
        let decay = if is_bias && self.is(Fault::DecayOfWeightsOnly) { 0.0 } else { decay };
        let decay = if self.is(Fault::DecaySign) { -decay } else { decay };
        let adam = matches!(self.optimizer, Optimizer::Adam { .. } | Optimizer::AdamW { .. });
        let decoupled = match self.fault {
            Fault::DecayDecoupled => adam,
            Fault::DecayCoupled => false,
            _ => matches!(self.optimizer, Optimizer::AdamW { .. }),
        };
        let rate = if self.is(Fault::LearningRateOff) { rate * 1.0001 } else { rate };
        let gradient = if decoupled { gradient } else { gradient + decay * *value };
        match self.optimizer {
            Optimizer::Sgd { .. } => *value -= rate * gradient,
            Optimizer::Momentum { momentum, nesterov, .. } => {
                let momentum = momentum as f32;
                let share = match self.fault {
                    Fault::Dampened if self.step > 1 => 0.9,
                    Fault::MomentumIsMean => 1.0 - momentum,
                    _ => 1.0,
                };
                *first = momentum * *first + share * gradient;
                let ahead = nesterov && !self.is(Fault::NesterovForgotten);
                *value -= rate * if ahead { gradient + momentum * *first } else { *first };
            }
            Optimizer::Adam { beta1, beta2, epsilon, .. } | Optimizer::AdamW { beta1, beta2, epsilon, .. } => {
                let (beta1, beta2) = if self.is(Fault::BetasSwapped) { (beta2, beta1) } else { (beta1, beta2) };
                let epsilon = if self.is(Fault::EpsilonOfBurn) { 1e-5 } else { epsilon };
                let step = if self.is(Fault::StepCountedFromTwo) { self.step + 1 } else { self.step };
                let corrections = [beta1, beta2]
                    .map(|beta| if self.is(Fault::BiasCorrectionForgotten) { 1.0 } else { 1.0 - beta.powi(step) });
                *first = beta1 as f32 * *first + (1.0 - beta1) as f32 * gradient;
                let squared = if self.is(Fault::SquareForgotten) { gradient.abs() } else { gradient * gradient };
                *second = beta2 as f32 * *second + (1.0 - beta2) as f32 * squared;
                let [m, v] = [*first / corrections[0] as f32, *second / corrections[1] as f32];
                let denominator = if self.is(Fault::EpsilonInsideRoot) {
                    (v + epsilon as f32).sqrt()
                } else {
                    v.sqrt() + epsilon as f32
                };
                let kept = if decoupled { 1.0 - rate * decay } else { 1.0 };
                *value = *value * kept - rate * m / denominator;
            }
        }
    }
}

/// Rounded to the eleven bits of half precision.
fn half(value: f32) -> f32 {
    let scale = 2.0_f32.powf(value.abs().max(f32::MIN_POSITIVE).log2().floor() - 10.0);
    (value / scale).round() * scale
}
