//! The contract, for the network in single precision.

use mlp_parity::classifier::{check_images, softmax};
use mlp_parity::metrics::{Evaluation, History};
use mlp_parity::training::{self, Learner};
use mlp_parity::{
    Batch, Classifier, Dataset, Differentiable, MlpConfig, Observer, Optimizer, Parameters, Result, TrainingConfig,
};
use mlp_parity::{Batches, OptimizerState};
use ndarray::{Array2, ArrayView2};

use crate::fast::images::Images;
use crate::fast::mlp::Mlp;

impl Classifier for Mlp {
    fn config(&self) -> &MlpConfig {
        self.config()
    }

    fn fit(&mut self, train: &Dataset, plan: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        training::fit(self, train, plan, observer)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        Ok(softmax(Differentiable::logits(self, images)?))
    }

    /// Without a copy of the images.
    fn evaluate(&self, dataset: &Dataset) -> Result<Evaluation> {
        dataset.check_fit(self.config())?;
        Ok(Evaluation::new(softmax(self.logits_of_all(dataset)).view(), dataset.labels()))
    }
}

impl Differentiable for Mlp {
    fn parameters(&self) -> Result<Parameters<f32>> {
        Ok(self.parameters())
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        self.set_parameters(parameters)
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        check_images(self.config(), images)?;
        self.logits(images)
    }

    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        self.loss_and_gradients(batch)
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        self.set_optimizer(optimizer)
    }

    fn optimizer_state(&self) -> Result<OptimizerState> {
        Ok(self.optimizer_state())
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<()> {
        self.set_optimizer_state(state)
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        self.apply_gradients(gradients, learning_rate)
    }

    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        self.step(batch, learning_rate)
    }
}

impl Learner for Mlp {
    /// Nothing: no update follows from a loss that is not finite, so there is nothing to undo.
    type Snapshot = ();

    const LOSSES_READ_TOGETHER: usize = 1;

    fn train(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()> {
        let next = batches.following();
        losses.extend(batches.map(|(indices, learning_rate)| {
            let labels = indices.iter().map(|&index| usize::from(train.labels()[index]));
            self.train_on(&Images::Of { dataset: train, indices, next }, labels, learning_rate)
        }));
        Ok(())
    }

    fn snapshot(&self) {}

    fn restore(&mut self, (): ()) {}
}
