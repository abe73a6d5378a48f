//! The hand-written implementation with a deferred loss check, which is common on GPUs: it updates the parameters for a
//! group of batches before it checks their losses, and rolls back if one of them is not finite.

use mlp_parity::metrics::History;
use mlp_parity::{
    Batch, Batches, Classifier, Dataset, Differentiable, MlpConfig, Observer, Optimizer, Parameters, Result,
    TrainingConfig, training,
};
use mlp_parity_scratch::Mlp;
use ndarray::{Array2, ArrayView2};

pub(crate) struct DeferredLossCheck(pub(crate) Mlp);

impl DeferredLossCheck {
    /// Trains on all batches and returns their losses, without checking that the losses are finite.
    fn train_unchecked<'a>(
        &mut self,
        train: &Dataset,
        batches: impl Iterator<Item = (&'a [usize], f64)>,
    ) -> Result<Vec<f32>> {
        let step = |(indices, learning_rate)| {
            let (loss, gradients) = self.0.loss_and_gradients(&train.batch(indices))?;
            self.0.apply_gradients(&gradients, learning_rate)?;
            Ok(loss)
        };
        batches.map(step).collect()
    }
}

impl Classifier for DeferredLossCheck {
    fn config(&self) -> &MlpConfig {
        self.0.config()
    }

    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        training::fit(self, train, training, observer)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.0.predict_probabilities(images)
    }
}

/// Does not implement `step`, so that tests cover the default implementation of the trait.
impl Differentiable for DeferredLossCheck {
    fn parameters(&self) -> Result<Parameters<f32>> {
        self.0.parameters()
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        self.0.set_parameters(parameters)
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.0.logits(images)
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

    fn train_batches(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()> {
        let before = self.0.clone();
        let mut losses_of_call = self.train_unchecked(train, batches.clone())?;
        if let Some(diverged) = losses_of_call.iter().position(|loss| !loss.is_finite()) {
            // Roll back, and repeat only the batches before the one that diverged.
            self.0 = before;
            self.train_unchecked(train, batches.take(diverged))?;
            losses_of_call.truncate(diverged + 1);
        }
        losses.append(&mut losses_of_call);
        Ok(())
    }

    fn batches_per_call(&self) -> usize {
        3
    }
}
