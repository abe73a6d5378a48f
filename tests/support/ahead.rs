//! The network by hand as one on a device would train: it works ahead of its losses, which are read together.

use mlp_parity::Batches;
use mlp_parity::metrics::History;
use mlp_parity::training::{self, Learner};
use mlp_parity::{
    Batch, Classifier, Dataset, Differentiable, MlpConfig, Observer, Optimizer, Parameters, Result, TrainingConfig,
};
use mlp_parity_scratch::Mlp;
use ndarray::{Array2, ArrayView2};

pub(crate) struct Ahead(pub(crate) Mlp);

impl Classifier for Ahead {
    fn config(&self) -> &MlpConfig {
        self.0.config()
    }

    fn fit(&mut self, train: &Dataset, plan: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        training::fit(self, train, plan, observer)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.0.predict_probabilities(images)
    }
}

/// Without a `step` of its own.
impl Differentiable for Ahead {
    fn parameters(&self) -> Result<Parameters<f32>> {
        Ok(self.0.parameters().clone())
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        self.0.set_parameters(parameters)
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        Differentiable::logits(&self.0, images)
    }

    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        self.0.loss_and_gradients(batch)
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        self.0.set_optimizer(optimizer)
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        self.0.apply_gradients(gradients, learning_rate)
    }
}

impl Learner for Ahead {
    type Snapshot = Mlp;

    const LOSSES_READ_TOGETHER: usize = 3;

    fn train(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()> {
        for (indices, learning_rate) in batches {
            losses.push(self.step(&train.batch(indices), learning_rate)?);
        }
        Ok(())
    }

    fn snapshot(&self) -> Mlp {
        self.0.clone()
    }

    fn restore(&mut self, snapshot: Mlp) {
        self.0 = snapshot;
    }
}
