//! Softmax regression, written by hand as a white box: its parameters and gradients are exposed. This file contains
//! only the mathematics and plain SGD; mlp-parity provides the training loop, the evaluation and the checks.

use mlp_parity::metrics::{History, cross_entropy};
use mlp_parity::ndarray::{Array2, ArrayView2, Axis};
use mlp_parity::{
    Batch, Classifier, Dataset, Differentiable, Error, Layer, MlpConfig, Observer, Optimizer, Parameters, Result,
    TrainingConfig, check_images, softmax, training,
};

/// Softmax regression: images x have the class probabilities p = softmax(x·W + b), with weights W and biases b.
pub struct Linear {
    config: MlpConfig,
    parameters: Parameters<f32>,
}

impl Linear {
    /// Creates a model with the given parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the parameters do not fit the network.
    pub fn new(config: &MlpConfig, parameters: &Parameters<f32>) -> Result<Self> {
        parameters.check_fit(config)?;
        Ok(Self { config: config.clone(), parameters: parameters.clone() })
    }

    /// Returns the only layer of the network.
    fn layer(&self) -> &Layer<f32> {
        &self.parameters.layers()[0]
    }
}

impl Classifier for Linear {
    fn config(&self) -> &MlpConfig {
        &self.config
    }

    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        training::fit(self, train, training, observer)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        Ok(softmax(self.logits(images)?))
    }
}

impl Differentiable for Linear {
    fn parameters(&self) -> Result<Parameters<f32>> {
        Ok(self.parameters.clone())
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        parameters.check_fit(&self.config)?;
        self.parameters = parameters.clone();
        Ok(())
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check_images(&self.config, images)?;
        Ok(images.dot(&self.layer().weight) + &self.layer().bias)
    }

    /// Computes the mean cross-entropy L of m images and its gradient. With one-hot labels y and δ = (p − y) / m, the
    /// gradients are ∂L/∂W = xᵀ·δ and ∂L/∂b = Σ δ over the images.
    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        batch.check_fit(self.config.inputs(), self.config.classes())?;
        let mut delta = softmax(self.logits(batch.images())?);
        let loss = cross_entropy(delta.view(), batch.labels());
        for (mut row, &label) in delta.rows_mut().into_iter().zip(batch.labels()) {
            row[label] -= 1.0;
        }
        delta /= batch.len() as f32;
        let mut gradients = Parameters::zeros(&self.config);
        let layer = &mut gradients.layers_mut()[0];
        layer.weight = batch.images().t().dot(&delta);
        layer.bias = delta.sum_axis(Axis(0));
        Ok((loss as f32, gradients))
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        optimizer.validate()?;
        match optimizer {
            Optimizer::Sgd { weight_decay: 0.0 } => Ok(()),
            other => Err(Error::NotImplemented { what: other.to_string() }),
        }
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        gradients.check_fit(&self.config)?;
        let (layer, gradient) = (&mut self.parameters.layers_mut()[0], &gradients.layers()[0]);
        layer.weight.scaled_add(-learning_rate as f32, &gradient.weight);
        layer.bias.scaled_add(-learning_rate as f32, &gradient.bias);
        Ok(())
    }
}
