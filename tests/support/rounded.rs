//! The float64 reference as a candidate. It computes in double precision and rounds only its results to single
//! precision, so its error is as small as that of a single-precision candidate can be.

use mlp_parity::metrics::History;
use mlp_parity::{
    Arithmetic, Batch, Classifier, Dataset, Differentiable, MlpConfig, Observer, Optimizer, Parameters, Result,
    TrainingConfig, training,
};
use mlp_parity_scratch::ReferenceMlp;
use ndarray::{Array2, ArrayView2};

pub(crate) struct RoundedReference {
    pub(crate) config: MlpConfig,
    pub(crate) network: ReferenceMlp<f64>,
    /// The arithmetic that [`Differentiable::arithmetic`] returns, from which error bounds are derived.
    pub(crate) arithmetic: Arithmetic,
    /// If not `None`, the number of updates so far, over all runs. Each update then moves every parameter by one ulp,
    /// up or down, with this number as the seed, so that no two runs give the same results.
    pub(crate) updates: Option<u64>,
}

impl RoundedReference {
    /// Rounds the network's parameters to single precision, so that the next step starts from the values that
    /// [`parameters`](Differentiable::parameters) returns. Perturbs them too if `updates` is not `None`.
    fn round(&mut self) -> Result<()> {
        let mut parameters = self.parameters()?;
        if let Some(updates) = &mut self.updates {
            *updates += 1;
            parameters = parameters.perturbed(1, *updates);
        }
        self.set_parameters(&parameters)
    }
}

impl Classifier for RoundedReference {
    fn config(&self) -> &MlpConfig {
        &self.config
    }

    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        training::fit(self, train, training, observer)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        Ok(mlp_parity::classifier::softmax(self.logits(images)?))
    }
}

impl Differentiable for RoundedReference {
    fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    fn parameters(&self) -> Result<Parameters<f32>> {
        Ok(self.network.parameters().cast())
    }

    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
        self.network.set_parameters(&parameters.cast())
    }

    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        Ok(self.network.logits(images.mapv(f64::from).view())?.mapv(|logit| logit as f32))
    }

    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
        let (loss, gradients) = self.network.loss_and_gradients(&batch.cast())?;
        Ok((loss as f32, gradients.cast()))
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        self.network.set_optimizer(optimizer)
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        self.network.apply_gradients(&gradients.cast(), learning_rate, 1)?;
        self.round()
    }

    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        let loss = self.network.step(&batch.cast(), learning_rate)?;
        if loss.is_finite() {
            self.round()?;
        }
        Ok(loss as f32)
    }
}
