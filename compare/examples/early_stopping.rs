//! Early stopping with a custom observer: trains until the accuracy on the validation images has not improved for two
//! epochs.
//!
//! Run it with `cargo run --release --example early_stopping`.

use std::ops::ControlFlow;

use mlp_parity::metrics::Epoch;
use mlp_parity::mnist::DataSource;
use mlp_parity::{Activation, Classifier, Dataset, MlpConfig, Observer, Optimizer, Parameters, Result, TrainingConfig};
use mlp_parity_scratch::Mlp;

/// Stops a training run when the validation accuracy no longer improves.
struct EarlyStopping {
    /// Images that are used neither for training nor for the final test.
    validation: Dataset,
    /// The best accuracy so far, and its epoch.
    best: (f64, usize),
    /// Number of epochs without improvement after which the run stops.
    patience: usize,
}

impl Observer for EarlyStopping {
    fn epoch_ended(&mut self, epoch: &Epoch, model: &dyn Classifier) -> Result<ControlFlow<()>> {
        let accuracy = model.evaluate(&self.validation)?.accuracy;
        println!(
            "epoch {:2}: loss {:.4}, validation accuracy {:.2} %",
            epoch.epoch,
            epoch.train_loss,
            100.0 * accuracy
        );
        if accuracy > self.best.0 {
            self.best = (accuracy, epoch.epoch);
        }
        let should_continue = epoch.epoch < self.best.1 + self.patience;
        Ok(if should_continue { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }
}

fn main() -> Result<()> {
    let mnist = DataSource::Embedded.load()?;
    // Validation images come from the training set. The test images must not influence any decision.
    let (train, validation) = mnist.train.take(12_000)?.split_at(10_000)?;
    let config = MlpConfig::new(train.inputs(), &[100], train.classes(), Activation::Relu)?;
    let mut network = Mlp::new(config.clone(), &Parameters::glorot_uniform(&config, 0))?;
    let training = TrainingConfig::builder().optimizer(Optimizer::adam()).learning_rate(0.003).epochs(30).build()?;

    let mut early_stopping = EarlyStopping { validation, best: (0.0, 0), patience: 2 };
    let history = network.fit(&train, &training, &mut early_stopping)?;

    let accuracy = network.evaluate(&mnist.test)?.accuracy;
    println!("{} epochs, test accuracy {:.2} %", history.epochs.len(), 100.0 * accuracy);
    Ok(())
}
