//! The reference as a candidate: only its results are rounded to single precision.

use mlp_parity::metrics::History;
use mlp_parity::{
    Arithmetic, Batch, Classifier, Dataset, Differentiable, MlpConfig, Observer, Optimizer, Parameters, Result,
    TrainingConfig, training,
};
use mlp_parity_scratch::ReferenceMlp;
use ndarray::{Array2, ArrayView2};

pub(crate) struct Rounded {
    pub(crate) network: ReferenceMlp<f64>,
    pub(crate) arithmetic: Arithmetic,
    /// Moves every parameter by one unit in the last place after each update, by other coins each time. Counts them.
    pub(crate) shaken: Option<u64>,
}

impl Rounded {
    /// The parameters are rounded too, so that what is read is what is there.
    fn round(&mut self) -> Result<()> {
        let mut parameters = self.parameters()?;
        if let Some(updates) = &mut self.shaken {
            *updates += 1;
            parameters = parameters.ulps_away(1, *updates);
        }
        self.set_parameters(&parameters)
    }
}

impl Classifier for Rounded {
    fn config(&self) -> &MlpConfig {
        self.network.config()
    }

    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
        training::fit(self, train, training, observer)
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        Ok(mlp_parity::classifier::softmax(self.logits(images)?))
    }
}

impl Differentiable for Rounded {
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
        self.network.apply_gradients(&gradients.cast(), learning_rate)?;
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
