//! Backpropagation once more, as short as it can be, with a place for each mistake.

use std::slice::Chunks;

use mlp_parity::metrics::History;
use mlp_parity::training::{self, Learner};
use mlp_parity::{
    Activation, Batch, Classifier, Dataset, Differentiable, Layer, MlpConfig, Observer, Optimizer, Parameters, Result,
    TrainingConfig,
};
use mlp_parity_scratch::Mlp;
use ndarray::{Array2, ArrayView2, Axis};

/// A mistake of a person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    /// The gradient of this layer's bias, counted from 0, stays zero.
    BiasGradientDropped(usize),
    /// δ W instead of δ Wᵀ on the way down through this layer, counted from 0, which must be square.
    ProductTransposed(usize),
    /// The sum over the batch instead of the mean.
    MeanForgotten,
    /// 1 − tanh(a)² instead of 1 − a².
    TanhAsPrinted,
    /// a (1 + a) instead of a (1 − a).
    SigmoidSign,
    /// A parameter of the first layer is off by 1e-3 after it was set.
    ParameterOff,
    /// The learning rate is off by 1 %.
    LearningRateOff,
    /// Adam's ε is Burn's default, 1e-5.
    EpsilonOff,
}

pub(crate) struct Textbook {
    right: Mlp<f32>,
    fault: Fault,
}

impl Textbook {
    pub(crate) fn new(config: MlpConfig, mut parameters: Parameters<f32>, fault: Fault) -> Result<Self> {
        if fault == Fault::ParameterOff {
            parameters.layers_mut()[0].weight[[1, 2]] += 1e-3;
        }
        Ok(Self { right: Mlp::new(config, parameters)?, fault })
    }

    fn derivative(&self, a: f32) -> f32 {
        match self.right.config().activation() {
            Activation::Sigmoid if self.fault == Fault::SigmoidSign => a * (1.0 + a),
            Activation::Sigmoid => a * (1.0 - a),
            Activation::Relu => f32::from(u8::from(a > 0.0)),
            _ if self.fault == Fault::TanhAsPrinted => 1.0 - a.tanh() * a.tanh(),
            _ => 1.0 - a * a,
        }
    }

    fn activations(&self, images: ArrayView2<'_, f32>) -> Vec<Array2<f32>> {
        let mut activations = vec![images.to_owned()];
        let layers = self.right.parameters().layers();
        for (index, layer) in layers.iter().enumerate() {
            let z = activations[index].dot(&layer.weight) + &layer.bias;
            activations.push(match self.right.config().activation() {
                _ if index + 1 == layers.len() => z,
                Activation::Sigmoid => z.mapv(|z| 1.0 / (1.0 + (-z).exp())),
                Activation::Relu => z.mapv(|z| if z > 0.0 { z } else { 0.0 }),
                _ => z.mapv(f32::tanh),
            });
        }
        activations
    }
}

impl Classifier for Textbook {
    fn config(&self) -> &MlpConfig {
        self.right.config()
    }

    fn fit(&mut self, train: &Dataset, plan: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        training::fit(self, train, plan, observer)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.right.predict_probabilities(images)
    }
}

impl Differentiable for Textbook {
    fn parameters(&self) -> Result<Parameters<f32>> {
        Ok(self.right.parameters().clone())
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        self.right.set_parameters(parameters)
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        Differentiable::logits(&self.right, images)
    }

    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        let activations = self.activations(batch.images());
        let mut delta = mlp_parity::classifier::softmax(activations[activations.len() - 1].clone());
        let mut loss = 0.0;
        for (mut row, &label) in delta.rows_mut().into_iter().zip(batch.labels()) {
            loss -= row[label].ln();
            row[label] -= 1.0;
        }
        if self.fault != Fault::MeanForgotten {
            delta /= batch.len() as f32;
        }
        let mut gradients = Vec::new();
        for (index, layer) in self.right.parameters().layers().iter().enumerate().rev() {
            let dropped = if self.fault == Fault::BiasGradientDropped(index) { 0.0 } else { 1.0 };
            let bias = delta.sum_axis(Axis(0)) * dropped;
            gradients.push(Layer { weight: activations[index].t().dot(&delta), bias });
            delta = match self.fault {
                Fault::ProductTransposed(wrong) if wrong == index => delta.dot(&layer.weight),
                _ => delta.dot(&layer.weight.t()),
            };
            delta.zip_mut_with(&activations[index], |delta, &a| *delta *= self.derivative(a));
        }
        gradients.reverse();
        Ok((loss / batch.len() as f32, Parameters::from_layers(gradients)?))
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        self.right.set_optimizer(&match *optimizer {
            Optimizer::Adam { beta1, beta2, weight_decay, .. } if self.fault == Fault::EpsilonOff => {
                Optimizer::Adam { beta1, beta2, epsilon: 1e-5, weight_decay }
            }
            other => other,
        })
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        let off = if self.fault == Fault::LearningRateOff { 1.01 } else { 1.0 };
        self.right.apply_gradients(gradients, learning_rate * off)
    }
}

impl Learner for Textbook {
    type Snapshot = ();

    const LOSSES_READ_TOGETHER: usize = 1;

    fn train(
        &mut self,
        train: &Dataset,
        batches: Chunks<'_, usize>,
        learning_rate: f64,
        losses: &mut Vec<f32>,
    ) -> Result<()> {
        for indices in batches {
            losses.push(self.step(&train.batch(indices), learning_rate)?);
        }
        Ok(())
    }

    fn snapshot(&self) {}

    fn restore(&mut self, (): ()) {}
}
