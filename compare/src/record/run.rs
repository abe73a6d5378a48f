//! The figures of a run.

use mlp_parity::metrics::{Epoch, Evaluation};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::number::{any_number, number};
use crate::{Identity, NamedTraining};

/// One epoch of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Running mean of the loss over the epoch.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub train_loss: f64,
    /// Mean loss of the test images after the epoch.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub test_loss: f64,
    /// Share of the test images that are classified right after the epoch.
    #[serde(serialize_with = "number", deserialize_with = "any_number")]
    pub test_accuracy: f64,
    /// Training time, without evaluation.
    pub seconds: f64,
}

impl EpochRecord {
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

/// One run of one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The training's name.
    pub training: String,
    /// Who ran.
    #[serde(flatten)]
    pub identity: Identity,
    /// The optimizer's name.
    pub optimizer: String,
    /// The seed of the order of images.
    pub seed: u64,
    /// The complete epochs.
    pub epochs: Vec<EpochRecord>,
    /// Test images by label (rows) and predicted class after the last of them; empty without any.
    pub confusion: Vec<Vec<usize>>,
    /// Whether all epochs of the training are.
    pub complete: bool,
}

impl RunRecord {
    pub(crate) fn new(
        training: &NamedTraining,
        identity: &Identity,
        epochs: Vec<EpochRecord>,
        confusion: Option<&Array2<usize>>,
        complete: bool,
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
        }
    }

    /// Mean training time of an epoch.
    pub fn seconds_per_epoch(&self) -> Option<f64> {
        let total: f64 = self.epochs.iter().map(|epoch| epoch.seconds).sum();
        (!self.epochs.is_empty()).then(|| total / self.epochs.len() as f64)
    }
}
