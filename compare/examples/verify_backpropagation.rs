//! Checks a network with faulty backpropagation: the gradient of one layer's biases is halved. Training would hide this
//! fault; the check suite finds it and names the tensor.
//!
//! Run it with `cargo run --release --example verify_backpropagation`.

use mlp_parity::metrics::History;
use mlp_parity::{
    Activation, Batch, Classifier, Dataset, Differentiable, Error, MlpConfig, Observer, Optimizer, Parameters, Result,
    TrainingConfig,
};
use mlp_parity_compare::check::{self, Case};
use mlp_parity_scratch::Mlp;
use ndarray::{Array2, ArrayView2};

/// The network to verify. It wraps the network from `mlp-parity-scratch` and adds the fault; use your own instead.
struct Mine(Mlp);

impl Classifier for Mine {
    fn config(&self) -> &MlpConfig {
        self.0.config()
    }

    /// Not needed here: the check suite ends with the faulty gradient, before it calls `fit`.
    fn fit(&mut self, _: &Dataset, _: &TrainingConfig, _: &mut dyn Observer) -> Result<History> {
        Err(Error::NotImplemented { what: "training".to_owned() })
    }

    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.0.predict_probabilities(images)
    }
}

impl Differentiable for Mine {
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
        let (loss, mut gradients) = self.0.loss_and_gradients(batch)?;
        // The fault.
        gradients.layers_mut()[1].bias /= 2.0;
        Ok((loss, gradients))
    }

    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
        self.0.set_optimizer(optimizer)
    }

    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
        self.0.apply_gradients(gradients, learning_rate)
    }
}

fn main() -> mlp_parity_compare::Result<()> {
    let config = MlpConfig::new(784, &[50, 30], 10, Activation::Tanh)?;
    let case = Case::synthetic(&config, 0)?;
    let mut mine = Mine(Mlp::new(config, &case.parameters)?);
    let report = check::check_candidate(&case, "mine", &mut mine)?;
    match report.first_failure() {
        None => println!("all checks pass"),
        Some(check) => println!("{check}\n{}", check.hint(&report.checks)),
    }
    Ok(())
}
