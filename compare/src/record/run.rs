//! The stored results of a training run.

use mlp_parity::metrics::{Epoch, Evaluation};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::check::CheckSummary;
use crate::statistics::text::{deserialize_number, serialize_number};
use crate::{Identity, NamedTraining};

/// Losses, accuracy and time of one epoch of a training run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, counted from 1.
    pub epoch: usize,
    /// Mean loss of the training images over the epoch. The loss of each image is taken before the update with its
    /// batch.
    #[serde(serialize_with = "serialize_number", deserialize_with = "deserialize_number")]
    pub train_loss: f64,
    /// Mean cross-entropy of the test images after the epoch.
    #[serde(serialize_with = "serialize_number", deserialize_with = "deserialize_number")]
    pub test_loss: f64,
    /// Fraction of the test images that are classified correctly after the epoch, from 0 to 1.
    #[serde(serialize_with = "serialize_number", deserialize_with = "deserialize_number")]
    pub test_accuracy: f64,
    /// Training time of the epoch in seconds, without evaluation.
    pub seconds: f64,
}

impl EpochRecord {
    /// Checks that losses, accuracy and time are possible values.
    ///
    /// # Errors
    ///
    /// A message that names the field, its value and the values that are allowed.
    fn validate(&self) -> Result<(), String> {
        let Self { epoch, train_loss, test_loss, test_accuracy, seconds } = *self;
        // Losses are means of single-precision numbers. With this limit, sums over seeds and squares remain finite.
        let largest = f64::from(f32::MAX);
        let values = [
            ("train_loss", train_loss, largest),
            ("test_loss", test_loss, largest),
            ("test_accuracy", test_accuracy, 1.0),
            ("seconds", seconds, largest),
        ];
        match values.into_iter().find(|(_, value, most)| !(0.0..=*most).contains(value)) {
            Some((field, value, most)) => {
                Err(format!("epochs: {field} of epoch {epoch} is {value}; expected a number from 0 to {most:?}"))
            }
            None => Ok(()),
        }
    }

    /// Combines the training results of an epoch with the evaluation after it.
    pub(crate) fn new(epoch: &Epoch, evaluation: &Evaluation) -> Self {
        Self {
            epoch: epoch.epoch,
            train_loss: epoch.train_loss,
            test_loss: evaluation.loss,
            test_accuracy: evaluation.accuracy,
            seconds: epoch.seconds,
        }
    }
}

/// Checks that epochs have increasing numbers from 1 to `last`, and that their values are possible.
///
/// # Errors
///
/// A message that names the field, its value and the values that are allowed.
pub(crate) fn check_epochs(epochs: &[EpochRecord], last: usize) -> Result<(), String> {
    let numbers = epochs.iter().map(|epoch| epoch.epoch);
    if !numbers.clone().is_sorted_by(|first, second| first < second)
        || numbers.clone().any(|number| !(1..=last).contains(&number))
    {
        let numbers: Vec<usize> = numbers.collect();
        return Err(format!("epochs have the numbers {numbers:?}; expected increasing numbers from 1 to {last}"));
    }
    epochs.iter().try_for_each(EpochRecord::validate)
}

/// The results of one training run of one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Name of the training configuration.
    pub training: String,
    /// The candidate.
    #[serde(flatten)]
    pub identity: Identity,
    /// Name of the optimizer.
    pub optimizer: String,
    /// Seed of the initial parameters and of the order of the images.
    pub seed: u64,
    /// The completed epochs after which the network was tested.
    pub epochs: Vec<EpochRecord>,
    /// Confusion matrix after the last tested epoch: numbers of test images by label (rows) and predicted class
    /// (columns). Empty if no epoch was tested.
    pub confusion: Vec<Vec<usize>>,
    /// True if all epochs of the training configuration are complete; false if the run was stopped before.
    pub complete: bool,
    /// The result of the checks from the trained state; `None` if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks_after_training: Option<Box<CheckSummary>>,
}

impl RunRecord {
    /// Creates the record of a run, with the confusion matrix by label (rows) and predicted class (columns), and the result
    /// of the checks from the trained state.
    pub(crate) fn new(
        training: &NamedTraining,
        identity: &Identity,
        epochs: Vec<EpochRecord>,
        confusion: Option<&Array2<usize>>,
        complete: bool,
        checks_after_training: Option<CheckSummary>,
    ) -> Self {
        let rows = confusion.map(|matrix| matrix.rows().into_iter().map(|row| row.to_vec()).collect());
        Self {
            training: training.name.clone(),
            identity: identity.clone(),
            optimizer: training.config.optimizer().name().to_owned(),
            seed: training.config.seed(),
            epochs,
            confusion: rows.unwrap_or_default(),
            complete,
            checks_after_training: checks_after_training.map(Box::new),
        }
    }

    /// Checks that the values are those of a run with the training configuration `training`, tested on `test_images`
    /// images of `classes` classes.
    ///
    /// # Errors
    ///
    /// A message that names the field, its value and the values that are allowed.
    pub(super) fn validate(&self, training: &NamedTraining, classes: usize, test_images: usize) -> Result<(), String> {
        let (name, seed, epochs) = (&training.name, training.config.seed(), training.config.epochs());
        if (&self.training, self.seed) != (name, seed) {
            let found = format!("training and seed are {} and {}", self.training, self.seed);
            return Err(format!("{found}, but the training configuration has {name} and {seed}"));
        }
        check_epochs(&self.epochs, epochs)?;
        if self.complete && self.epochs.last().is_none_or(|last| last.epoch != epochs) {
            return Err(format!("the run is complete, but its epochs lack increasing numbers up to {epochs}"));
        }
        let sum = self.confusion.iter().flatten().try_fold(0_usize, |sum, &count| sum.checked_add(count));
        let is_square = self.confusion.len() == classes && self.confusion.iter().all(|row| row.len() == classes);
        if !(self.confusion.is_empty() || is_square && sum == Some(test_images)) {
            return Err(format!(
                "confusion does not have {classes} rows of {classes} numbers with the sum {test_images}, the number of \
                 test images"
            ));
        }
        Ok(())
    }

    /// Returns the mean training time per recorded epoch in seconds; `None` if no epoch is recorded.
    pub fn seconds_per_epoch(&self) -> Option<f64> {
        let total: f64 = self.epochs.iter().map(|epoch| epoch.seconds).sum();
        (!self.epochs.is_empty()).then(|| total / self.epochs.len() as f64)
    }
}
